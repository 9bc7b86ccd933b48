/** What all records of an answer are made with. */
import { isAtLeast, type Release } from '../../../protocol/release.js';
import type { BitString } from '../../../protocol/wire-type.js';
import { nowSeconds, type World } from '../../model/world.js';

export interface RecordContext {
  readonly world: World;
  /** Release of the daemon, by which contents differ. */
  readonly own: Release;
  /** Protocol of the answer, by which fields do. */
  readonly release: Release;
  /** Of the request, see `show-flags.ts`. */
  readonly showFlags: number;
  /** Seconds since 1970. */
  readonly now: number;
}

/** @param call of a request, as handlers get it. */
export function contextOf(
  { world, own, release }: Pick<RecordContext, 'world' | 'own' | 'release'>,
  showFlags = 0,
): RecordContext {
  return { world, own, release, showFlags, now: nowSeconds() };
}

/** Whether the peer takes the fields that came with a release. */
export function isCarried({ release }: RecordContext, since: Release): boolean {
  return isAtLeast(release, since);
}

/** Positions of nodes in the node table. */
export function nodeBits({ nodeIndex }: World, nodes: readonly string[]): BitString {
  const set = nodes.flatMap((name) => nodeIndex.get(name) ?? []).sort((a, b) => a - b);
  return { size: nodeIndex.size, set };
}

/** Values that stand next to each other and are the same, once each, and how many there are. */
export function runLengths(values: readonly number[]): {
  readonly values: number[];
  readonly reps: number[];
} {
  const runs = { values: [] as number[], reps: [] as number[] };
  for (const value of values) {
    const last = runs.values.length - 1;
    if (runs.values[last] === value) runs.reps[last] = (runs.reps[last] as number) + 1;
    else {
      runs.values.push(value);
      runs.reps.push(1);
    }
  }
  return runs;
}
