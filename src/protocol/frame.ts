/**
 * One message as it stands on a TCP stream: u32 length of what follows, header, authentication section, body.
 */
import {
  type AuthSection,
  credentialIn,
  readAuthSection,
  readCommonSection,
  writeAuthSection,
} from './auth-section.js';
import { ByteReader, type Trace } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { CodecFault, within, withProtocolErrors } from './codec-fault.js';
import { codecOf } from './compile.js';
import { FastCodec, takeScratch } from './fast-codec.js';
import { HEADER_FLAGS, type Header, type HeaderInput, header } from './header.js';
import { messageTypeName, messageTypeNumber } from './message-type.js';
import { headerVersionOf, type Release, releaseOfHeaderVersion } from './release.js';
import { showValue } from './slurm-error.js';
import { Source } from './source.js';
import { writeAscii } from './target.js';
import type { WireType } from './wire-type.js';

/** `MAX_MSG_SIZE` of all releases: a daemon drops a connection that announces more. */
export const MAX_FRAME_LENGTH = 0x40000000;

/** Bytes of the length word. */
export const LENGTH_WORD = 4;

/** A decoded frame. `body` is still packed: its digest is bound into the credential. */
export interface Frame {
  readonly release: Release;
  readonly header: Header;
  /** Upstream's name of `header.msgType` in this release, or `null` for a number without one. */
  readonly messageName: string | null;
  /** `null` where the message carries none (header flag 0x0040). */
  readonly auth: AuthSection | null;
  readonly body: Uint8Array;
}

/** What {@link encodeFrame} puts together. */
export interface FrameInput {
  readonly release: Release;
  /** Upstream's name of the message: `'REQUEST_PING'`. */
  readonly messageName: string;
  /** `null` for none; the header then gets flag 0x0040. */
  readonly auth: AuthSection | null;
  readonly body: Uint8Array;
  readonly flags?: number;
  readonly forward?: HeaderInput['forward'];
  readonly returnList?: HeaderInput['returnList'];
  readonly origAddr?: HeaderInput['origAddr'];
}

/**
 * Packs a frame, length word included.
 *
 * @throws SlurmProtocolError naming the field when a value does not fit or the release cannot carry it.
 */
export function encodeFrame(input: FrameInput): Uint8Array {
  return packFrame(input, allocate);
}

function allocate(size: number): Uint8Array {
  return new Uint8Array(size);
}

/**
 * {@link encodeFrame} into memory of the caller's.
 *
 * @param allocate gives as many bytes as it is asked for, whatever is in them; not always asked.
 */
export function packFrame(input: FrameInput, allocate: (size: number) => Uint8Array): Uint8Array {
  const { release, messageName, auth, body } = input;
  return withProtocolErrors(messageName, release, () => {
    const msgType = messageTypeNumber(messageName, release);
    if (msgType === null) {
      throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `protocol ${release} has no message ${messageName}`);
    }
    const given = input.flags ?? 0;
    // Checked before the bit is added: `|` would turn what is no number, or too large a one, into some other flags.
    if (!Number.isInteger(given) || given < 0 || given > 0xffff) {
      throw within(new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(given)} is not 16 bits`), 'flags');
    }
    const flags = given | (auth === null ? HEADER_FLAGS.SLURM_NO_AUTH_CRED : 0);
    if (auth !== null && (flags & HEADER_FLAGS.SLURM_NO_AUTH_CRED) !== 0) {
      throw within(
        new CodecFault('SLURMWIRE_BAD_VALUE', 'flag 0x0040 says that there is no authentication section'),
        'flags',
      );
    }
    const head: HeaderInput = {
      version: headerVersionOf(release),
      flags,
      msgType,
      bodyLength: body.length,
      forward: input.forward,
      returnList: input.returnList,
      origAddr: input.origAddr,
    };
    const fast = packCommonFrame(head, auth, body, release, allocate);
    if (fast !== null) return fast;
    const writer = new ByteWriter(LENGTH_WORD + 64 + body.length + 512);
    writer.u32(0);
    codecOf(header, release).encode(writer, head, {});
    try {
      if (auth !== null) writeAuthSection(writer, auth);
    } catch (thrown) {
      throw within(thrown, 'auth');
    }
    writer.raw(body);
    const frame = writer.finish();
    const length = frame.length - LENGTH_WORD;
    if (length > MAX_FRAME_LENGTH) {
      throw new CodecFault('SLURM_PROTOCOL_INSANE_MSG_LENGTH', `a frame of ${length} bytes is above 1 GiB`);
    }
    new DataView(frame.buffer, frame.byteOffset).setUint32(0, length);
    return frame;
  });
}

/** A frame with a credential of MUNGE or auth/slurm, as nearly all are; `null` where it is another one, or anything is wrong with it. */
function packCommonFrame(
  head: HeaderInput,
  auth: AuthSection | null,
  body: Uint8Array,
  release: Release,
  allocate: (size: number) => Uint8Array,
): Uint8Array | null {
  const credential = auth === null ? null : credentialIn(auth);
  if (credential === null || !(body instanceof Uint8Array) || body.length > LARGE) return null;
  const headBytes = commonHead(head, release);
  if (headBytes === null) return null;
  const headLength = headBytes.length;
  const textAt = LENGTH_WORD + headLength + 8;
  const bodyAt = textAt + credential.text.length + 1;
  const frame = allocate(bodyAt + body.length);
  frame.set(headBytes, LENGTH_WORD);
  if (!writeAscii(credential.text, frame.subarray(textAt, bodyAt - 1))) return null;
  putWord(frame, 0, frame.length - LENGTH_WORD);
  putWord(frame, textAt - 8, credential.plugin);
  putWord(frame, textAt - 4, credential.text.length + 1);
  frame[bodyAt - 1] = 0;
  frame.set(body, bodyAt);
  return frame;
}

/** Headers that are nothing but numbers, by these: one client's are nearly always the same few. */
const headsMade = new Map<Release, Map<number, Uint8Array>>();
const HEADS_KEPT = 64;

function commonHead(head: HeaderInput, release: Release): Uint8Array | null {
  const { flags = 0, msgType, bodyLength, forward, returnList, origAddr } = head;
  if ((forward ?? returnList ?? origAddr) !== undefined) {
    const length = fastHeader(release).encode(head);
    return length === undefined ? null : takeScratch(length);
  }
  const inRelease = headsMade.get(release) ?? new Map<number, Uint8Array>();
  // 16 bits each, and a length that is not above LARGE.
  const key = (bodyLength * 0x10000 + flags) * 0x10000 + msgType;
  const known = inRelease.get(key);
  if (known !== undefined) return known;
  const writer = new ByteWriter();
  codecOf(header, release).encode(writer, head, {});
  if (inRelease.size === HEADS_KEPT) inRelease.clear();
  const made = writer.finish();
  headsMade.set(release, inRelease.set(key, made));
  return made;
}

/** Above it a frame takes its time anyway. */
const LARGE = 0x100000;

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

const fastHeaders = new Map<Release, FastCodec>();

function fastHeader(release: Release): FastCodec {
  let fast = fastHeaders.get(release);
  if (fast === undefined) {
    fast = new FastCodec(header as WireType<unknown, unknown>, release);
    fastHeaders.set(release, fast);
  }
  return fast;
}

/**
 * Unpacks one whole frame, length word included, by the version in its own header.
 *
 * @param bytes exactly one frame; bytes left over are an error.
 * @param trace collects a span per field, for dumps.
 * @throws SlurmProtocolError with field path and the offset within `bytes`; code `SLURM_PROTOCOL_VERSION_ERROR` for a
 * version that this library does not speak.
 */
export function decodeFrame(bytes: Uint8Array, trace?: Trace): Frame {
  const fast = trace === undefined ? unpackCommonFrame(bytes) : null;
  if (fast !== null) return fast;
  return withProtocolErrors(undefined, undefined, () => {
    const reader = new ByteReader(bytes, trace);
    const length = traced(reader, 'length', () => reader.u32());
    if (length !== bytes.length - LENGTH_WORD) {
      throw new CodecFault(
        'SLURMWIRE_BAD_LENGTH',
        `length word ${length}, but ${bytes.length - LENGTH_WORD} bytes follow`,
        0,
      );
    }
    const release = peekRelease(bytes);
    const head = inside(reader, 'header', () => codecOf(header, release).decode(reader, {}));
    const bare = (head.flags & HEADER_FLAGS.SLURM_NO_AUTH_CRED) !== 0;
    const auth = bare ? null : inside(reader, 'auth', () => readAuthSection(reader));
    if (head.bodyLength !== reader.remaining) {
      const message = `header says ${head.bodyLength} bytes of body, the frame has ${reader.remaining}`;
      throw within(new CodecFault('SLURMWIRE_BAD_LENGTH', message, reader.offset), 'body');
    }
    const body = reader.raw(head.bodyLength);
    return { release, header: head, messageName: messageTypeName(head.msgType, release), auth, body };
  });
}

/** A frame with a credential of MUNGE or auth/slurm, or with none; `null` where it is another one, or anything is wrong with it. */
function unpackCommonFrame(bytes: Uint8Array): Frame | null {
  if (bytes.length < LENGTH_WORD + 2) return null;
  const release = releaseOfHeaderVersion(
    ((bytes[LENGTH_WORD] as number) << 8) | (bytes[LENGTH_WORD + 1] as number),
  );
  if (release === null) return null;
  const fast = fastHeader(release);
  if (!fast.isFor(64)) return null;
  const source = new Source(bytes);
  if (source.view.getUint32(source.start) !== bytes.length - LENGTH_WORD) return null;
  source.at += LENGTH_WORD;
  const head = fast.decodeFrom(source) as Header | undefined;
  if (head === undefined) return null;
  const bare = (head.flags & HEADER_FLAGS.SLURM_NO_AUTH_CRED) !== 0;
  const auth = bare ? null : readCommonSection(source);
  if (auth === undefined || head.bodyLength !== source.end - source.at) return null;
  const body = bytes.subarray(source.at - source.start);
  return { release, header: head, messageName: messageTypeName(head.msgType, release), auth, body };
}

function peekRelease(bytes: Uint8Array): Release {
  if (bytes.length < LENGTH_WORD + 2) {
    throw new CodecFault('SLURMWIRE_TRUNCATED', 'the frame ends inside the version word', LENGTH_WORD);
  }
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint16(LENGTH_WORD);
  const release = releaseOfHeaderVersion(version);
  if (release === null) {
    const message = `header version 0x${version.toString(16).padStart(4, '0')} is none that this library speaks`;
    throw within(
      within(new CodecFault('SLURM_PROTOCOL_VERSION_ERROR', message, LENGTH_WORD), 'version'),
      'header',
    );
  }
  return release;
}

function inside<T>(reader: ByteReader, step: string, decode: () => T): T {
  reader.trace?.path.push(step);
  try {
    return decode();
  } catch (thrown) {
    throw within(thrown, step);
  } finally {
    reader.trace?.path.pop();
  }
}

function traced<T>(reader: ByteReader, path: string, read: () => T): T {
  const start = reader.offset;
  const value = read();
  reader.trace?.spans.push({ path, start, end: reader.offset, value });
  return value;
}
