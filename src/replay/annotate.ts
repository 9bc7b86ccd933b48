/** A frame as people read it: every byte with its field and value, as far as it can be decoded. Secrets are masked. */
import { decodeBody } from '../protocol/body.js';
import type { Span } from '../protocol/byte-reader.js';
import { decodeFrame, LENGTH_WORD } from '../protocol/frame.js';
import { messageTypeName } from '../protocol/message-type.js';
import { isMessageName } from '../protocol/messages/index.js';
import { type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import { SlurmProtocolError, showValue } from '../protocol/slurm-error.js';
import { redactStream } from './redact.js';

/** What {@link dissect} finds. */
export interface Dissection {
  /** Protocol in the header, or `null` for one this library does not speak. */
  readonly release: Release | null;
  /** Upstream's name of the message, or `null`. */
  readonly messageName: string | null;
  /** In order and without gaps: each byte belongs to exactly one. What decoding did not reach is one field of its own. */
  readonly fields: readonly Span[];
  /** Where and why decoding stopped, or `null` when all went well. */
  readonly stopped: { readonly offset: number; readonly reason: string } | null;
  /** The bytes, with secrets masked. */
  readonly bytes: Uint8Array;
}

/** Path of the bytes behind the point where decoding stopped. */
const NOT_DECODED = '(not decoded)';

/** Takes a frame (length word included, whole or cut off) apart as far as it goes. Never throws for what is in it. */
export function dissect(frame: Uint8Array): Dissection {
  const { bytes } = redactStream(frame, '>');
  const trace = { path: [], spans: [] as Span[] };
  const stop = decodeAll(bytes, trace);
  // A list before its items and a presence byte have no span; a path is then told by what follows.
  const leaves = trace.spans.filter(({ start, end }) => end > start);
  const leafValue = (path: string) => leaves.find((leaf) => leaf.path === path)?.value;
  const release = releaseOfHeaderVersion((leafValue('header/version') as number | undefined) ?? -1);
  const type = leafValue('header/msgType') as number | undefined;
  const messageName = release === null || type === undefined ? null : messageTypeName(type, release);
  return {
    release,
    messageName,
    fields: withoutGaps(leaves, bytes, stop?.offset ?? null),
    stopped: stop,
    bytes,
  };
}

/** Decodes into the trace; says where and why it could not go on. */
function decodeAll(bytes: Uint8Array, trace: { path: string[]; spans: Span[] }): Dissection['stopped'] {
  // The length word is judged last, so that a frame that was cut off shows what is there of it.
  const patched = Uint8Array.from(bytes);
  const announced =
    bytes.length < LENGTH_WORD ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (bytes.length >= LENGTH_WORD) new DataView(patched.buffer).setUint32(0, bytes.length - LENGTH_WORD);
  let stopped: Dissection['stopped'] = null;
  try {
    const { release, messageName, body } = decodeFrame(patched, trace);
    const bodyStart = bytes.length - body.length;
    stopped = decodeBodyAt(bodyStart, body, messageName, release, trace.spans);
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown;
    stopped = { offset: thrown.offset ?? 0, reason: thrown.summary };
  }
  const first = trace.spans[0];
  if (first?.path === 'length') trace.spans[0] = { ...first, value: announced };
  if (bytes.length >= LENGTH_WORD && announced !== bytes.length - LENGTH_WORD) {
    const reason = `the length word says ${announced}, ${bytes.length - LENGTH_WORD} bytes follow`;
    return stopped === null
      ? { offset: bytes.length, reason }
      : { ...stopped, reason: `${stopped.reason}; ${reason}` };
  }
  return stopped;
}

function decodeBodyAt(
  start: number,
  body: Uint8Array,
  name: string | null,
  release: Release,
  spans: Span[],
): Dissection['stopped'] {
  if (!isMessageName(name)) {
    if (body.length === 0) return null;
    return { offset: start, reason: `${name ?? 'this message'} has no description` };
  }
  const inner: Span[] = [];
  let stopped: Dissection['stopped'] = null;
  try {
    decodeBody(name, release, body, { path: [], spans: inner });
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown;
    stopped = { offset: start + (thrown.offset ?? 0), reason: thrown.summary };
  }
  for (const span of inner) {
    spans.push({ ...span, path: `body/${span.path}`, start: start + span.start, end: start + span.end });
  }
  return stopped;
}

function withoutGaps(leaves: readonly Span[], bytes: Uint8Array, stoppedAt: number | null): Span[] {
  const fields: Span[] = [];
  let at = 0;
  const fill = (end: number, path: string) => {
    if (end > at) fields.push({ path, start: at, end, value: bytes.subarray(at, end) });
    at = Math.max(at, end);
  };
  for (const leaf of [...leaves].sort((a, b) => a.start - b.start)) {
    if (leaf.start < at) continue;
    fill(leaf.start, countPath(leaf.path));
    fields.push(leaf);
    at = leaf.end;
  }
  const last = fields.at(-1)?.path ?? '';
  if (stoppedAt !== null)
    fill(Math.min(stoppedAt, bytes.length), at < LENGTH_WORD ? 'length' : `behind ${last}`);
  fill(bytes.length, at < LENGTH_WORD ? 'length' : stoppedAt === null ? `behind ${last}` : NOT_DECODED);
  return fields;
}

/** Bytes without a span are the count of the list whose first item follows, or stand before a field that is `next`. */
function countPath(next: string): string {
  const list = /^(.*?)\/0(\/|$)/.exec(next);
  if (list !== null) return `${list[1]} (count)`;
  return next.startsWith('header/') ? 'header/returnList (count)' : `before ${next}`;
}

/**
 * A frame as text, one line per 16 bytes of each field: offset, bytes, field, value. The last line says where decoding stopped.
 *
 * ```
 * 0000  00 00 00 8c                                      length              140
 * 0004  26 00                                            header/version      9728 0x2600 22.05
 * ```
 *
 * @param frame length word included; whole, cut off, or something else altogether.
 */
export function annotate(frame: Uint8Array): string {
  const { fields, stopped, bytes, release } = dissect(frame);
  const width = Math.max(12, ...fields.map(({ path }) => path.length));
  const lines: string[] = [];
  for (const field of fields) {
    for (let at = field.start; at < field.end; at += 16) {
      const row = hex(bytes.subarray(at, Math.min(at + 16, field.end)));
      const about = at === field.start ? `${field.path.padEnd(width)}  ${showField(field, release)}` : '';
      lines.push(`${offset(at)}  ${row.padEnd(47)}  ${about}`.trimEnd());
    }
  }
  if (stopped !== null) lines.push(`${offset(stopped.offset)}  stopped: ${stopped.reason}`);
  return lines.join('\n');
}

/** The field that a byte of a dissected frame belongs to. */
export function fieldAt({ fields }: Dissection, at: number): Span | undefined {
  return fields.find(({ start, end }) => at >= start && at < end);
}

/** A field's value for people: short, on one line. */
export function showField({ path, value }: Span, release: Release | null): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'number') {
    const named =
      path === 'header/version'
        ? releaseOfHeaderVersion(value)
        : path === 'header/msgType' && release !== null
          ? messageTypeName(value, release)
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
