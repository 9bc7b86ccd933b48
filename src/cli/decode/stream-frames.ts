/** Frames out of a byte stream that may have gaps. */
import { LENGTH_WORD, MAX_FRAME_LENGTH } from '../../protocol/frame.js';
import { joined } from '../../replay/conversation.js';
import { maskRuns } from '../../replay/secrets.js';
import type { StreamPiece } from '../capture/tcp-reassembly.js';

/** A frame of a stream, or what stands there in place of one. */
export interface StreamFrame {
  /** Where it begins in its stream. */
  readonly offset: number;
  /** When its first byte came; microseconds since 1970, or since the recording began. */
  readonly atUs: number;
  /** Its bytes from the length word on, up to its end or the first that is missing. Credentials are still in it. */
  readonly bytes: Uint8Array;
  /** Bytes behind the first gap, with what may be of a credential masked; offsets are within the frame. */
  readonly behindGap: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Bytes missing up to its end, or up to the last one that is known of. */
  readonly missing: number;
  /** False for bytes at which no frame can begin: the stream is not taken apart any further. */
  readonly isFrame: boolean;
}

/** A stream as `StreamPiece`s; `length` counts what is missing at its end too. */
export interface PiecewiseStream {
  readonly pieces: readonly StreamPiece[];
  readonly length: number;
}

/** Frames one after the other. Ends with what no frame can be taken from. */
export function* framesOf({ pieces, length }: PiecewiseStream, anyVersion = false): Generator<StreamFrame> {
  let at = 0;
  let index = 0;
  while (at < length) {
    while (index < pieces.length && endOf(pieces[index] as StreamPiece) <= at) index++;
    if (index >= pieces.length) return;
    const announced = frameLengthAt(pieces, index, at, anyVersion);
    const end = announced === null ? length : at + LENGTH_WORD + announced;
    yield cutOut(pieces, index, { from: at, to: end, streamEnd: length, isFrame: announced !== null });
    at = end;
  }
}

const endOf = (piece: StreamPiece) => piece.at + piece.bytes.length;

/** Versions from 15.08 (0x1d00) on to some that are not there yet; their low byte is 0. */
const isVersion = (version: number) => version >= 0x1d00 && version <= 0x6000 && (version & 0xff) === 0;

/** What the length word at `at` says, or `null` where none is, or none of a frame. */
function frameLengthAt(
  pieces: readonly StreamPiece[],
  index: number,
  at: number,
  anyVersion: boolean,
): number | null {
  const head: number[] = [];
  for (let next = index; next < pieces.length && head.length < LENGTH_WORD + 2; next++) {
    const piece = pieces[next] as StreamPiece;
    const start = at + head.length - piece.at;
    if (start < 0) break; // a gap
    head.push(...piece.bytes.subarray(start, start + LENGTH_WORD + 2 - head.length));
  }
  if (head.length < LENGTH_WORD) return null;
  const [b0, b1, b2, b3, v0, v1] = head as [number, number, number, number, number?, number?];
  const length = b0 * 2 ** 24 + b1 * 2 ** 16 + b2 * 2 ** 8 + b3;
  if (length > MAX_FRAME_LENGTH || length < 2) return null;
  if (v0 === undefined || v1 === undefined || anyVersion) return length;
  return isVersion((v0 << 8) | v1) ? length : null;
}

function cutOut(
  pieces: readonly StreamPiece[],
  index: number,
  { from, to, streamEnd, isFrame }: { from: number; to: number; streamEnd: number; isFrame: boolean },
): StreamFrame {
  // Stretches without a gap: a credential may go over the border of two packets.
  const stretches: { readonly offset: number; readonly parts: Uint8Array[] }[] = [];
  let end = -1;
  let there = 0;
  for (let next = index; next < pieces.length; next++) {
    const piece = pieces[next] as StreamPiece;
    if (piece.at >= to) break;
    const start = Math.max(from, piece.at);
    const bytes = piece.bytes.subarray(start - piece.at, to - piece.at);
    there += bytes.length;
    if (start === end) stretches.at(-1)?.parts.push(bytes);
    else stretches.push({ offset: start - from, parts: [bytes] });
    end = start + bytes.length;
  }
  const all = stretches.map(({ offset, parts }) => ({ offset, bytes: joined(parts) }));
  const whole = all[0]?.offset === 0 ? all.shift() : undefined;
  for (const { bytes } of all) maskRuns(bytes, 0);
  return {
    offset: from,
    atUs: pieces[index]?.atUs ?? 0,
    bytes: whole?.bytes ?? new Uint8Array(0),
    behindGap: all,
    missing: Math.min(to, Math.max(streamEnd, end)) - from - there,
    isFrame,
  };
}
