/** Many calls in batches, a look at this process after each, and a verdict on every measure. */
import { type Trend, trendOf } from './flat.js';
import { boundOf, quiet, type Sample, sample, type Watched } from './measure.js';

export interface SoakPlan {
  readonly name: string;
  readonly calls: number;
  readonly concurrency: number;
  /** By `performance.now()`: no batch is begun after. */
  readonly until: number;
  /** One call; what became of it, in a few words. */
  call(index: number): Promise<string>;
  /** Before each batch. */
  prepare?(): Promise<void>;
  readonly watched?: Watched;
  /** How many classes of objects are counted. Default: as suits the length of the run. */
  readonly classes?: number;
}

export interface SoakReport {
  readonly name: string;
  readonly calls: number;
  readonly asked: number;
  readonly seconds: number;
  readonly became: Readonly<Record<string, number>>;
  readonly samples: readonly { readonly calls: number; readonly sample: Sample }[];
  /** Empty where there were too few samples for a verdict, which is no success. */
  readonly trends: readonly Trend[];
  readonly isFlat: boolean;
}

/** Looks at the process per run, of which the first quarter is warm-up. */
const SAMPLES = 24;
const WARM_UP = 0.25;
/** Of short runs, which prove less: a look takes time. */
const SHORT = { calls: 5_000, samples: 9, classes: 4 } as const;

export async function soak(plan: SoakPlan): Promise<SoakReport> {
  const { name, calls, concurrency, until, watched = {} } = plan;
  const isShort = calls < SHORT.calls;
  const size = Math.max(1, Math.ceil(calls / (isShort ? SHORT.samples : SAMPLES)));
  const became: Record<string, number> = {};
  const samples: { calls: number; sample: Sample }[] = [];
  const startedAt = performance.now();
  let done = 0;
  while (done < calls && performance.now() < until) {
    await plan.prepare?.();
    const end = Math.min(calls, done + size);
    let next = done;
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (next < end) {
          const what = await plan.call(next++);
          became[what] = (became[what] ?? 0) + 1;
        }
      }),
    );
    done = end;
    await quiet();
    samples.push({
      calls: done,
      sample: await sample(watched, plan.classes ?? (isShort ? SHORT.classes : undefined)),
    });
  }
  const trends = trendsOf(samples);
  return {
    name,
    calls: done,
    asked: calls,
    seconds: (performance.now() - startedAt) / 1000,
    became,
    samples,
    trends,
    isFlat: trends.length > 0 && trends.every(({ isFlat }) => isFlat),
  };
}

function trendsOf(samples: SoakReport['samples']): Trend[] {
  const counted = samples.slice(Math.floor(samples.length * WARM_UP));
  if (counted.length < 6) return [];
  const names = new Set(counted.flatMap(({ sample }) => Object.keys(sample)));
  const at = counted.map(({ calls }) => calls);
  return [...names].map((name) =>
    trendOf(
      name,
      at,
      counted.map(({ sample }) => sample[name] ?? 0),
      boundOf(name),
    ),
  );
}
