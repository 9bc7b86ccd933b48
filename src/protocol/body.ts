/** Bodies of described messages: packed and unpacked by name and release. */
import { ByteReader, type Trace } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { CodecFault, withProtocolErrors } from './codec-fault.js';
import { codecOf } from './compile.js';
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
  return withProtocolErrors(String(name), String(release), () => {
    const writer = new ByteWriter();
    described(name, release).encode(writer, record, {});
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
  return withProtocolErrors(String(name), String(release), () => {
    const reader = new ByteReader(bytes, trace);
    const record = described(name, release).decode(reader, {});
    reader.finish();
    return record as MessageRecord<N>;
  });
}

/** The codec of a message. @throws CodecFault where there is none. */
export function described(name: MessageName, release: Release) {
  if (!isMessageName(name))
    throw new CodecFault('SLURMWIRE_UNKNOWN_TYPE', `message ${showValue(name)} has no description`);
  if (messageTypeNumber(name, release) === null) {
    throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `protocol ${release} has no message ${name}`);
  }
  return codecOf(messageType(name), release);
}
