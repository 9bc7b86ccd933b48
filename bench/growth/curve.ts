/** Measured curves, as they are kept in `bench/results/` and drawn into `docs/performance/`. */
import { atMost, type Row } from '../measure.js';
import { exponent, LINEAR, type Point } from './fit.js';

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Chart {
  /** Its name in docs/performance/, without `.svg`. */
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Of `y`, for the labels of the scale. */
  readonly unit: 'ms' | 'per second' | 'bytes';
  readonly series: readonly Series[];
  /** Whether a line is drawn that shows what linear would be. Default: it is. */
  readonly isLinearShown?: boolean;
}

/** A row for the exponent of each series. */
export function growthRows(what: string, { series }: Chart): Row[] {
  return series.map(({ name, points }) => ({
    what,
    on: name,
    unit: '(exponent)',
    ours: exponent(points),
    peer: null,
    theirs: null,
    ratio: null,
    target: atMost(LINEAR),
    note: `${points.map(([n, cost]) => `${n.toLocaleString('en-US')}: ${short(cost)}`).join(', ')}`,
  }));
}

function short(ms: number): string {
  return ms >= 1000
    ? `${(ms / 1000).toPrecision(3)} s`
    : `${ms >= 100 ? ms.toFixed(0) : ms.toPrecision(2)} ms`;
}
