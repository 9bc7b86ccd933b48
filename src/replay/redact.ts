/**
 * Takes the secrets out of what was recorded, and keeps every length.
 *
 * The secret of each frame's authentication section and the address credential of its forward block are found by the layout of
 * the frame; whatever else looks like a MUNGE credential or a JWT (in a body, in an HTTP answer, in half a frame) by its text.
 * Other secrets, such as a password in the environment of a submitted job, are not recognised.
 */
import { ByteReader, type Trace } from '../protocol/byte-reader.js';
import { decodeText } from '../protocol/byte-text.js';
import { CodecFault } from '../protocol/codec-fault.js';
import { codecOf } from '../protocol/compile.js';
import { LENGTH_WORD } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { HEADER_FLAGS, type Header, header } from '../protocol/header.js';
import { isPayloadOf, payloadDigest } from '../protocol/payload-digest.js';
import { type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import {
  type ConversationEvent,
  type CredentialFacts,
  type Direction,
  type RawConnection,
  type RecordedCredential,
  type RedactedConnection,
  streamOf,
} from './conversation.js';
import { makePlaceholder, NO_FACTS, parsePlaceholder, type SecretKind } from './placeholder.js';
import { type SecretRange, secretRanges } from './secrets.js';

/** What is known about the credentials that are taken out. */
export interface RedactOptions {
  /**
   * Facts about a credential, by its text. Where there are none, the uid is that of its direction, and the payload the digest that
   * fits the frame: what an honest sender of the frame's protocol has bound into it.
   */
  readonly known?: ((credential: string) => CredentialFacts | undefined) | undefined;
  /** Uid of the client. Default: not known. */
  readonly clientUid?: number | null | undefined;
  /** Uid of the daemon. Default: not known. */
  readonly serverUid?: number | null | undefined;
}

/** The connection without its secrets; chunks stay as they came, byte for byte as long. */
export function redactConnection(connection: RawConnection, options: RedactOptions = {}): RedactedConnection {
  const streams = {
    '>': redactStream(streamOf(connection, '>'), '>', options),
    '<': redactStream(streamOf(connection, '<'), '<', options),
  };
  const taken = { '>': 0, '<': 0 };
  const events = connection.events.map((event): ConversationEvent => {
    const { direction, bytes } = event;
    if (bytes === undefined) return { ...event };
    const start = taken[direction];
    taken[direction] += bytes.length;
    return { ...event, bytes: streams[direction].bytes.slice(start, taken[direction]) };
  });
  const credentials = [...streams['>'].credentials, ...streams['<'].credentials];
  return { endpoint: connection.endpoint, events, credentials } as unknown as RedactedConnection;
}

/** The bytes of one direction without their secrets, and what the placeholders had no room for. The input stays as it is. */
export function redactStream(
  bytes: Uint8Array,
  direction: Direction,
  options: RedactOptions = {},
): { readonly bytes: Uint8Array; readonly credentials: RecordedCredential[] } {
  const out = Uint8Array.from(bytes); // not slice(): that of a Buffer shares its memory
  const frames = framesOf(bytes);
  const fields = frames.flatMap((frame) => frame.secrets);
  // Texts first: the digest in a frame's placeholder has to fit the body as it will stand in the recording.
  for (const range of merged(secretRanges(bytes, 1))) maskText(out, bytes, range, fields, options);
  const credentials: RecordedCredential[] = [];
  for (const [index, frame] of frames.entries()) {
    for (const secret of frame.secrets) {
      const facts = secret.isAuth ? factsOf(secret, frame, bytes, out, direction, options) : NO_FACTS;
      const { text, complete } = placeholderFor(secret, facts);
      out.set(Buffer.from(text, 'latin1'), secret.start);
      if (!complete) credentials.push({ direction, frame: index, ...facts });
    }
  }
  // Masking can itself join bytes to what looks like a secret. Each round takes at least one prefix away.
  for (let left = secretRanges(out, 8); left.length > 0; left = secretRanges(out, 8)) {
    for (const { start, end } of left) out.fill(FILLER, start, end);
  }
  return { bytes: out, credentials };
}

const FILLER = 0x78;

function merged(ranges: readonly SecretRange[]): SecretRange[] {
  const all: SecretRange[] = [];
  for (const range of ranges) {
    const last = all.at(-1);
    if (last === undefined || range.start >= last.end) all.push(range);
    else all[all.length - 1] = { ...last, end: Math.max(last.end, range.end) };
  }
  return all;
}

/** A secret found by the layout of its frame. Offsets are within the stream. */
interface SecretField {
  readonly kind: SecretKind;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Part of the authentication section (and not an address credential). */
  readonly isAuth: boolean;
}

interface FoundFrame {
  readonly secrets: SecretField[];
  /** Where the frame is whole and its header readable. */
  readonly message: {
    readonly release: Release;
    readonly head: Header;
    readonly bodyStart: number;
    readonly end: number;
  } | null;
}

/** Whole frames and, last, one that was cut off. Ends where no frame can begin: an HTTP answer, for one. */
function framesOf(stream: Uint8Array): FoundFrame[] {
  const assembler = new FrameAssembler();
  assembler.push(stream);
  const frames: FoundFrame[] = [];
  let at = 0;
  try {
    for (let frame = assembler.take(); frame !== null; frame = assembler.take()) {
      frames.push(readFrame(frame, at, true));
      at += frame.length;
    }
    if (at < stream.length) frames.push(readFrame(stream.subarray(at), at, false));
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown; // a length above 1 GiB: no frame
  }
  return frames;
}

function readFrame(frame: Uint8Array, at: number, whole: boolean): FoundFrame {
  const secrets: SecretField[] = [];
  const nothing = { secrets, message: null };
  if (frame.length < LENGTH_WORD + 2) return nothing;
  const release = releaseOfHeaderVersion(((frame[4] as number) << 8) | (frame[5] as number));
  if (release === null) return nothing;

  const add = (kind: SecretKind, start: number, length: number, isAuth: boolean) => {
    const announced = start + length;
    // The terminating NUL stays; without one (or with the end cut off) everything goes.
    const end =
      announced <= frame.length && frame[announced - 1] === 0
        ? announced - 1
        : Math.min(announced, frame.length);
    if (end <= start) return;
    const nul = frame.subarray(start, end).indexOf(0);
    const text = decodeText(frame.subarray(start, nul < 0 ? end : start + nul));
    secrets.push({ kind, start: at + start, end: at + end, text, isAuth });
  };

  const trace: Trace = { path: [], spans: [] };
  const reader = new ByteReader(frame, trace);
  reader.raw(LENGTH_WORD);
  let head: Header | null = null;
  try {
    head = codecOf(header, release).decode(reader, {});
  } catch (thrown) {
    if (!(thrown instanceof CodecFault)) throw thrown;
    if (thrown.path.join('/') === 'forward/netCred' && thrown.offset !== undefined) {
      add(kindOf(frame, thrown.offset + 4), thrown.offset + 4, frame.length - thrown.offset - 4, false);
    }
  }
  const netCred = trace.spans.find(({ path }) => path === 'forward/netCred');
  if (netCred !== undefined) {
    const start = netCred.start + 4;
    add(kindOf(frame, start), start, netCred.end - start, false);
  }
  if (head === null) return nothing;

  const bodyStart = whole ? frame.length - head.bodyLength : frame.length;
  const message =
    whole && bodyStart >= reader.offset
      ? { release, head, bodyStart: at + bodyStart, end: at + frame.length }
      : null;
  if ((head.flags & HEADER_FLAGS.SLURM_NO_AUTH_CRED) !== 0 || reader.remaining < 4)
    return { secrets, message };
  const plugin = reader.u32();
  const kind = PLUGIN_SECRETS.get(plugin);
  if (kind !== undefined) {
    if (reader.remaining >= 4) add(kind, reader.offset + 4, reader.u32(), true);
  } else if (plugin !== AUTH_NONE && message !== null) {
    // A plugin of the future: nothing of its section is known not to be secret.
    add('jwt', reader.offset, bodyStart - reader.offset, false);
  }
  return { secrets, message };
}

const AUTH_NONE = 100;
/** Plugins whose section begins with a secret text: auth/munge, auth/jwt, auth/slurm. */
const PLUGIN_SECRETS: ReadonlyMap<number, SecretKind> = new Map([
  [101, 'munge'],
  [102, 'jwt'],
  [103, 'jwt'],
]);

function kindOf(frame: Uint8Array, start: number): SecretKind {
  return Buffer.from(frame.subarray(start, start + 6)).toString('latin1') === 'MUNGE:' ? 'munge' : 'jwt';
}

function factsOf(
  { text }: SecretField,
  { message }: FoundFrame,
  before: Uint8Array,
  after: Uint8Array,
  direction: Direction,
  { known, clientUid = null, serverUid = null }: RedactOptions,
): CredentialFacts {
  const uid = direction === '>' ? clientUid : serverUid;
  if (message === null) return known?.(text) ?? { uid, gid: null, payload: null };
  const { release, head, bodyStart, end } = message;
  const body = before.subarray(bodyStart, end);
  const facts = known?.(text) ?? { uid, gid: null, payload: payloadDigest(release, head.msgType, body) };
  const { payload } = facts;
  const masked = after.subarray(bodyStart, end);
  if (payload === null || Buffer.compare(body, masked) === 0) return facts;
  // A secret was taken out of the body: a digest that was right stays right.
  const wasRight = isPayloadOf(payload, release, head.msgType, body);
  return wasRight ? { ...facts, payload: payloadDigest(release, head.msgType, masked) } : facts;
}

function placeholderFor(secret: SecretField, facts: CredentialFacts): { text: string; complete: boolean } {
  const length = secret.end - secret.start;
  // What is redacted already (a recording of a replay) stays as it is.
  if (secret.text.length === length && parsePlaceholder(secret.text) !== null) {
    return { text: secret.text, complete: true };
  }
  return makePlaceholder(secret.kind, length, facts);
}

/** Masks what looks like a secret. Where it touches a field that gets its own placeholder, that one is written over it afterwards. */
function maskText(
  out: Uint8Array,
  bytes: Uint8Array,
  { kind, start, end }: SecretRange,
  fields: readonly SecretField[],
  { known }: RedactOptions,
): void {
  if (fields.some((field) => field.start < end && field.end > start)) {
    out.fill(FILLER, start, end);
    return;
  }
  const facts = known?.(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  out.set(Buffer.from(makePlaceholder(kind, end - start, facts).text, 'latin1'), start);
}
