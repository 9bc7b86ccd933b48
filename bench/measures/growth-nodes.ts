/** How the cost of signalling a job grows with its nodes: embedded slurmds in a process of their own. */
import { Child } from '../growth/child.js';
import type { ClientActions, Cost } from '../growth/client-program.js';
import type { ClusterActions } from '../growth/cluster-program.js';
import { type Chart, growthRows } from '../growth/curve.js';
import type { BenchContext, Measure, Measured } from '../measure.js';
import { median } from '../paired.js';

export const growthNodes: Measure = { name: 'growth-nodes', title: 'how cost grows with the nodes', run };

const SIZES = [1, 4, 16, 64, 256, 1024, 4096, 8192];
const WAYS = ['tree', 'direct'] as const;

async function run({ rounds, isQuick, log }: BenchContext): Promise<Measured> {
  const sizes = SIZES.filter((n) => n <= (isQuick ? 64 : Number.POSITIVE_INFINITY));
  await using cluster = new Child<ClusterActions>('cluster-program.js');
  await using client = new Child<ClientActions>('client-program.js');
  const place = await cluster.ask('start', { release: '26.05', nodes: sizes.at(-1) ?? 1 });
  await client.ask('connect', { place });
  const costs: Record<string, Record<number, Cost[]>> = {};
  const jobs = new Map<number, number>();
  for (const n of sizes) jobs.set(n, (await cluster.ask('submit', { count: 1, nodes: n }))[0] ?? 0);
  for (let round = -1; round < rounds; round++) {
    for (const n of sizes) {
      for (const fanOut of WAYS) {
        const ask = () => client.ask('signalJob', { job: jobs.get(n) ?? 0, nodes: n, fanOut });
        // All slurmds and munged are one process: where it has no processor for two seconds, munged is too late for MUNGE's own limits.
        const cost = await ask().catch((error: Error) => {
          log(`  once more: ${error.message.split('\n')[0]}`);
          return ask();
        });
        if (round < 0) continue;
        costs[fanOut] ??= {};
        costs[fanOut][n] = [...(costs[fanOut][n] ?? []), cost];
      }
    }
    log(`  round ${round} of ${rounds}`);
  }
  const chart = (what: keyof Cost, file: string, y: string): Chart => ({
    file,
    title: `${y} of signalJob by number of nodes, embedded slurmds 26.05`,
    x: 'nodes',
    y,
    unit: 'ms',
    series: WAYS.map((way) => ({
      name: way === 'tree' ? 'through the tree' : 'direct',
      points: sizes.map((n) => [n, median((costs[way]?.[n] ?? []).map((cost) => cost[what]))] as const),
    })),
  });
  const charts = [chart('ms', 'nodes', 'time'), chart('cpuMs', 'nodes-cpu', 'CPU time of the client')];
  return {
    rows: charts.flatMap((one) => growthRows(`growth: ${one.y} by nodes`, one)),
    raw: { charts, samples: costs },
  };
}
