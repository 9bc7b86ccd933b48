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
  const traced: Span[] = [];
  const valueAgain = ways.decode(again, traced);
  if (!isDeepStrictEqual(value, valueAgain)) {
    throw new Broken(`decoded, encoded and decoded again it is another record`);
  }
  const [first, second] = [comparedOf(spans), comparedOf(traced)];
  if (first.length !== second.length)
    throw new Broken(`encoded again it has ${second.length} fields instead of ${first.length}`);
  for (const [i, span] of first.entries()) {
    const other = second[i] as Span;
    if (span.path !== other.path) throw new Broken(`encoded again, ${span.path} is ${other.path}`);
    const before = bytes.subarray(span.start, span.end);
    const after = again.subarray(other.start, other.end);
    if (Buffer.compare(before, after) !== 0 && !isDeclared(span, before)) {
      throw new Broken(`encoded again, ${span.path} is other bytes`);
    }
  }
}

/**
 * All but what the records being equal has shown already: marks that something follows (any byte but 0; and of the cluster record's two marks
 * since 24.11 either says that there is none), lengths, which follow from the rest, and of a field that stands twice (`again`) the places before the
 * last, which counts.
 */
function comparedOf(spans: readonly Span[]): Span[] {
  const last = new Map(spans.map((span) => [span.path, span]));
  return [...last.values()].filter(({ path }) => !path.endsWith(' (present)') && path !== 'length');
}

/** Several bytes that mean the same. */
function isDeclared({ value }: Span, bytes: Uint8Array): boolean {
  // Any byte but 0 is true.
  if (typeof value === 'boolean') return true;
  // A NaN has many forms.
  if (typeof value === 'number' && Number.isNaN(value)) return true;
  // A string ends at its first NUL, whatever stands behind it.
  return typeof value === 'string' && bytes.subarray(4, -1).includes(0);
}
