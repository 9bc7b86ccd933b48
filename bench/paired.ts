/** Contestants side by side: these machines are shared, so only what was measured in the same minute is compared. */

/** One turn of a contestant; resolves to its figure. */
export type Turn = (round: number) => Promise<number> | number;

export class Pairing<Name extends string> {
  /** The figures of each contestant, a round after the other. */
  readonly samples: Readonly<Record<Name, readonly number[]>>;

  constructor(samples: Readonly<Record<Name, readonly number[]>>) {
    this.samples = samples;
  }

  median(name: Name): number {
    return median(this.samples[name]);
  }

  /** The median of the rounds' ratios: what slowed a whole round slows both. */
  ratio(one: Name, other: Name): number {
    const others = this.samples[other];
    return median(this.samples[one].map((sample, round) => sample / (others[round] ?? Number.NaN)));
  }

  toJSON(): unknown {
    return this.samples;
  }
}

/**
 * Plays `rounds` rounds after one that does not count. In every other round the order is reversed, so that nobody always comes
 * after the same neighbour.
 */
export async function playRounds<Name extends string>(
  rounds: number,
  turns: Readonly<Record<Name, Turn>>,
  warmUp = 1,
): Promise<Pairing<Name>> {
  const names = Object.keys(turns) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const figure = await turns[name](round);
      if (round >= 0) samples[name].push(figure);
    }
  }
  return new Pairing(samples);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** By linear interpolation between the two nearest; `NaN` of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}
