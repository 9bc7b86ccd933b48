/** The parts of the soak, each on a cluster of its own. */
import { getEventListeners } from 'node:events';
import { Socket } from 'node:net';
import {
  type Authenticator,
  connect,
  isSlurmError,
  loadSlurmConfig,
  munge,
  mungeSocket,
  type SlurmClient,
  tcpTransport,
} from '../../src/index.js';
import { type Clock, systemClock } from '../../src/rpc/clock.js';
import { ControllerLink } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { terminate } from '../../src/rpc/terminate.js';
import { terminatePlan } from '../../src/rpc/terminate-options.js';
import { Termination } from '../../src/rpc/termination.js';
import { Caller, TIMEOUT_MS } from './calls.js';
import type { SoakOptions, Way } from './options.js';
import { Chance } from './random.js';
import { RemoteCluster } from './remote-cluster.js';
import { type SoakReport, soak } from './soak.js';

/** What every part needs. */
export interface PartSetup extends SoakOptions {
  /** By `performance.now()`: nothing is begun after. */
  readonly until: number;
}

export interface PartReport {
  readonly soak: SoakReport;
  /** How often each kind of trouble came. */
  readonly troubles: Readonly<Record<string, number>>;
}

const NODES = 64;
const PARAMETERS = {
  MessageTimeout: '2',
  SlurmctldTimeout: '3',
  // Jobs that ended are forgotten soon: it is not the cluster that is looked at.
  MinJobAge: '5',
};
/** Jobs of each kind at a time. */
const JOBS = 200;

/** Kills with one way to authenticate. */
export async function killsPart(setup: PartSetup, way: Way, calls: number): Promise<PartReport> {
  const cluster = await startWithJobs(setup);
  try {
    const chance = new Chance(setup.seed);
    const caller = new Caller(chance);
    const deaf = await submitRunning(cluster, JOBS, { ignores: ['SIGUSR1'], steps: [{}] });
    let dying: number[] = [];
    const client = await connect({ conf: cluster.slurmConf, auth: authOf(way, cluster) });
    const planted = plant(setup.plant);
    await cluster.ask('trouble', {
      seed: setup.seed,
      share: 0.06,
      everyMs: way === 'libmunge' ? 2_000 : 700,
      munged: way !== 'plain',
      backups: 1,
    });
    const report = await soak({
      name: `kills, ${way}`,
      calls,
      concurrency: 48,
      until: setup.until,
      watched: caller.watched,
      prepare: async () => {
        const left = await cluster.ask('running', dying);
        dying = [...left, ...(await submitRunning(cluster, JOBS - left.length, { steps: [{}] }))];
      },
      call: (index) => {
        planted(index);
        return caller.kill(client, deaf, dying);
      },
    });
    const troubles = await cluster.ask('noTrouble');
    await works(client, deaf);
    await client.close();
    return { soak: report, troubles };
  } finally {
    await cluster.end();
  }
}

/** Signals to 8…64 nodes. */
export async function fanOutsPart(setup: PartSetup, way: Way, calls: number): Promise<PartReport> {
  const cluster = await startWithJobs(setup);
  try {
    const chance = new Chance(setup.seed + 1);
    const caller = new Caller(chance);
    const jobs: number[] = [];
    for (const nodes of [8, 9, 16, 31, 33, 48, 64])
      jobs.push(...(await submitRunning(cluster, 2, { nodes, steps: [{ nodes }], ignores: ['SIGUSR1'] })));
    const client = await connect({ conf: cluster.slurmConf, auth: authOf(way, cluster) });
    await cluster.ask('trouble', {
      seed: setup.seed + 1,
      // Each fan-out is some forty requests.
      share: 0.01,
      everyMs: 700,
      munged: way !== 'plain',
      backups: 1,
    });
    const report = await soak({
      name: `fan-outs, ${way}`,
      calls,
      concurrency: 8,
      until: setup.until,
      watched: caller.watched,
      call: () => caller.fanOut(client, jobs),
    });
    const troubles = await cluster.ask('noTrouble');
    await works(client, jobs);
    await client.close();
    return { soak: report, troubles };
  } finally {
    await cluster.end();
  }
}

async function startWithJobs({ release }: PartSetup): Promise<RemoteCluster> {
  const nodes = Array.from({ length: NODES }, (_, i) => ({
    name: `n${i + 1}`,
    cpus: 4_096,
    memory: 1_000_000,
  }));
  return RemoteCluster.start({ release, nodes, backups: 1, parameters: PARAMETERS });
}

async function submitRunning(
  cluster: RemoteCluster,
  count: number,
  options: Parameters<RemoteCluster['ask']>[2] & object,
): Promise<number[]> {
  const jobs = await cluster.ask('submit', count, options as never);
  await cluster.ask('untilRunning', jobs);
  return jobs;
}

/** Clients that are made, used now and then, and closed. */
export async function clientsPart(setup: PartSetup, calls: number): Promise<PartReport> {
  const cluster = await startWithJobs(setup);
  try {
    const [job] = await submitRunning(cluster, 1, { ignores: ['SIGUSR1'], steps: [{}] });
    const lasting = new AbortController();
    const report = await soak({
      name: 'connect, now and then a kill, close',
      calls,
      concurrency: 8,
      until: setup.until,
      watched: { 'lasting signal': () => getEventListeners(lasting.signal, 'abort').length },
      call: async (index) => {
        // A slurm.conf read anew each time, and options of every kind.
        const auth = index % 2 === 0 ? { auth: authOf('socket', cluster) } : {};
        const client = await connect({ conf: cluster.slurmConf, signal: lasting.signal, ...auth });
        if (index % 10 === 0) await client.killJob(job as number, 'SIGUSR1', { signal: lasting.signal });
        await client.close();
        return index % 10 === 0 ? 'used' : 'unused';
      },
    });
    return { soak: report, troubles: {} };
  } finally {
    await cluster.end();
  }
}

/** One client that is sent on to ever other controllers (8003), where nobody listens. */
export async function endpointsPart(setup: PartSetup, calls: number): Promise<PartReport> {
  const cluster = await startWithJobs(setup);
  try {
    const client = await connect({ conf: cluster.slurmConf, auth: authOf('socket', cluster) });
    await cluster.ask('sendOn');
    const report = await soak({
      name: 'first contacts to endpoints that come and go',
      calls,
      concurrency: 16,
      until: setup.until,
      call: () =>
        client.killJob(7, 'SIGUSR1', { timeoutMs: TIMEOUT_MS }).then(
          () => 'resolved',
          (error: unknown) => {
            if (!isSlurmError(error)) throw error;
            return `${error.code}, ${error.outcome}`;
          },
        ),
    });
    await client.close();
    return { soak: report, troubles: {} };
  } finally {
    await cluster.end();
  }
}

/** Each look of a termination comes a thousand times sooner than it would. */
const HASTE = 1_000;

/** One termination that watches a job for months, whose events are iterated anew at times, and at times by somebody who leaves. */
export async function terminatePart(setup: PartSetup, looks: number): Promise<PartReport> {
  const cluster = await startWithJobs(setup);
  try {
    const [job] = await submitRunning(cluster, 1, { array: '0-7', ignores: ['SIGTERM'], steps: [{}] });
    const { controllers } = await loadSlurmConfig({ conf: cluster.slurmConf });
    const link = new ControllerLink({
      ...{
        controllers,
        release: setup.release,
        findsVersion: true,
        slurmUser: 0,
        slurmdUser: 0,
        trusted: null,
      },
      ...{ nodes: undefined, nodeAddress: undefined, treeWidth: undefined, cluster: null },
      ...{ messageTimeoutMs: 2_000, maxReplyBytes: 2 ** 27, takeoverMs: 8_000 },
      ...{ auth: authOf('socket', cluster), transport: tcpTransport() },
    });
    const real = systemClock();
    const begun = real.now();
    const clock: Clock = {
      now: () => begun + (real.now() - begun) * HASTE,
      sleep: (ms, signal) => real.sleep(Math.ceil(ms / HASTE), signal),
    };
    // A day is the longest grace: a week is more than a run at this pace.
    const week = Array.from({ length: 7 }, () => ({ signal: 'SIGCONT', graceMs: 86_400_000 }) as const);
    const ladder = [...week, { signal: 'SIGKILL' }] as const;
    // As patient with a silent controller: at this pace seconds of it are hours.
    const plan = terminatePlan(job as number, { ladder, confirmMs: 86_400_000 });
    const stop = new AbortController();
    const context = new Deadline(2 ** 31 - 1, stop.signal);
    const watch = new Termination((report) =>
      terminate(link, plan, { idempotent: false, report, clock }, context),
    );
    await cluster.ask('trouble', {
      seed: setup.seed + 2,
      share: 0.02,
      everyMs: 700,
      munged: true,
      backups: 1,
      isHonest: true,
    });
    let events = watch[Symbol.asyncIterator]();
    const report = await soak({
      name: 'terminate, a look a call',
      calls: looks,
      concurrency: 1,
      until: setup.until,
      call: async (index) => {
        // Somebody who follows it for a while and leaves.
        if (index % 20 === 19) {
          await events.return?.();
          events = watch[Symbol.asyncIterator]();
        }
        const { done, value } = await events.next();
        if (done === true || value === undefined)
          throw new Error('the termination ended', { cause: await watch.catch((error: unknown) => error) });
        return value.type === 'waiting' && value.trouble !== null ? `waiting: ${value.trouble}` : value.type;
      },
    });
    const troubles = await cluster.ask('noTrouble');
    stop.abort();
    await watch.catch(() => {});
    context.dispose();
    return { soak: report, troubles };
  } finally {
    await cluster.end();
  }
}

/** After all the trouble a call does what it is to do. */
async function works(client: SlurmClient, jobs: readonly number[]): Promise<void> {
  const [job] = jobs;
  await client.killJob(job as number, 'SIGUSR1', { timeoutMs: 30_000 });
}

export function authOf(way: Way, cluster: RemoteCluster): Authenticator {
  switch (way) {
    case 'plain':
      return cluster.authenticator();
    case 'socket':
      return mungeSocket({ socket: cluster.mungeSocket });
    case 'libmunge':
      return munge({ socket: cluster.mungeSocket });
  }
}

/** A leak, one of every ten calls: what it leaks is held on to here. */
const held: unknown[] = [];
function plant(what: SoakOptions['plant']): (index: number) => void {
  if (what === undefined) return () => {};
  return (index) => {
    if (index % 10 !== 0) return;
    if (what === 'listeners') process.on('SIGUSR2', () => held.length);
    else if (what === 'sockets') held.push(new Socket());
    else held.push({ kept: 'x'.repeat(10_000 + index).toUpperCase() });
  };
}
