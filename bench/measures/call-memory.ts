/** What a call in flight takes of the client's memory: calls that a silent controller never answers, all at once. */
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from '../growth/child.js';
import type { ClusterActions } from '../growth/cluster-program.js';
import type { Held, MemoryActions, PerCall } from '../growth/memory-program.js';
import { atMost, type BenchContext, type Measure, type Measured, type Row } from '../measure.js';
import { median } from '../paired.js';

export const callMemory: Measure = { name: 'call-memory', title: 'memory of a call in flight', run };

const KIB = 1024;

async function run({ rounds, isQuick, log }: BenchContext): Promise<Measured> {
  const counts = isQuick ? [100] : [1000, 5000];
  const cases: (Held & { on: string })[] = counts.flatMap((calls) => [
    { calls, isOneClient: false, auth: 'munge', on: `${calls} connected, munged's socket` },
    { calls, isOneClient: false, auth: 'plain', on: `${calls} connected, a plain authenticator` },
    {
      calls,
      isOneClient: true,
      auth: 'munge',
      on: `${calls} of one client: 64 connected, the others in line`,
    },
  ]);
  const samples: Record<string, PerCall[]> = {};
  const keep = (name: string, one: PerCall) => {
    samples[name] = [...(samples[name] ?? []), one];
  };
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    for (const one of cases) keep(one.on, await held(one));
    for (const count of counts) keep(bare(count), await bareSockets(count));
    log(`  round ${round + 1}`);
  }
  const figure = (name: string, what: keyof PerCall) =>
    median((samples[name] ?? []).map((one) => one[what])) / KIB;
  const rows = cases.map(({ on, calls, isOneClient }): Row => {
    const socket = `${figure(bare(calls), 'used').toFixed(1)} KiB are a bare net.Socket's (${figure(bare(calls), 'resident').toFixed(1)} resident)`;
    return {
      what: 'memory per call in flight',
      on,
      unit: 'KiB',
      ours: figure(on, 'used'),
      peer: null,
      theirs: null,
      ratio: null,
      target: atMost(8),
      note: `${figure(on, 'resident').toFixed(1)} KiB resident${isOneClient ? '' : `; ${socket}`}`,
    };
  });
  return { rows, raw: { samples } };
}

function bare(count: number): string {
  return `${count} bare sockets`;
}

async function held(what: Held): Promise<PerCall> {
  await using cluster = new Child<ClusterActions>('cluster-program.js');
  await using client = new Child<MemoryActions>('memory-program.js');
  const { calls, isOneClient } = what;
  const place = await cluster.ask('start', { release: '26.05' });
  await client.ask('prepare', { ...what, place });
  await cluster.ask('fallSilent', null);
  await client.ask('start', { calls });
  const wanted = isOneClient ? Math.min(calls, 64) : calls;
  while ((await cluster.ask('unanswered', null)) < wanted) await pause(50);
  return await client.ask('perCall', { calls });
}

async function bareSockets(count: number): Promise<PerCall> {
  await using cluster = new Child<ClusterActions>('cluster-program.js');
  await using client = new Child<MemoryActions>('memory-program.js');
  const { controller } = await cluster.ask('start', { release: '26.05' });
  await client.ask('openSockets', { count, ...controller });
  return await client.ask('perCall', { calls: count });
}
