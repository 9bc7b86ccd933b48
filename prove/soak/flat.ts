/** Whether a measure stays flat over a run, decided by statistics that a few odd samples cannot turn. */

/** What is allowed of one measure. */
export interface Bound {
  /** How much it may grow from the end of the warm-up to the end of the run. */
  readonly growth: number;
  readonly unit: 'bytes' | 'count';
}

/** What became of one measure. */
export interface Trend {
  readonly name: string;
  readonly bound: Bound;
  /** Medians of the first and the last quarter of the samples. */
  readonly from: number;
  readonly to: number;
  /** Theil–Sen slope (median of the slopes between all pairs of samples) times the calls of the whole run. */
  readonly growth: number;
  /** Lower end of its 95 % confidence interval, times the calls of the whole run. */
  readonly surely: number;
  readonly isFlat: boolean;
}

/** Fewer samples than this prove nothing. */
export const LEAST_SAMPLES = 6;

/**
 * A measure is flat unless it surely grows (the slope's confidence interval lies above zero) and by more than the bound.
 *
 * @param at calls made until each sample, rising.
 * @param values one per sample.
 * @throws RangeError for fewer than {@link LEAST_SAMPLES}.
 */
export function trendOf(name: string, at: readonly number[], values: readonly number[], bound: Bound): Trend {
  if (at.length < LEAST_SAMPLES || at.length !== values.length)
    throw new RangeError(`${at.length} samples of ${name}, at least ${LEAST_SAMPLES} are needed`);
  const slopes = pairwiseSlopes(at, values);
  const run = (at.at(-1) as number) - (at[0] as number);
  const growth = quantile(slopes, 0.5) * run;
  const surely = lowerSlope(slopes, at.length) * run;
  const quarter = Math.max(1, Math.floor(values.length / 4));
  return {
    name,
    bound,
    from: median(values.slice(0, quarter)),
    to: median(values.slice(-quarter)),
    growth,
    surely,
    isFlat: !(growth > bound.growth && surely > 0),
  };
}

function pairwiseSlopes(at: readonly number[], values: readonly number[]): number[] {
  const slopes: number[] = [];
  for (let i = 0; i < at.length; i++) {
    for (let j = i + 1; j < at.length; j++)
      slopes.push(((values[j] as number) - (values[i] as number)) / ((at[j] as number) - (at[i] as number)));
  }
  return slopes.sort((a, b) => a - b);
}

/** Sen's interval: ranks around the median, by the variance of Kendall's S without ties. */
function lowerSlope(sorted: readonly number[], samples: number): number {
  const deviation = Math.sqrt((samples * (samples - 1) * (2 * samples + 5)) / 18);
  const rank = Math.floor((sorted.length - 1.96 * deviation) / 2);
  return sorted[Math.max(0, rank)] as number;
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** @param sorted rising. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
  return low + (high - low) * (place - Math.floor(place));
}
