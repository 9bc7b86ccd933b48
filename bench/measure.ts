/** What a measure is, and what it yields. A measure is a file in `bench/measures/`, listed in `measures.ts`. */
import type { Pairing } from './paired.js';

/** One row of the table: a figure of ours beside that of one peer, measured in the same run. */
export interface Row {
  /** What was measured: `kills per second`. */
  readonly what: string;
  /** On what: `slurmctld 22.05.8`, `minimal responder`, `8,192 nodes`. */
  readonly on: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly ours: number;
  /** Beside whom: `libslurm, 8 threads`. `null` where the target is a plain bound. */
  readonly peer: string | null;
  readonly theirs: number | null;
  /** ours / theirs: the median of the rounds' ratios, not the ratio of the medians. */
  readonly ratio: number | null;
  readonly target: Target | null;
  /** Anything the reader must know to judge the figure. */
  readonly note?: string | undefined;
}

/** A bound of the ratio, or of our own figure where there is no peer. */
export interface Target {
  readonly at: 'most' | 'least';
  readonly bound: number;
}

export interface Measured {
  readonly rows: readonly Row[];
  /** Everything that was measured, for `bench/results/`: samples, settings, counts. */
  readonly raw: unknown;
}

export interface BenchContext {
  /** How many rounds the contestants play; a measure may need fewer. */
  readonly rounds: number;
  /** Smaller numbers of everything: whether the programs work, not what they measure. */
  readonly isQuick: boolean;
  /** What goes on, to stderr. */
  log(line: string): void;
}

export interface Measure {
  /** Its name on the command line and the name of its file. */
  readonly name: string;
  readonly title: string;
  run(context: BenchContext): Promise<Measured>;
}

export function atMost(bound: number): Target {
  return { at: 'most', bound };
}

export function atLeast(bound: number): Target {
  return { at: 'least', bound };
}

/** Whether the target is met; `null` where there is none. */
export function isMet(row: Row): boolean | null {
  if (row.target === null) return null;
  const figure = row.ratio ?? row.ours;
  return row.target.at === 'most' ? figure <= row.target.bound : figure >= row.target.bound;
}

/** A row for each peer of a pairing. */
export function rowsBeside<Name extends string>(
  common: Pick<Row, 'what' | 'on' | 'unit' | 'note'>,
  pairing: Pairing<Name>,
  us: NoInfer<Name>,
  targets: { readonly [N in Name]?: Target | null },
): Row[] {
  const peers = (Object.keys(pairing.samples) as Name[]).filter((name) => name !== us);
  return peers.map((peer) => ({
    ...common,
    ours: pairing.median(us),
    peer,
    theirs: pairing.median(peer),
    ratio: pairing.ratio(us, peer),
    target: targets[peer] ?? null,
  }));
}
