/** One set of scenes for Slurm's own clients, on two stages: before a real cluster of their release and before the embedded one. */
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientPrograms } from '../../../lab/client-programs.js';
import type { LabCluster } from '../../../lab/cluster.js';
import type { ExecResult } from '../../../lab/exec.js';
import type { PeerPlace } from '../../../lab/libslurm-peer.js';
import type { Release } from '../../../src/index.js';
import { type ClusterOptions, type EmbeddedCluster, startCluster } from '../../../src/testing/index.js';

export type StageUser = 'alice' | 'bob' | 'root';

/** A job that both kinds of cluster can be asked for; on one node and running where nothing else is said. */
export interface StageJob {
  readonly user?: 'alice' | 'bob';
  readonly name?: string;
  readonly hold?: boolean;
  /** Tasks of an array. */
  readonly array?: string;
  /** Components of a heterogeneous job. */
  readonly components?: number;
  readonly nodes?: number;
  /** Steps on all its nodes. */
  readonly steps?: number;
}

export interface Stage {
  readonly name: string;
  /** The place where programs run; the C peer too. */
  readonly place: PeerPlace<StageUser>;
  /** Runs a program to its end. */
  run(
    argv: readonly string[],
    options?: { readonly user?: StageUser; readonly input?: string },
  ): Promise<ExecResult>;
  /** Submits a job and waits until it runs, with all its steps, or is held. */
  submit(job?: StageJob): Promise<number>;
  /** Waits until the job is in this state. */
  waitForState(jobId: number, state: string): Promise<void>;
  /** Ends the controller, as SIGTERM does, and starts it again. */
  stopController(): Promise<void>;
  startController(): Promise<void>;
}

/** Before the lab's slurmctld and slurmds. */
export function realStage(cluster: LabCluster): Stage {
  return {
    name: 'the real cluster',
    place: cluster,
    run: (argv, { user = 'alice', input = '' } = {}) =>
      cluster.exec(argv, { user, input, timeoutMs: 30_000 }),
    async submit({ user = 'alice', name, hold, array, components = 1, nodes = 1, steps = 0 } = {}) {
      const component = [`-N${nodes}`, `-n${nodes}`];
      const args = [
        ...(name === undefined ? [] : [`--job-name=${name}`]),
        ...(hold ? ['--hold'] : []),
        ...(array === undefined ? [] : [`--array=${array}`]),
        ...Array.from({ length: components }, (_, i) => (i === 0 ? component : [':', ...component])).flat(),
      ];
      // A slurmd knows of a step later than slurmctld does.
      const task = "sh -c 'touch up.$SLURM_JOB_ID.$SLURM_STEP_ID.$SLURM_PROCID; exec sleep 1000'";
      const step = `srun --overlap -J sleep -N${nodes} -n${nodes} ${task} &\n`;
      const job = await cluster.submit(`${step.repeat(steps)}sleep 1000`, { user, sbatchArgs: args });
      if (hold) return job;
      await cluster.waitForJob(job, ['RUNNING']);
      const up = () => readdirSync(cluster.workDirectory).filter((name) => name.startsWith(`up.${job}.`));
      await cluster.waitFor(() => up().length === steps * nodes, 20_000, `${steps} steps of job ${job}`);
      return job;
    },
    waitForState: async (jobId, state) => {
      await cluster.waitForJob(jobId, [state], 10_000);
    },
    stopController: () => cluster.stopDaemon('slurmctld'),
    startController: () => cluster.startDaemon('slurmctld'),
  };
}

/** Before a cluster in this process. */
export class EmbeddedStage implements Stage, AsyncDisposable {
  readonly name = 'the embedded cluster';
  readonly place: ClientPrograms;
  readonly cluster: EmbeddedCluster;
  readonly #directory: string;

  private constructor(cluster: EmbeddedCluster, place: ClientPrograms, directory: string) {
    this.cluster = cluster;
    this.place = place;
    this.#directory = directory;
  }

  static async open(release: Release, options: ClusterOptions = {}): Promise<EmbeddedStage> {
    // Users other than this process's own have to get at slurm.conf and at munged's socket.
    const directory = await mkdtemp(join(tmpdir(), 'swl-'));
    await chmod(directory, 0o755);
    const parameters = { KillWait: '3' };
    const cluster = await startCluster({ release, nodes: 2, directory, parameters, ...options });
    const { slurmConf } = cluster;
    const place = await ClientPrograms.of({ release, slurmConf, directory });
    return new EmbeddedStage(cluster, place, directory);
  }

  run(
    argv: readonly string[],
    { user = 'alice', input = '' }: { readonly user?: StageUser; readonly input?: string } = {},
  ): Promise<ExecResult> {
    return this.place.exec(argv, { user, input, timeoutMs: 30_000 });
  }

  async submit(job: StageJob = {}): Promise<number> {
    const { user = 'alice', name, hold = false, array, components = 1, nodes = 1, steps = 0 } = job;
    const { jobId } = this.cluster.submit({
      user,
      name,
      hold,
      array,
      nodes,
      components: components > 1 ? Array.from({ length: components - 1 }, () => ({ nodes })) : undefined,
      steps: Array.from({ length: steps }, () => ({ nodes, tasks: nodes, name: 'sleep' })),
    });
    if (!hold) await this.cluster.waitForJob(jobId, 'RUNNING');
    return jobId;
  }

  async waitForState(jobId: number, state: string): Promise<void> {
    await this.cluster.waitForJob(jobId, state, 10_000);
  }

  stopController(): Promise<void> {
    return this.cluster.daemon('slurmctld').stop();
  }

  startController(): Promise<void> {
    return this.cluster.daemon('slurmctld').start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    await this.cluster.down();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
