/**
 * What decodes must encode back to the same bytes. Where upstream's readers take several bytes for one value, the writer writes one of them: those
 * places are declared here, and whatever else differs is a fault.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Span } from '../../src/protocol/byte-reader.js';
import { Broken } from './target.js';

/** A way from bytes to spans and back. */
export interface BothWays<T> {
  decode(bytes: Uint8Array, spans: Span[]): T;
  encode(value: T): Uint8Array;
}

/** Throws {@link Broken} where the bytes that came back are others, and not for a declared reason. */
export function checkRoundTrip<T>(
  bytes: Uint8Array,
  value: T,
  spans: readonly Span[],
  ways: BothWays<T>,
): void {
  let again: Uint8Array;
  try {
    again = ways.encode(value);
  } catch (error) {
    throw new Broken(`what was decoded is refused by the encoder: ${(error as Error).message}`);
  }
  if (Buffer.compare(bytes, again) === 0) return;
  const spansAgain: Span[] = [];
  const valueAgain = ways.decode(again, spansAgain);
  if (!isDeepStrictEqual(value, valueAgain)) {
    throw new Broken(`decoded, encoded and decoded again it is another record`);
  }
  if (spans.length !== spansAgain.length)
    throw new Broken(`encoded again it has ${spansAgain.length} fields instead of ${spans.length}`);
  for (const [i, span] of spans.entries()) {
    const other = spansAgain[i] as Span;
    if (span.path !== other.path) throw new Broken(`encoded again, ${span.path} is ${other.path}`);
    const before = bytes.subarray(span.start, span.end);
    const after = again.subarray(other.start, other.end);
    if (Buffer.compare(before, after) !== 0 && !isDeclared(span, before)) {
      throw new Broken(`encoded again, ${span.path} is other bytes`);
    }
  }
}

/** Several bytes that mean the same. */
function isDeclared({ path, value }: Span, bytes: Uint8Array): boolean {
  // Any byte but 0 is true, or says that something follows.
  if (typeof value === 'boolean' || path.endsWith(' (present)')) return true;
  // A NaN has many forms.
  if (typeof value === 'number' && Number.isNaN(value)) return true;
  // A string ends at its first NUL, whatever stands behind it.
  return typeof value === 'string' && bytes.subarray(4, -1).includes(0);
}
