/** A frame as people read it: every byte with its field and value, as far as it can be decoded. Secrets are masked. */
import { decodeBody } from '../protocol/body.js';
import type { Span } from '../protocol/byte-reader.js';
import { decodeFrame, LENGTH_WORD } from '../protocol/frame.js';
import { messageTypeName } from '../protocol/message-type.js';
import { isMessageName, type MessageName } from '../protocol/messages/index.js';
import { headerVersionOf, type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import { SlurmProtocolError, SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { redactStream } from './redact.js';
import { maskRuns } from './secrets.js';

/** How {@link dissect} reads bytes. */
export interface DissectOptions {
  /** Decode as this release, whatever version stands in the header. Default: by the header. */
  readonly release?: Release | undefined;
  /** The bytes are the bare body of this message, without length word, header and credential. Needs `release`. */
  readonly messageName?: MessageName | undefined;
}

/** A stretch of bytes and what it is. */
export interface DissectedField extends Span {
  /** True for a credential or token: its bytes are masked, and only its length means anything. */
  readonly isSecret: boolean;
}

/** What {@link dissect} finds. */
export interface Dissection {
  /** Protocol in the header, or the one asked for; `null` for one this library does not speak. */
  readonly release: Release | null;
  /** Upstream's name of the message, or `null`. */
  readonly messageName: string | null;
  /** What the authentication section is, without its secret; `null` where there is none or it was not reached. */
  readonly auth: { readonly plugin: string; readonly credentialLength: number } | null;
  /** The body as `decodeBody` gives it, secrets masked; `null` where it could not be decoded to its end. */
  readonly body: unknown;
  /** In order and without gaps: each byte belongs to exactly one. What decoding did not reach is one field of its own. */
  readonly fields: readonly DissectedField[];
  /** Where and why decoding stopped, or `null` when all went well. The path is empty where no field is to blame. */
  readonly stopped: { readonly offset: number; readonly fieldPath: string; readonly reason: string } | null;
  /** The bytes, with secrets masked. */
  readonly bytes: Uint8Array;
}

/** Path of the bytes behind the point where decoding stopped. */
const NOT_DECODED = '(not decoded)';

/** Fields that hold a secret. Secrets in other places are found by their text, and masked. */
const SECRET_PATHS: ReadonlySet<string> = new Set([
  'auth/credential',
  'auth/token',
  'header/forward/netCred',
]);

/**
 * Takes a frame (length word included, whole or cut off) apart as far as it goes. Never throws for what is in it.
 *
 * @throws SlurmUsageError for a `messageName` without a `release`.
 */
export function dissect(frame: Uint8Array, options: DissectOptions = {}): Dissection {
  const { release: forced, messageName: bare } = options;
  if (bare !== undefined) return dissectBody(frame, bare, forced);
  const { bytes } = redactStream(forced === undefined ? frame : withVersion(frame, forced), '>');
  const { stopped, spans, body, isLayoutKnown } = decodeAll(bytes);
  // Without the layout a credential is known by how it begins, and what is here may be the rest of one.
  if (stopped !== null && !isLayoutKnown) maskRuns(bytes, stopped.offset);
  // A list before its items and a presence byte have no span; a path is then told by what follows.
  const leaves = spans.filter(({ start, end }) => end > start);
  const leafValue = (path: string) => leaves.find((leaf) => leaf.path === path)?.value;
  const release = releaseOfHeaderVersion((leafValue('header/version') as number | undefined) ?? -1);
  const type = leafValue('header/msgType') as number | undefined;
  const messageName = release === null || type === undefined ? null : messageTypeName(type, release);
  if (forced !== undefined) showRealVersion(bytes, leaves, frame);
  const fields = withoutGaps(leaves, bytes, stopped?.offset ?? null);
  return { release, messageName, auth: authOf(fields), body, fields, stopped, bytes };
}

function dissectBody(bytes: Uint8Array, name: MessageName, release: Release | undefined): Dissection {
  if (release === undefined) {
    const why = 'A bare body does not say which release it is of.';
    throw new SlurmUsageError(why, { code: 'SLURMWIRE_BAD_OPTION', field: 'release', value: release });
  }
  const { bytes: masked } = redactStream(bytes, '>');
  const spans: Span[] = [];
  const { stopped, body } = decodeBodyAt(0, masked, name, release, spans);
  const leaves = spans.filter(({ start, end }) => end > start);
  const fields = withoutGaps(leaves, masked, stopped?.offset ?? null, { isBareBody: true });
  return { release, messageName: name, auth: null, body, fields, stopped, bytes: masked };
}

/** A copy whose header says this release. */
function withVersion(frame: Uint8Array, release: Release): Uint8Array {
  const copy = Uint8Array.from(frame);
  if (copy.length >= LENGTH_WORD + 2)
    new DataView(copy.buffer).setUint16(LENGTH_WORD, headerVersionOf(release));
  return copy;
}

function showRealVersion(bytes: Uint8Array, leaves: Span[], frame: Uint8Array): void {
  const real = frame.subarray(LENGTH_WORD, LENGTH_WORD + 2);
  if (real.length < 2) return;
  bytes.set(real, LENGTH_WORD);
  const at = leaves.findIndex(({ path }) => path === 'header/version');
  const leaf = leaves[at];
  if (leaf !== undefined) leaves[at] = { ...leaf, value: ((real[0] ?? 0) << 8) | (real[1] ?? 0) };
}

const PLUGIN_NAMES: ReadonlyMap<unknown, string> = new Map([
  [100, 'auth/none'],
  [101, 'auth/munge'],
  [102, 'auth/jwt'],
  [103, 'auth/slurm'],
]);

function authOf(fields: readonly DissectedField[]): Dissection['auth'] {
  const id = fields.find(({ path }) => path === 'auth/pluginId')?.value;
  if (id === undefined) return null;
  const secret = fields.find(({ path, isSecret }) => isSecret && path.startsWith('auth/'));
  return {
    plugin: PLUGIN_NAMES.get(id) ?? `plugin ${id}`,
    credentialLength: typeof secret?.value === 'string' ? secret.value.length : 0,
  };
}

interface DecodedSpans {
  readonly stopped: Dissection['stopped'];
  readonly spans: Span[];
  readonly body: unknown;
  /** True when header and authentication section were read: then it is known where the credential was. */
  readonly isLayoutKnown: boolean;
}

/** Decodes as far as it goes; says where and why it could not go on. */
function decodeAll(bytes: Uint8Array): DecodedSpans {
  const announced = bytes.length < LENGTH_WORD ? 0 : u32At(bytes, 0);
  // Lengths are judged last, so that a frame that was cut off shows what is there of it.
  const patched = Uint8Array.from(bytes);
  if (bytes.length >= LENGTH_WORD) setU32(patched, 0, bytes.length - LENGTH_WORD);
  let found = decodeEnvelope(patched);
  const word = found.spans.find(({ path }) => path === 'header/bodyLength');
  const missing = announced - (bytes.length - LENGTH_WORD);
  if (found.stopped?.fieldPath === 'body' && word !== undefined && missing > 0) {
    const bodyLength = word.value as number;
    setU32(patched, word.start, Math.max(0, bodyLength - missing));
    found = decodeEnvelope(patched);
    const at = found.spans.findIndex(({ path }) => path === 'header/bodyLength');
    if (at >= 0) found.spans[at] = word;
  }
  const { spans, stopped } = found;
  const [first] = spans;
  if (first?.path === 'length') spans[0] = { ...first, value: announced };
  if (bytes.length < LENGTH_WORD || missing === 0) return found;
  const reason = `the length word says ${announced}, ${bytes.length - LENGTH_WORD} bytes follow`;
  return {
    ...found,
    stopped:
      stopped === null
        ? { offset: bytes.length, fieldPath: 'length', reason }
        : { ...stopped, reason: `${stopped.reason}; ${reason}` },
  };
}

function u32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).setUint32(at, value);
}

/** Decodes a frame whose length word is right. */
function decodeEnvelope(bytes: Uint8Array): DecodedSpans {
  const trace = { path: [], spans: [] as Span[] };
  const { spans } = trace;
  try {
    const { release, messageName, body } = decodeFrame(bytes, trace);
    const decoded = decodeBodyAt(bytes.length - body.length, body, messageName, release, spans);
    return { ...decoded, spans, isLayoutKnown: true };
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown;
    const fieldPath = thrown.fieldPath ?? '';
    const stopped = { offset: thrown.offset ?? 0, fieldPath, reason: thrown.summary };
    return { stopped, spans, body: null, isLayoutKnown: false };
  }
}

function decodeBodyAt(
  start: number,
  packed: Uint8Array,
  name: string | null,
  release: Release,
  spans: Span[],
): Pick<DecodedSpans, 'stopped' | 'body'> {
  if (!isMessageName(name)) {
    if (packed.length === 0) return { stopped: null, body: null };
    const reason = `${name ?? 'this message'} has no description`;
    return { stopped: { offset: start, fieldPath: 'body', reason }, body: null };
  }
  const inner: Span[] = [];
  let stopped: Dissection['stopped'] = null;
  let body: unknown = null;
  try {
    body = decodeBody(name, release, packed, { path: [], spans: inner });
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown;
    const fieldPath = thrown.fieldPath ? `body/${thrown.fieldPath}` : 'body';
    stopped = { offset: start + (thrown.offset ?? 0), fieldPath, reason: thrown.summary };
  }
  for (const span of inner) {
    spans.push({ ...span, path: `body/${span.path}`, start: start + span.start, end: start + span.end });
  }
  return { stopped, body };
}

function withoutGaps(
  leaves: readonly Span[],
  bytes: Uint8Array,
  stoppedAt: number | null,
  { isBareBody = false } = {},
): DissectedField[] {
  const fields: DissectedField[] = [];
  let at = 0;
  const fill = (end: number, path: string) => {
    if (end > at) fields.push({ path, start: at, end, value: bytes.subarray(at, end), isSecret: false });
    at = Math.max(at, end);
  };
  const isLength = () => !isBareBody && at < LENGTH_WORD;
  for (const leaf of [...leaves].sort((a, b) => a.start - b.start)) {
    if (leaf.start < at) continue;
    fill(leaf.start, countPath(leaf.path));
    fields.push({ ...leaf, isSecret: SECRET_PATHS.has(leaf.path) });
    at = leaf.end;
  }
  const last = fields.at(-1)?.path ?? '';
  if (stoppedAt !== null) fill(Math.min(stoppedAt, bytes.length), isLength() ? 'length' : `behind ${last}`);
  fill(bytes.length, isLength() ? 'length' : stoppedAt === null ? `behind ${last}` : NOT_DECODED);
  return fields;
}

/** Bytes without a span are the count of the list whose first item follows, or stand before a field that is `next`. */
function countPath(next: string): string {
  const list = /^(.*?)\/0(\/|$)/.exec(next);
  if (list !== null) return `${list[1]} (count)`;
  return next.startsWith('header/') ? 'header/returnList (count)' : `before ${next}`;
}

/** Options of {@link annotate}. */
export interface AnnotateOptions extends DissectOptions {
  /** Show the bytes themselves. Default `true`. */
  readonly hex?: boolean | undefined;
  /** Fields that begin behind so many bytes are counted, not shown. Default: all are shown. */
  readonly maxBytes?: number | undefined;
}

/**
 * A frame as text, one line per 16 bytes of each field: offset, bytes, field, value. The last line says where decoding stopped.
 * Of a credential or token only the length is shown.
 *
 * ```
 * 0000  00 00 00 8c                                      length              140 0x8c
 * 0004  26 00                                            header/version      9728 0x2600 22.05
 * ```
 *
 * @param frame length word included; whole, cut off, or something else altogether.
 * @throws SlurmUsageError as {@link dissect}.
 */
export function annotate(frame: Uint8Array, options: AnnotateOptions = {}): string {
  return annotateDissection(dissect(frame, options), options).join('\n');
}

/** The lines of {@link annotate} for what was dissected already. */
export function annotateDissection(
  { fields, stopped, bytes, release }: Dissection,
  { hex: isHex = true, maxBytes = Number.POSITIVE_INFINITY }: Pick<AnnotateOptions, 'hex' | 'maxBytes'> = {},
): string[] {
  const hidden = fields.findIndex(({ start }) => start > 0 && start >= maxBytes);
  const shown = hidden < 0 ? fields : fields.slice(0, hidden);
  // Not Math.max(...): a reply can have more fields than a call takes arguments.
  const width = Math.min(
    64,
    shown.reduce((widest, { path }) => Math.max(widest, path.length), 12),
  );
  const lines: string[] = [];
  for (const field of shown) {
    const about = `${field.path.padEnd(width)}  ${showField(field, release)}`;
    if (!isHex) lines.push(`${offset(field.start)}  ${about}`.trimEnd());
    else if (field.isSecret) lines.push(`${offset(field.start)}  ${'not shown'.padEnd(HEX_WIDTH)}  ${about}`);
    else
      lines.push(
        ...hexLines(
          bytes.subarray(field.start, Math.min(field.end, field.start + maxBytes)),
          field.start,
          about,
          field.path === NOT_DECODED,
        ),
      );
  }
  const last = shown.at(-1)?.end ?? 0;
  const left = bytes.length - last;
  if (left > 0) lines.push(`${offset(last)}  … ${left} bytes more in ${fields.length - hidden} fields`);
  if (stopped !== null) {
    const where = stopped.fieldPath === '' ? '' : `${stopped.fieldPath}: `;
    lines.push(`${offset(stopped.offset)}  stopped: ${where}${stopped.reason}`);
  }
  return lines;
}

/** Sixteen bytes as {@link hex} writes them. */
const HEX_WIDTH = 47;

/** Bytes in rows of sixteen, each with its offset; the first with what they are, or all with their characters. */
export function hexLines(bytes: Uint8Array, start: number, about: string, isText = false): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const text = isText ? `|${printable(row)}|` : '';
    const words = [at === 0 ? about : '', text].filter((word) => word !== '').join('  ');
    lines.push(`${offset(start + at)}  ${hex(row).padEnd(HEX_WIDTH)}  ${words}`.trimEnd());
  }
  return lines;
}

function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join(
    '',
  );
}

/** The field that a byte of a dissected frame belongs to. */
export function fieldAt({ fields }: Dissection, at: number): DissectedField | undefined {
  return fields.find(({ start, end }) => at >= start && at < end);
}

/** A field's value for people: short, on one line. */
export function showField({ path, value, isSecret }: DissectedField, release: Release | null): string {
  if (isSecret && typeof value === 'string') return `${value.length} characters, a credential or token`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'number') {
    const named =
      path === 'header/version'
        ? releaseOfHeaderVersion(value)
        : path === 'header/msgType' && release !== null
          ? messageTypeName(value, release)
          : path === 'auth/pluginId'
            ? (PLUGIN_NAMES.get(value) ?? null)
            : null;
    const other = value > 9 ? ` 0x${value.toString(16)}` : '';
    return `${value}${other}${named === null ? '' : ` ${named}`}`;
  }
  if (typeof value === 'object' && value !== null && 'family' in value) {
    const { family, address, port } = value as { family: number; address?: string; port?: number };
    return address === undefined ? `family ${family}` : `${address} port ${port}`;
  }
  return showValue(value);
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function offset(at: number): string {
  return at.toString(16).padStart(4, '0');
}
