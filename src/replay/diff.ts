/** The annotated diff of what a client wrote and what was recorded. */
import { LENGTH_WORD } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import { type Dissection, dissect, fieldAt, hex, showField } from './annotate.js';
import { ReplayMismatchError } from './replay-mismatch-error.js';

/** Index of the first byte in which the two differ, or -1. A missing byte differs from any. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : length;
}

/** Where the difference is. */
export interface DiffPlace {
  /** Which connection, from 0. */
  readonly connection: number;
  readonly endpoint: string;
}

/**
 * @param recorded all request bytes of the connection as recorded.
 * @param written all request bytes as written so far; they differ from `recorded` at `at`, or go on where it ends.
 */
export function mismatchOf(
  recorded: Uint8Array,
  written: Uint8Array,
  at: number,
  { connection, endpoint }: DiffPlace,
): ReplayMismatchError {
  const where = `connection ${connection} to ${endpoint}`;
  if (at >= recorded.length) {
    const more = written.length - recorded.length;
    const summary = `${where}: the client writes ${more} bytes more than the ${recorded.length} that were recorded.`;
    return new ReplayMismatchError(`${summary}\n  written   ${context(written, 0, at)}`, {
      connection,
      offset: at,
    });
  }
  const frameStart = startOfFrame(recorded, at);
  const expected = dissect(frameAt(recorded, frameStart));
  const actualFrame = frameAt(written, frameStart);
  const actual = dissect(actualFrame);
  const offset = at - frameStart;
  // Part of a secret that must not be shown: then what stands in its place must not pass for what was written.
  const masked = offset < actualFrame.length && actual.bytes[offset] !== actualFrame[offset];
  const field = fieldAt(expected, offset);
  const path = field?.path ?? '';
  const message =
    expected.messageName === null
      ? ''
      : ` of ${expected.messageName}${expected.release === null ? '' : ` (${expected.release})`}`;
  const lines = [
    `${where}: the request differs from the recorded one at byte ${offset}${path === '' ? '' : `, in field ${path}`}${message}.`,
    `  recorded  ${context(expected.bytes, frameStart, offset)}${valueAt(expected, path, offset)}`,
    masked
      ? `  written   byte ${at}: not shown, it is part of a credential`
      : `  written   ${context(actual.bytes, frameStart, offset)}${valueAt(actual, path, offset)}`,
  ];
  return new ReplayMismatchError(lines.join('\n'), { connection, fieldPath: path, offset });
}

function startOfFrame(stream: Uint8Array, at: number): number {
  const assembler = new FrameAssembler();
  assembler.push(stream);
  let start = 0;
  try {
    for (
      let frame = assembler.take();
      frame !== null && start + frame.length <= at;
      frame = assembler.take()
    ) {
      start += frame.length;
    }
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown; // no frames from here on
  }
  return start;
}

/** The frame that begins there, as far as it is there. */
function frameAt(stream: Uint8Array, start: number): Uint8Array {
  const rest = stream.subarray(start);
  if (rest.length < LENGTH_WORD) return rest;
  const length = LENGTH_WORD + new DataView(rest.buffer, rest.byteOffset).getUint32(0);
  return length < rest.length ? rest.subarray(0, length) : rest;
}

/** A few bytes around the differing one, which stands in brackets. */
function context(frame: Uint8Array, frameStart: number, offset: number): string {
  const from = Math.max(0, offset - 8);
  const before = hex(frame.subarray(from, offset));
  const byte = frame[offset];
  const here = byte === undefined ? '[none]' : `[${byte.toString(16).padStart(2, '0')}]`;
  const after = hex(frame.subarray(offset + 1, offset + 9));
  return `byte ${frameStart + offset}: ${[before, here, after].filter((part) => part !== '').join(' ')}`;
}

function valueAt(dissection: Dissection, path: string, offset: number): string {
  const field = dissection.fields.find((candidate) => candidate.path === path) ?? fieldAt(dissection, offset);
  if (field === undefined || field.path === '') return '';
  const reached = dissection.stopped === null || offset < dissection.stopped.offset;
  const note = reached
    ? ''
    : `   (decoding stopped at byte ${dissection.stopped?.offset}: ${dissection.stopped?.reason})`;
  return `   ${field.path} = ${showField(field, dissection.release)}${note}`;
}
