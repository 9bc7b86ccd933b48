/** Decoded frames for people and for programs. */
import type { Dissection } from '../../replay/annotate.js';
import { annotateDissection, hexLines } from '../../replay/annotate.js';
import { safeText } from '../safe-text.js';
import type { DecodeInput, InputFrame } from './input.js';

/** How much is shown. */
export interface ShowOptions {
  /** The bytes themselves. */
  readonly hex: boolean;
  /** Of each frame. */
  readonly maxBytes: number;
}

/** First line of a frame: `> REQUEST_KILL_JOB, 22.05, 276 bytes, 2026-11-22T10:00:00.123456Z`. */
export function titleOf(frame: InputFrame, dissection: Dissection, { hasDates, kind }: DecodeInput): string {
  const { direction, offset, bytes, missing, behindGap, atUs, isFrame } = frame;
  const { messageName, release } = dissection;
  const length = bytes.length + behindGap.reduce((sum, gap) => sum + gap.bytes.length, 0) + missing;
  const facts = [
    messageName ?? (isFrame ? 'a frame' : 'no frame begins here'),
    release ?? 'unknown version',
    `${length} bytes${offset === 0 ? '' : ` from byte ${offset} on`}`,
    ...(missing > 0 ? [`${missing} of them missing`] : []),
    ...(kind === 'frames' || kind === 'body' ? [] : [hasDates ? dateOf(atUs) : `after ${atUs / 1000} ms`]),
  ];
  return safeText(`${direction === null ? '' : `${direction} `}${facts.join(', ')}`);
}

/** The frame below its title, indented. */
export function frameLines(frame: InputFrame, dissection: Dissection, options: ShowOptions): string[] {
  const lines = annotateDissection(dissection, options);
  let end = frame.bytes.length;
  for (const { offset, bytes } of frame.behindGap) {
    if (offset > end) lines.push(`${hexOffset(end)}  … ${offset - end} bytes are missing in the capture`);
    end = offset + bytes.length;
    if (!options.hex) lines.push(`${hexOffset(offset)}  ${bytes.length} bytes, not decoded`);
    else
      lines.push(
        ...cut(hexLines(bytes.subarray(0, options.maxBytes), offset, 'behind the gap', true), bytes, options),
      );
  }
  return lines.map((line) => `  ${safeText(line)}`);
}

function cut(lines: string[], bytes: Uint8Array, { maxBytes }: ShowOptions): string[] {
  return bytes.length <= maxBytes ? lines : [...lines, `… ${bytes.length - maxBytes} bytes more`];
}

/** One frame for `--json`. Byte blocks become hex, and 64-bit numbers text, when it is written. */
export function frameDocument(
  frame: InputFrame,
  dissection: Dissection,
  input: DecodeInput,
  options: ShowOptions,
) {
  const { connection, direction, index, offset, atUs, bytes, behindGap, missing, isFrame } = frame;
  const { release, messageName, auth, body, fields, stopped } = dissection;
  const { hex, maxBytes } = options;
  const shown = fields.filter(({ start }) => start === 0 || start < maxBytes);
  return {
    connection: connection?.index ?? null,
    direction,
    index,
    offset,
    time: input.hasDates ? dateOf(atUs) : null,
    elapsedMs: input.kind === 'fixture' ? atUs / 1000 : null,
    isFrame,
    length: bytes.length,
    missing,
    release,
    message: messageName,
    auth,
    stopped,
    body,
    fields: shown.map(({ path, start, end, value, isSecret }) => ({
      path,
      start,
      end,
      ...(isSecret ? { redacted: true } : { value: value instanceof Uint8Array ? null : value }),
      ...(hex && !isSecret ? { hex: dissection.bytes.subarray(start, Math.min(end, start + maxBytes)) } : {}),
    })),
    fieldsLeftOut: fields.length - shown.length,
    behindGap: behindGap.map((gap) => ({
      offset: gap.offset,
      length: gap.bytes.length,
      ...(hex ? { hex: gap.bytes.subarray(0, maxBytes) } : {}),
    })),
  };
}

/** ISO 8601 with microseconds. */
function dateOf(atUs: number): string {
  const date = new Date(Math.floor(atUs / 1000));
  if (Number.isNaN(date.getTime())) return 'no date';
  return date.toISOString().replace('Z', `${String(Math.floor(atUs % 1000)).padStart(3, '0')}Z`);
}

function hexOffset(at: number): string {
  return at.toString(16).padStart(4, '0');
}
