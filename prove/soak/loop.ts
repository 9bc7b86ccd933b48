/** How long the event loop keeps others waiting while the library is busy: what a service that embeds it would feel. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, isSlurmError, type SlurmClient } from '../../src/index.js';
import type { Release } from '../../src/protocol/index.js';
import { quantile } from './flat.js';
import { authOf, type PartSetup } from './parts.js';
import { RemoteCluster } from './remote-cluster.js';

/** One situation. All times in milliseconds. */
export interface LoopReport {
  readonly name: string;
  /** What was done. */
  readonly done: string;
  readonly seconds: number;
  /** By `perf_hooks.monitorEventLoopDelay`, less its own interval. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** How late timers of 1 ms were: the probe of our own. */
  readonly late: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The most CPU time of this process between two of those timers: what the machine's other users do is not in it. */
  readonly cpu: number;
}

const IN_FLIGHT = 1_000;

/** Each on an idle machine is to be below this at p99. */
export const GOAL_MS = 20;

export async function loopPart(setup: PartSetup, tell: (report: LoopReport) => void): Promise<LoopReport[]> {
  const reports: LoopReport[] = [];
  const note = (report: LoopReport) => {
    reports.push(report);
    tell(report);
  };
  await withCalls(setup, note);
  for (const release of new Set<Release>([setup.release, '22.05'])) await withTable(release, note);
  await withManyNodes(setup, note);
  return reports;
}

async function withCalls(setup: PartSetup, note: (report: LoopReport) => void): Promise<void> {
  const { release } = setup;
  const cluster = await RemoteCluster.start({ release, nodes: 8, parameters: { MessageTimeout: '100' } });
  try {
    const jobs = await cluster.ask('submit', 8, { ignores: ['SIGUSR1'], steps: [{}] });
    await cluster.ask('untilRunning', jobs);
    const job = jobs[0] as number;
    note(await watched('nothing at all', async () => `${await pause(1_000, 'idle')}`));
    for (const way of setup.ways) {
      const client = await connect({ conf: cluster.slurmConf, auth: authOf(way, cluster) });
      // Everything has been called before.
      await many(client, job, 100, { timeoutMs: 60_000 });
      note(await watched(`quick cluster, ${way}`, () => steadily(client, job, 4_000)));
      if (way !== 'plain') {
        await cluster.ask('munged', { fault: 'hang' });
        note(await watched(`munged hung, ${way}`, () => many(client, job, IN_FLIGHT, { timeoutMs: 3_000 })));
        await cluster.ask('mungedWell');
      }
      if (way === 'socket') {
        await cluster.ask('daemon', 'slurmctld', 'pause');
        note(
          await watched('silent controller, deadlines together', () =>
            many(client, job, IN_FLIGHT, { timeoutMs: 3_000 }),
          ),
        );
        const stop = new AbortController();
        setTimeout(() => stop.abort(), 1_500);
        note(
          await watched('silent controller, one signal for all', () =>
            many(client, job, IN_FLIGHT, { timeoutMs: 60_000, signal: stop.signal }),
          ),
        );
        await cluster.ask('daemon', 'slurmctld', 'resume');
      }
      await client.close();
    }
  } finally {
    await cluster.end();
  }
}

async function withTable(release: Release, note: (report: LoopReport) => void): Promise<void> {
  const cluster = await RemoteCluster.start({ release, nodes: 2 });
  try {
    await cluster.ask('submit', 10_000, { hold: true, comment: 'one of ten thousand' });
    const client = await connect({
      conf: cluster.slurmConf,
      auth: cluster.authenticator(),
      timeoutMs: 60_000,
    });
    const look = async () => {
      const reply = await client.request('REQUEST_JOB_INFO', { lastUpdate: 0n, showFlags: 1 });
      return reply.name === 'RESPONSE_JOB_INFO' ? reply.record.jobs.length : 0;
    };
    await look();
    note(
      await watched(`table of 10,000 jobs, ${release}`, async () => {
        let jobs = 0;
        for (let i = 0; i < 5; i++) jobs += await look();
        return `${jobs} records read`;
      }),
    );
    await client.close();
  } finally {
    await cluster.end();
  }
}

const MANY = 8_192;

async function withManyNodes({ release }: PartSetup, note: (report: LoopReport) => void): Promise<void> {
  // Whatever else the machine does: it is the client's time that is measured, not the daemons'.
  const parameters = { MessageTimeout: '100', TCPTimeout: '60' };
  const cluster = await RemoteCluster.start({ release, nodes: MANY, parameters });
  try {
    const [job = 0] = await cluster.ask('submit', 1, {
      nodes: MANY,
      steps: [{ nodes: MANY }],
      ignores: ['SIGUSR1'],
    });
    await cluster.ask('untilRunning', [job]);
    const auth = cluster.authenticator();
    const client = await connect({ conf: cluster.slurmConf, auth, timeoutMs: 300_000 });
    const signal = async (fanOut: 'tree' | 'direct') => {
      const { nodes } = await client.signalJob(job, 'SIGUSR1', { fanOut }).catch((error: unknown) => {
        if (!isSlurmError(error) || error.nodes === undefined) throw error;
        return { nodes: error.nodes };
      });
      return `${nodes.filter(({ outcome }) => outcome === 'accepted').length} of ${nodes.length} nodes`;
    };
    for (const fanOut of ['tree', 'direct'] as const)
      note(await watched(`fan-out to ${MANY} nodes, ${fanOut}`, () => signal(fanOut)));
    await client.close();
  } finally {
    await cluster.end();
  }
}

type Options = { readonly timeoutMs: number; readonly signal?: AbortSignal };

/** So many calls at once. */
async function many(client: SlurmClient, job: number, count: number, options: Options): Promise<string> {
  const became: Record<string, number> = {};
  await Promise.all(
    Array.from({ length: count }, async () => {
      const what = await killed(client, job, options);
      became[what] = (became[what] ?? 0) + 1;
    }),
  );
  return Object.entries(became)
    .map(([what, times]) => `${times} ${what}`)
    .join(', ');
}

/** A thousand calls under way for a time: where one ends, another one is begun. */
async function steadily(client: SlurmClient, job: number, ms: number): Promise<string> {
  const until = performance.now() + ms;
  let calls = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (performance.now() < until) {
        const what = await killed(client, job, { timeoutMs: 60_000 });
        if (what !== 'accepted') throw new Error(`a call was not accepted: ${what}`);
        calls += 1;
      }
    }),
  );
  return `${calls} calls`;
}

async function killed(client: SlurmClient, job: number, options: Options): Promise<string> {
  try {
    await client.killJob(job, 'SIGUSR1', options);
    return 'accepted';
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    return error.code;
  }
}

/** Interval of the monitor: what it reports is at least that. */
const RESOLUTION_MS = 1;

async function watched(name: string, work: () => Promise<string>): Promise<LoopReport> {
  globalThis.gc?.();
  await pause(50);
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const late: number[] = [];
  let cpu = 0;
  let before = { at: performance.now(), ...process.cpuUsage() };
  let timer: NodeJS.Timeout;
  const probe = () => {
    const now = { at: performance.now(), ...process.cpuUsage() };
    late.push(Math.max(0, now.at - before.at - 1));
    cpu = Math.max(cpu, (now.user + now.system - before.user - before.system) / 1_000);
    before = now;
    timer = setTimeout(probe, 1);
  };
  timer = setTimeout(probe, 1);
  monitor.enable();
  const startedAt = performance.now();
  const done = await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  // The turn that ended it counts too.
  await pause(5);
  monitor.disable();
  clearTimeout(timer);
  late.sort((a, b) => a - b);
  const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  return {
    name,
    done,
    seconds,
    p50: ms(monitor.percentile(50)),
    p99: ms(monitor.percentile(99)),
    max: ms(monitor.max),
    late: { p50: quantile(late, 0.5), p99: quantile(late, 0.99), max: late.at(-1) ?? 0 },
    cpu,
  };
}
