/**
 * How far two clocks are apart, from one answer that has the second in it in which it was made.
 *
 * RESPONSE_BUILD_INFO has that (`_fill_ctld_conf` of slurmctld, 20.11 to 26.05), whatever protocol is spoken; a credential of the
 * controller's munged would say the same as exactly, and only protocols before 23.02 bring one.
 */

/** Between which bounds the controller's clock is ahead of this host's, in milliseconds. Negative: it is behind. */
export interface ClockSkew {
  readonly atLeastMs: number;
  readonly atMostMs: number;
}

/**
 * @param told whole seconds since 1970 in the answer.
 * @param askedAt this host's clock before the question left, in milliseconds since 1970.
 * @param answeredAt the same when the answer was here.
 */
export function clockSkew(told: number, askedAt: number, answeredAt: number): ClockSkew {
  return { atLeastMs: told * 1_000 - answeredAt, atMostMs: (told + 1) * 1_000 - askedAt };
}

export type SkewVerdict = 'same' | 'apart' | 'too-far';

/** From here on it is worth a word, in milliseconds: clocks that are kept by NTP differ by less. */
const WORTH_A_WORD_MS = 5_000;

/**
 * @param lifetimeMs how long a credential lives. munged takes one whose clock is ahead by as much, and one that is behind until it expires.
 */
export function judgeSkew({ atLeastMs, atMostMs }: ClockSkew, lifetimeMs: number): SkewVerdict {
  // The smallest difference that the answer allows.
  const surely = atLeastMs > 0 ? atLeastMs : atMostMs < 0 ? -atMostMs : 0;
  if (surely >= lifetimeMs / 2) return 'too-far';
  return surely >= WORTH_A_WORD_MS ? 'apart' : 'same';
}

/** `between 0.4 s behind and 0.6 s ahead`. */
export function showSkew({ atLeastMs, atMostMs }: ClockSkew): string {
  return `between ${showOne(atLeastMs)} and ${showOne(atMostMs)}`;
}

function showOne(ms: number): string {
  return `${(Math.abs(ms) / 1_000).toFixed(1)} s ${ms < 0 ? 'behind' : 'ahead'}`;
}
