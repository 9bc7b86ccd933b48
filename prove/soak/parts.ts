/** The parts of the soak, each on a cluster of its own. */
import { Socket } from 'node:net';
import { type Authenticator, connect, munge, mungeSocket, type SlurmClient } from '../../src/index.js';
import { Caller } from './calls.js';
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
