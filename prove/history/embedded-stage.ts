/** The embedded cluster as a stage: jobs are records, and the cluster itself tells what it did. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authenticator, Release } from '../../src/index.js';
import { RELEASE_NAMES } from '../../src/index.js';
import { type EmbeddedCluster, type JobView, startCluster } from '../../src/testing/index.js';
import { EFFECTIVE, type Plan, type PlannedJob } from './plan.js';
import type { DaemonPlace, Executed, Stage, UnitState } from './stage.js';

/** Signals that a job of a run lives through: what it got is told by the cluster. */
const SURVIVED = ['SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const;
const NODES = 3;

export class EmbeddedStage implements Stage {
  readonly isReal = false;
  readonly #cluster: EmbeddedCluster;
  readonly #paused = new Set<string>();
  readonly #down = new Set<string>();
  #resumeMunged: (() => void) | null = null;
  #jobs: { readonly ids: readonly number[]; readonly planned: readonly PlannedJob[] } = {
    ids: [],
    planned: [],
  };
  #firstRequest = 0;
  #firstSignal = 0;
  /** Once daemons were upgraded it is not as it was told. */
  isWorn = false;

  private constructor(cluster: EmbeddedCluster) {
    this.#cluster = cluster;
  }

  static async up(release: Release, backups: 0 | 1): Promise<EmbeddedStage> {
    const cluster = await startCluster({
      release,
      backups,
      nodes: NODES,
      // A group is a number below -1: job 1 has no such name.
      parameters: { FirstJobId: '11', KillWait: '0', MessageTimeout: '1', SlurmctldTimeout: '1' },
    });
    return new EmbeddedStage(cluster);
  }

  get release(): Release {
    return this.#cluster.release;
  }

  get slurmConf(): string {
    return this.#cluster.slurmConf;
  }

  get mungeSocket(): string {
    return this.#cluster.munged.socket;
  }

  get directory(): string {
    return this.#cluster.directory;
  }

  get daemons(): DaemonPlace[] {
    return this.#cluster.daemons.map(({ name, endpoint }) => ({ name, ...endpoint }));
  }

  /** The process's own user goes through munged's socket. */
  authOf(user: PlannedJob['user']): Authenticator | null {
    const isOwn =
      this.#cluster.munged.peerIdentity === 'kernel' && user === 'root' && process.getuid?.() === 0;
    return isOwn ? null : this.#cluster.options(user).auth;
  }

  async prepare({ jobs: planned }: Plan): Promise<number[]> {
    const cluster = this.#cluster;
    await cluster.forgetJobs();
    const ids = planned.map(({ kind, user, nodes, steps }) => {
      const { jobId } = cluster.submit({
        user,
        nodes,
        steps: Array.from({ length: steps }, () => ({})),
        ignores: SURVIVED,
        hold: kind === 'pending',
        array: kind === 'array' ? '0-3%2' : undefined,
        components: kind === 'het' ? [{ nodes: 1 }] : undefined,
      });
      return jobId;
    });
    for (const [index, { kind }] of planned.entries()) {
      const id = ids[index] as number;
      if (kind !== 'pending') await cluster.waitForJob(id, (job) => isSet(kind, job, cluster));
    }
    const root = cluster.options('root');
    const { connect } = await import('../../src/index.js');
    const before = planned.some(({ kind }) => kind === 'suspended' || kind === 'finished');
    if (before) {
      const slurm = await connect(root);
      for (const [index, { kind }] of planned.entries()) {
        const id = ids[index] as number;
        if (kind === 'suspended') await slurm.suspend(id);
        if (kind !== 'finished') continue;
        await slurm.killJob(id);
        await cluster.waitForJob(id, ({ isGone }) => isGone);
      }
      await slurm.close();
    }
    this.#jobs = { ids, planned };
    this.#firstRequest = cluster.requests.length;
    this.#firstSignal = cluster.signals.length;
    return ids;
  }

  async look(): Promise<UnitState[]> {
    const { ids, planned } = this.#jobs;
    return planned.flatMap(({ kind }, index) => {
      const id = ids[index] as number;
      if (kind === 'het') return [this.#unit(`${id}`, id), this.#unit(`${id}+1`, id + 1)];
      if (kind !== 'array') return [this.#unit(`${id}`, id)];
      const tasks = this.#cluster.jobs().filter(({ array }) => array?.jobId === id);
      return [0, 1, 2, 3].map((task) => {
        const own = tasks.find(({ array }) => array?.taskId === task);
        if (own !== undefined) return this.#unit(`${id}_${task}`, own.jobId);
        const meta = tasks.find(({ array }) => array?.waiting.includes(task));
        const unit = `${id}_${task}`;
        // A task that waited and was cancelled leaves no record; of several, the last one is kept.
        const state = meta === undefined ? null : meta.state;
        return {
          unit,
          jobId: null,
          state,
          restarts: meta?.restarts ?? 0,
          steps: {},
          signals: [],
          notes: null,
        };
      });
    });
  }

  #unit(unit: string, jobId: number): UnitState {
    const job = this.#cluster.job(jobId);
    const seen = this.#cluster.signals.slice(this.#firstSignal).filter((one) => one.jobId === jobId);
    const signals = seen.map(({ target, node, signal }) => `${stepOf(target)}@${node} ${signal}`);
    const all = job?.nodes ?? [];
    const steps = Object.fromEntries(
      (job?.steps ?? []).map((step) =>
        step >= 0 && step < 0xfffffff0 ? [`${step}`, all] : ['batch', all.slice(0, 1)],
      ),
    );
    return {
      unit,
      jobId,
      state: job?.state ?? null,
      restarts: job?.restarts ?? 0,
      steps,
      signals,
      notes: null,
    };
  }

  executed(): Executed[] {
    return this.#cluster.requests
      .slice(this.#firstRequest)
      .filter(({ name, answer }) => EFFECTIVE.has(name) && !/^(?:refused|would have)/.test(answer))
      .map(({ to, name, answer }) => ({ to, name: name ?? '', answer }));
  }

  async trouble(daemon: string, what: 'kill' | 'stop' | 'pause' | 'upgrade' | 'fail-over'): Promise<void> {
    const cluster = this.#cluster;
    if (daemon === 'munged') {
      if (what === 'pause') this.#resumeMunged ??= cluster.munged.fault('hang');
      else await (what === 'kill' ? cluster.munged.crash() : cluster.munged.stop());
      this.#down.add(daemon);
      return;
    }
    const one = cluster.daemon(daemon);
    if (what === 'fail-over') {
      await one.kill();
      this.#down.add(daemon);
      if (cluster.daemons.some(({ name }) => name === 'slurmctld2')) cluster.takeOver('slurmctld2');
    } else if (what === 'pause') {
      one.pause();
      this.#paused.add(daemon);
    } else {
      await (what === 'kill' ? one.kill() : one.stop());
      this.#down.add(daemon);
      if (what !== 'upgrade') return;
      this.isWorn = true;
      const next = RELEASE_NAMES[RELEASE_NAMES.indexOf(one.release) + 1] ?? one.release;
      await one.start({ release: next });
    }
  }

  async undo(daemon: string): Promise<void> {
    if (daemon === 'munged') {
      this.#resumeMunged?.();
      this.#resumeMunged = null;
      await this.#cluster.munged.start();
      return;
    }
    const one = this.#cluster.daemon(daemon);
    one.resume();
    try {
      await one.start();
    } catch (error) {
      // Another process has its port by now. It stays down for this run, and the cluster goes.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.isWorn = true;
    }
  }

  async settle(): Promise<void> {
    for (const daemon of [...this.#paused, ...this.#down]) await this.undo(daemon);
    this.#paused.clear();
    this.#down.clear();
    const { requests, signals } = this.#cluster;
    const isOver = () => this.#cluster.jobs().every(({ flags }) => !flags.includes('JOB_COMPLETING'));
    for (let before = -1, rounds = 0; rounds < 100; rounds++) {
      const now = requests.length + signals.length;
      if (now === before && isOver()) return;
      before = now;
      await sleep(8);
    }
  }

  close(): Promise<void> {
    return this.#cluster.down();
  }
}

function isSet(kind: PlannedJob['kind'], job: JobView, cluster: EmbeddedCluster): boolean {
  if (kind === 'array')
    return (
      cluster.jobs().filter(({ array, state }) => array?.jobId === job.jobId && state === 'RUNNING')
        .length === 2
    );
  return job.state === 'RUNNING';
}

/** `12.0` → `0`. */
function stepOf(target: string): string {
  return target.slice(target.indexOf('.') + 1);
}
