/** The client that is measured, in a process of its own: its CPU time and its memory are nobody else's. */

import { mungeSocket } from '../../src/auth/index.js';
import { connect, type Release, type SlurmClient } from '../../src/index.js';
import { serve } from './child.js';
import type { ClusterPlace } from './cluster-program.js';

export interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

export interface WaveCost extends Cost {
  /** Of each call. */
  readonly latencies: readonly number[];
  /** Bytes of the heap and beside it, at most, over what there was before: looked at with every call that ends. */
  readonly memory: number;
}

/** Nothing here is to end by its time. */
const timeoutMs = 3_600_000;

let client: SlurmClient | null = null;

function slurm(): SlurmClient {
  if (client === null) throw new Error('the client is not connected');
  return client;
}

async function measured(work: () => Promise<unknown>): Promise<Cost> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** What must not happen would be measured as being fast. */
function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

function each<T>(jobs: readonly number[], call: (job: number) => Promise<T>): Promise<T[]> {
  return Promise.all(jobs.map(call));
}

const actions = {
  async connect({ place, release }: { place: ClusterPlace; release?: Release }): Promise<void> {
    await client?.close();
    client = await connect({
      conf: place.slurmConf,
      auth: mungeSocket({ socket: place.mungeSocket }),
      protocol: release,
    });
    await slurm().ping();
  },

  killJobs(jobs: readonly number[]): Promise<Cost> {
    return measured(async () => {
      const result = await slurm().killJobs([...jobs], 'SIGKILL', { timeoutMs });
      must(result.outcome === 'accepted', `killJobs: ${result.outcome}`);
      must(result.jobs.length === jobs.length, `killJobs answered for ${result.jobs.length}`);
    });
  },

  killJobsNamed({ name, count }: { name: string; count: number }): Promise<Cost> {
    return measured(async () => {
      const result = await slurm().killJobs({ name }, 'SIGKILL', { timeoutMs });
      must(result.outcome === 'accepted', `killJobs by name: ${result.outcome}`);
      must(result.jobs.length === count, `killJobs by name answered for ${result.jobs.length}`);
    });
  },

  killEach(jobs: readonly number[]): Promise<Cost> {
    return measured(() => each(jobs, (job) => slurm().killJob(job, 'SIGKILL', { timeoutMs })));
  },

  probeEach(jobs: readonly number[]): Promise<Cost> {
    return measured(async () => {
      const probes = await each(jobs, (job) => slurm().probe(job, { timeoutMs }));
      must(
        probes.every(({ exists }) => exists),
        'a job was not there',
      );
    });
  },

  terminateEach(jobs: readonly number[]): Promise<Cost> {
    return measured(async () => {
      const ended = await each(jobs, (job) => slurm().terminate(job, { timeoutMs }));
      must(
        ended.every(({ dead }) => dead === true),
        'a job was not ended',
      );
    });
  },

  signalJob({
    job,
    nodes,
    fanOut,
  }: {
    job: number;
    nodes: number;
    fanOut: 'direct' | 'tree';
  }): Promise<Cost> {
    return measured(async () => {
      const result = await slurm().signalJob(job, 'SIGUSR1', { fanOut, timeoutMs });
      must(result.nodes.length === nodes, `signalJob reached ${result.nodes.length} nodes`);
    });
  },

  /** So many calls at once. */
  async wave({ job, calls }: { job: number; calls: number }): Promise<WaveCost> {
    globalThis.gc?.();
    const before = held();
    let most = before;
    const latencies: number[] = [];
    const cost = await measured(() =>
      Promise.all(
        Array.from({ length: calls }, async (_, i) => {
          const began = performance.now();
          await slurm().killJob(job, 'SIGUSR1', { timeoutMs });
          latencies.push(performance.now() - began);
          if (i % 16 === 0) most = Math.max(most, held());
        }),
      ),
    );
    return { ...cost, latencies, memory: most - before };
  },
};

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export type ClientActions = typeof actions;

serve(actions, async () => client?.close());
