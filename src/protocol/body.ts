/** Bodies of described messages: packed and unpacked by name and release. */
import { ByteReader, type Trace } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { CodecFault, withProtocolErrors } from './codec-fault.js';
import { type Codec, codecOf } from './compile.js';
import { FastCodec, takeScratch } from './fast-codec.js';
import { messageTypeNumber } from './message-type.js';
import {
  isMessageName,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  messageType,
} from './messages/index.js';
import type { Release } from './release.js';
import { showValue } from './slurm-error.js';

/**
 * Packs the body of a message for a release.
 *
 * @throws SlurmProtocolError naming field and value: out of range (`SLURMWIRE_BAD_VALUE`), missing (`SLURMWIRE_FIELD_MISSING`),
 * or set although the release cannot carry it (`SLURMWIRE_NOT_IN_RELEASE`).
 */
export function encodeBody<N extends MessageName>(
  name: N,
  release: Release,
  record: MessageInput<N>,
): Uint8Array {
  const fast = described.get(name)?.get(release)?.fast;
  const length = fast?.encode(record);
  if (length !== undefined) return takeScratch(length);
  return withProtocolErrors(String(name), String(release), () => {
    const writer = new ByteWriter();
    plan(name, release).codec.encode(writer, record, {});
    return writer.finish();
  });
}

/**
 * Unpacks the body of a message. Fields the release does not have get the value their description states.
 *
 * @param trace collects a span per field, for dumps.
 * @throws SlurmProtocolError with field path and byte offset; bytes left over are an error.
 */
export function decodeBody<N extends MessageName>(
  name: N,
  release: Release,
  bytes: Uint8Array,
  trace?: Trace,
): MessageRecord<N> {
  const fast = trace === undefined ? described.get(name)?.get(release)?.fast.decode(bytes) : undefined;
  if (fast !== undefined) return fast as MessageRecord<N>;
  return withProtocolErrors(String(name), String(release), () => {
    const reader = new ByteReader(bytes, trace);
    const record = plan(name, release).codec.decode(reader, {});
    reader.finish();
    return record as MessageRecord<N>;
  });
}

/** The codec of a message. @throws CodecFault where there is none. */
export function bodyCodec(name: MessageName, release: Release): Codec {
  return plan(name, release).codec;
}

interface Plan {
  readonly codec: Codec;
  readonly fast: FastCodec;
}

/** Of the messages that were packed or unpacked before. */
const described = new Map<unknown, Map<unknown, Plan>>();

function plan(name: MessageName, release: Release): Plan {
  if (!isMessageName(name))
    throw new CodecFault('SLURMWIRE_UNKNOWN_TYPE', `message ${showValue(name)} has no description`);
  if (messageTypeNumber(name, release) === null) {
    throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `protocol ${release} has no message ${name}`);
  }
  const byRelease = described.get(name) ?? new Map<unknown, Plan>();
  described.set(name, byRelease);
  const type = messageType(name);
  const made = byRelease.get(release) ?? {
    codec: codecOf(type, release),
    fast: new FastCodec(type, release),
  };
  byRelease.set(release, made);
  return made;
}
