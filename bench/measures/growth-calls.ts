/** How cost grows with the calls in flight: so many at once, on an embedded controller in a process of its own. */
import { Child } from '../growth/child.js';
import type { ClientActions, WaveCost } from '../growth/client-program.js';
import type { ClusterActions } from '../growth/cluster-program.js';
import { type Chart, growthRows, type Series } from '../growth/curve.js';
import type { BenchContext, Measure, Measured } from '../measure.js';
import { median, quantile } from '../paired.js';

export const growthCalls: Measure = {
  name: 'growth-calls',
  title: 'how cost grows with the calls in flight',
  run,
};

const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

async function run({ rounds, isQuick, log }: BenchContext): Promise<Measured> {
  const sizes = SIZES.filter((n) => n <= (isQuick ? 50 : Number.POSITIVE_INFINITY));
  await using cluster = new Child<ClusterActions>('cluster-program.js');
  await using client = new Child<ClientActions>('client-program.js');
  const place = await cluster.ask('start', { release: '26.05' });
  await client.ask('connect', { place });
  const [job = 0] = await cluster.ask('submit', { count: 1 });
  const waves: Record<number, WaveCost[]> = {};
  for (let round = -1; round < rounds; round++) {
    for (const n of sizes) {
      // As many calls at least as the largest wave has in ten.
      const times = round < 0 ? 3 : Math.max(3, Math.ceil(100 / n));
      for (let time = 0; time < times; time++) {
        const wave = await client.ask('wave', { job, calls: n });
        if (round >= 0) waves[n] = [...(waves[n] ?? []), wave];
      }
    }
    log(`  round ${round} of ${rounds}`);
  }
  const series = (name: string, of: (waves: readonly WaveCost[], n: number) => number): Series => ({
    name,
    points: sizes.map((n) => [n, of(waves[n] ?? [], n)] as const),
  });
  const latency = (share: number) => (all: readonly WaveCost[]) =>
    quantile(
      all.flatMap(({ latencies }) => latencies),
      share,
    );
  const x = 'calls at once';
  const on = 'embedded controller 26.05';
  const time: Chart = {
    file: 'calls',
    title: `killJob by number of calls at once, ${on}`,
    ...{ x, y: 'time', unit: 'ms' },
    series: [
      series('until all are answered', (all) => median(all.map(({ ms }) => ms))),
      series('CPU time of the client', (all) => median(all.map(({ cpuMs }) => cpuMs))),
      series('latency of a call, p99', latency(0.99)),
      series('latency of a call, p50', latency(0.5)),
    ],
  };
  const rate: Chart = {
    file: 'calls-rate',
    title: `Calls per second by number of calls at once, ${on}`,
    ...{ x, y: 'calls per second', unit: 'per second', isLinearShown: false },
    series: [series('killJob', (all, n) => median(all.map(({ ms }) => (1000 * n) / ms)))],
  };
  const memory: Chart = {
    file: 'calls-memory',
    title: 'Memory of the client, garbage included, by number of calls at once',
    ...{ x, y: 'most memory in use', unit: 'bytes' },
    series: [series('heap and buffers', (all) => median(all.map((one) => one.memory)))],
  };
  const rates = rate.series[0]?.points ?? [];
  return {
    rows: [
      ...growthRows('growth: by calls in flight', time),
      {
        what: 'calls per second',
        on: `${rates.at(-1)?.[0]} at once`,
        unit: '/s',
        ours: rates.at(-1)?.[1] ?? Number.NaN,
        peer: null,
        theirs: null,
        ratio: null,
        target: null,
        note: rates.map(([n, perSecond]) => `${n}: ${perSecond.toFixed(0)}`).join(', '),
      },
    ],
    raw: { charts: [time, rate, memory], samples: waves },
  };
}
