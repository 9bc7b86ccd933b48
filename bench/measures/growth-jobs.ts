/** How cost grows with the number of jobs, on an embedded controller in a process of its own. */
import { Child } from '../growth/child.js';
import type { ClientActions, Cost } from '../growth/client-program.js';
import type { ClusterActions } from '../growth/cluster-program.js';
import { type Chart, growthRows, type Series } from '../growth/curve.js';
import type { BenchContext, Measure, Measured } from '../measure.js';
import { median } from '../paired.js';

export const growthJobs: Measure = { name: 'growth-jobs', title: 'how cost grows with the jobs', run };

/** Without REQUEST_KILL_JOBS, and with it. */
const RELEASES = ['22.05', '26.05'] as const;
/** More than this is repeated no oftener than thrice. */
const MANY = 1000;

type Verb = {
  readonly name: string;
  readonly hold: boolean;
  /** Most jobs. A termination is some eight requests, and waits. */
  readonly most: number;
  ask(client: Child<ClientActions>, jobs: readonly number[], name: string): Promise<Cost>;
};

const VERBS: readonly Verb[] = [
  { name: 'killJobs, ids', hold: true, most: 10_000, ask: (client, jobs) => client.ask('killJobs', jobs) },
  {
    name: 'killJobs, filter',
    hold: true,
    most: 10_000,
    ask: (client, jobs, name) => client.ask('killJobsNamed', { name, count: jobs.length }),
  },
  { name: 'killJob of each', hold: true, most: 10_000, ask: (client, jobs) => client.ask('killEach', jobs) },
  { name: 'probe of each', hold: true, most: 10_000, ask: (client, jobs) => client.ask('probeEach', jobs) },
  {
    name: 'terminate of each',
    hold: false,
    most: 1_000,
    ask: (client, jobs) => client.ask('terminateEach', jobs),
  },
];

async function run({ rounds, isQuick, log }: BenchContext): Promise<Measured> {
  const charts: Chart[] = [];
  const samples: Record<string, Record<number, Cost[]>> = {};
  for (const release of RELEASES) {
    const time: Series[] = [];
    const cpu: Series[] = [];
    for (const verb of VERBS) {
      const sizes = [1, 10, 100, 1000, 10_000].filter((n) => n <= (isQuick ? 100 : verb.most));
      const costs = await curve(release, verb, sizes, rounds);
      samples[`${release}, ${verb.name}`] = costs;
      const of = (what: keyof Cost): Series => ({
        name: verb.name,
        points: sizes.map((n) => [n, median((costs[n] ?? []).map((cost) => cost[what]))] as const),
      });
      time.push(of('ms'));
      cpu.push(of('cpuMs'));
      log(
        `  ${release}, ${verb.name}: ${of('ms')
          .points.map(([n, ms]) => `${n}: ${ms.toFixed(1)} ms`)
          .join(', ')}`,
      );
    }
    const common = { x: 'jobs', unit: 'ms' } as const;
    const on = `embedded controller ${release}`;
    charts.push(
      { ...common, file: `jobs-${release}`, title: `Time by number of jobs, ${on}`, y: 'time', series: time },
      {
        ...common,
        file: `jobs-cpu-${release}`,
        title: `CPU time of the client by number of jobs, ${on}`,
        y: 'CPU time of the client',
        series: cpu,
      },
    );
  }
  const rows = charts.flatMap((chart) =>
    growthRows(`growth: ${chart.y} by jobs`, chart).map((row) => ({
      ...row,
      on: `${row.on}, ${chart.file.replace(/.*-/, '')}`,
    })),
  );
  return { rows, raw: { charts, samples } };
}

async function curve(
  release: (typeof RELEASES)[number],
  verb: Verb,
  sizes: readonly number[],
  rounds: number,
) {
  await using cluster = new Child<ClusterActions>('cluster-program.js');
  await using client = new Child<ClientActions>('client-program.js');
  const place = await cluster.ask('start', { release, nodes: [{ name: 'n1', cpus: 65_000 }] });
  await client.ask('connect', { place });
  const costs: Record<number, Cost[]> = {};
  for (let round = -1; round < rounds; round++) {
    for (const n of sizes) {
      // What is compiled in the first round does not count.
      if (round === -1 && n > MANY) continue;
      if (round >= 3 && n > MANY) continue;
      const name = `growth-${round}-${n}`;
      const jobs = await cluster.ask('submit', { count: n, name, hold: verb.hold });
      const cost = await verb.ask(client, jobs, name);
      if (round >= 0) costs[n] = [...(costs[n] ?? []), cost];
      await cluster.ask('forget', null);
    }
  }
  return costs;
}
