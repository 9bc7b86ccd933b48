/** The inputs that each reached something new, and which of them is changed next. */
import type { Random } from './random.js';

/** An input and what is known of it. */
export interface Entry {
  readonly bytes: Uint8Array;
  /** How much it reached that nothing before it had. */
  readonly found: number;
  /** Where its fields begin; empty where that is not known. */
  readonly fields: readonly number[];
  /** How often it was changed into another. */
  chosen: number;
}

export class Corpus {
  readonly entries: Entry[] = [];

  add(entry: Omit<Entry, 'chosen'>): void {
    this.entries.push({ ...entry, chosen: 0 });
  }

  /** Newer ones, smaller ones and those seldom chosen come first, the others now and then. */
  choose(random: Random): Entry {
    const { entries } = this;
    const recent = random.oneIn(4) ? Math.min(entries.length, 32) : entries.length;
    let best: Entry | undefined;
    let bestEnergy = -1;
    for (let i = 0; i < 3; i++) {
      const entry = entries[entries.length - 1 - random.below(recent)] as Entry;
      const energy = energyOf(entry);
      if (energy > bestEnergy) [best, bestEnergy] = [entry, energy];
    }
    const chosen = best as Entry;
    chosen.chosen++;
    return chosen;
  }
}

/** Not of the time that it took: a seed would not give the same run then. */
function energyOf({ bytes, found, chosen }: Entry): number {
  return (1 + Math.log2(1 + found)) / ((1 + Math.log2(1 + chosen)) * (1 + bytes.length / 4096));
}

/**
 * The fewest and smallest inputs that together reach what all of them do, nearly: each feature keeps the smallest input that has it, and of
 * those the ones that others make needless are dropped.
 *
 * @param signatureOf what an input reaches.
 */
export async function minimised(
  inputs: readonly Uint8Array[],
  signatureOf: (input: Uint8Array) => Promise<Uint32Array>,
): Promise<Uint8Array[]> {
  const bySize = inputs.toSorted((a, b) => a.length - b.length);
  const signatures: Uint32Array[] = [];
  const owner = new Map<number, number>();
  for (const [index, input] of bySize.entries()) {
    const signature = await signatureOf(input);
    signatures.push(signature);
    for (const feature of signature) if (!owner.has(feature)) owner.set(feature, index);
  }
  const covered = new Set<number>();
  const kept: number[] = [];
  // The largest first: what they reach besides needs no small input of its own.
  for (const index of [...new Set(owner.values())].sort((a, b) => b - a)) {
    const signature = signatures[index] as Uint32Array;
    if (!signature.some((feature) => owner.get(feature) === index && !covered.has(feature))) continue;
    for (const feature of signature) covered.add(feature);
    kept.push(index);
  }
  return kept.sort((a, b) => a - b).map((index) => bySize[index] as Uint8Array);
}
