/**
 * A real cluster as a stage: jobs are processes that write down every signal they get, squeue tells the rest. Several lanes share one cluster,
 * each with jobs of its own; who troubles a daemon is alone meanwhile.
 */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LabCluster, up } from '../../lab/cluster.js';
import type { Release } from '../../src/index.js';
import type { Plan, PlannedJob } from './plan.js';
import type { DaemonPlace, Stage, UnitState } from './stage.js';

/** What a stage needs of a cluster: an embedded one with the same face will do. */
export type RealCluster = Pick<
  LabCluster,
  | 'controllers'
  | 'nodes'
  | 'release'
  | 'slurmConf'
  | 'mungeSocket'
  | 'workDirectory'
  | 'exec'
  | 'submit'
  | 'waitForJob'
  | 'killDaemon'
  | 'stopDaemon'
  | 'startDaemon'
  | 'pauseDaemon'
  | 'resumeDaemon'
  | 'down'
>;

/** Jobs of a run are on so many nodes, with so many steps: few kinds, so that one that lived through a run serves another. */
export const REAL_JOB = { nodes: 2, steps: 1 } as const;
/** Signals that a job writes down and lives through. An `srun` in its shell's group passes them on. */
const LOGGED = ['USR1', 'USR2'];
/** More than a run troubles: a job whose end a troubled daemon did not hear of holds its CPUs for a minute. */
const NODES = 6;
/** Jobs that are kept ready. */
const READY = 8;

/** The file of signals has a number on each line, so that none can stand for two. */
const JOB = `#!/bin/bash
note() { echo "$1 SIG$2" >> signals.$SLURM_JOB_ID; }
for s in ${LOGGED.join(' ')}; do trap "note batch@$SLURMD_NODENAME $s" $s; done
cat > step.$SLURM_JOB_ID <<'STEP'
for s in ${LOGGED.join(' ')}; do trap "echo $SLURM_STEP_ID@$SLURMD_NODENAME SIG$s >> signals.$SLURM_JOB_ID" $s; done
echo $SLURM_STEP_ID@$SLURMD_NODENAME $$ >> up.$SLURM_JOB_ID
while :; do sleep 1000 & wait $!; kill $! 2>/dev/null; done
STEP
srun -n${REAL_JOB.nodes} -N${REAL_JOB.nodes} bash step.$SLURM_JOB_ID &
while [ "$(wc -l 2>/dev/null < up.$SLURM_JOB_ID)" != ${REAL_JOB.nodes} ]; do sleep 0.05; done
echo batch@$SLURMD_NODENAME $$ >> up.$SLURM_JOB_ID
while :; do sleep 1000 & wait $!; kill $! 2>/dev/null; done
`;

/** A job that is up, by its own word. */
interface Ready {
  readonly jobId: number;
  /** Where its processes are, `0@n1` …, and their pids. */
  readonly places: readonly (readonly [place: string, pid: number])[];
}

/** One real cluster with jobs in store, for several lanes. */
export class LabHall {
  readonly cluster: RealCluster;
  readonly #directory: string;
  readonly #store: Ready[] = [];
  /** Submitted and not up yet. */
  readonly #coming = new Set<Promise<void>>();
  readonly #users = new Set<Promise<unknown>>();
  #alone: Promise<unknown> = Promise.resolve();
  readonly #finished: number[] = [];
  #closed = false;

  private constructor(cluster: RealCluster, directory: string) {
    this.cluster = cluster;
    this.#directory = directory;
  }

  static async up(release: Release, log: (line: string) => void): Promise<LabHall> {
    const directory = await mkdtemp(join(tmpdir(), 'swl-'));
    await chmod(directory, 0o755);
    const parameters = { KillWait: '1', SlurmctldTimeout: '4' };
    const cluster = await up({ release, nodes: NODES, parameters, directory: join(directory, 'c'), log });
    const hall = new LabHall(cluster, directory);
    // What outlives its run holds no CPUs for ever.
    hall.#fill();
    return hall;
  }

  get directory(): string {
    return this.#directory;
  }

  /** Beside others, or alone where daemons are troubled. */
  async use<T>(isAlone: boolean, act: () => Promise<T>): Promise<T> {
    if (!isAlone) {
      await this.#alone;
      const work = act();
      const settled = work.catch(() => {});
      this.#users.add(settled);
      void settled.then(() => this.#users.delete(settled));
      return work;
    }
    const before = this.#alone;
    const work = before.then(async () => {
      while (this.#users.size > 0) await Promise.all(this.#users);
      return act();
    });
    this.#alone = work.catch(() => {});
    return work;
  }

  async running(): Promise<Ready> {
    for (const until = Date.now() + 180_000; Date.now() < until; await sleep(20)) {
      this.#fill();
      const job = this.#store.shift();
      if (job !== undefined) return job;
    }
    const [nodes, jobs] = [await this.exec('sinfo', '-Nl'), await this.exec('squeue')];
    throw new Error(`no job came up in 180 s:\n${nodes}\n${jobs}`);
  }

  giveBack(job: Ready): void {
    this.#store.push(job);
  }

  /** One that was ended by an earlier run, or is ended now. */
  async finished(): Promise<number> {
    const kept = this.#finished.shift();
    if (kept !== undefined) return kept;
    const { jobId } = await this.running();
    await this.exec('scancel', '--signal=KILL', `${jobId}`);
    await this.cluster.waitForJob(jobId, ['CANCELLED'], 180_000);
    return jobId;
  }

  giveBackFinished(jobId: number): void {
    if (this.#finished.length < READY) this.#finished.push(jobId);
  }

  async exec(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cluster.exec(argv, { user: 'root' });
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  async linesOf(name: string, jobId: number): Promise<string[]> {
    const text = await readFile(join(this.cluster.workDirectory, `${name}.${jobId}`), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  #fill(): void {
    while (!this.#closed && this.#store.length + this.#coming.size < READY) {
      const coming = this.#start().catch(() => {});
      this.#coming.add(coming);
      void coming.then(() => this.#coming.delete(coming));
    }
  }

  async #start(): Promise<void> {
    const sbatchArgs = [`-N${REAL_JOB.nodes}`, `-n${REAL_JOB.nodes}`, '--requeue', '--output=/dev/null'];
    const jobId = await this.cluster.submit(JOB, { user: 'alice', sbatchArgs });
    for (const until = Date.now() + 30_000; Date.now() < until && !this.#closed; await sleep(50)) {
      const places = await this.linesOf('up', jobId);
      if (places.length !== REAL_JOB.nodes + 1) continue;
      this.#store.push({
        jobId,
        places: places.map((line) => [line.split(' ')[0] as string, Number(line.split(' ')[1])]),
      });
      return;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#coming);
    await this.cluster.down();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** What one lane uses of a hall. */
export class LabStage implements Stage {
  readonly isReal = true;
  readonly isWorn = false;
  readonly directory: string;
  readonly #hall: LabHall;
  #jobs: {
    readonly unit: string;
    readonly jobId: number;
    readonly ready: Ready | null;
    readonly offset: number;
  }[] = [];
  readonly #down = new Map<string, 'kill' | 'stop' | 'pause'>();

  private constructor(hall: LabHall, directory: string) {
    this.#hall = hall;
    this.directory = directory;
  }

  static async on(hall: LabHall): Promise<LabStage> {
    return new LabStage(hall, await mkdtemp(join(hall.directory, 'l')));
  }

  get release(): Release {
    return this.#hall.cluster.release as Release;
  }

  get slurmConf(): string {
    return this.#hall.cluster.slurmConf;
  }

  get mungeSocket(): string {
    return this.#hall.cluster.mungeSocket;
  }

  get daemons(): DaemonPlace[] {
    const { controllers, nodes } = this.#hall.cluster;
    return [
      ...controllers.map(({ daemon, host, port }) => ({ name: daemon, host, port })),
      ...nodes.map(({ name, port }) => ({ name, host: '127.0.0.1', port })),
    ];
  }

  authOf(): null {
    return null;
  }

  async prepare(plan: Plan): Promise<number[]> {
    this.#jobs = [];
    const ids: number[] = [];
    for (const { kind } of plan.jobs) {
      const { jobId, ready } = await this.#job(kind);
      ids.push(jobId);
      const offset = (await this.#hall.linesOf('signals', jobId)).length;
      this.#jobs.push({ unit: `${jobId}`, jobId, ready, offset });
    }
    return ids;
  }

  async #job(kind: PlannedJob['kind']): Promise<{ jobId: number; ready: Ready | null }> {
    const hall = this.#hall;
    if (kind === 'finished') return { jobId: await hall.finished(), ready: null };
    if (kind === 'pending') {
      const sbatchArgs = ['--hold', '--output=/dev/null'];
      return { jobId: await hall.cluster.submit('sleep 1', { user: 'alice', sbatchArgs }), ready: null };
    }
    const ready = await hall.running();
    if (kind === 'suspended') await hall.exec('scontrol', 'suspend', `${ready.jobId}`);
    return { jobId: ready.jobId, ready };
  }

  async look(): Promise<UnitState[]> {
    const list = this.#jobs.map(({ jobId }) => jobId).join(',');
    // The ids of jobs that slurmctld has forgotten make squeue fail.
    const shown = await this.#hall
      .exec(
        'squeue',
        '--noheader',
        '--states=all',
        `--jobs=${list}`,
        '--Format=JobID:20,State:20,RestartCnt:20',
      )
      .catch(() => '');
    const states = new Map(
      shown.split('\n').map((line) => {
        const [id = '', state = '', restarts = '0'] = line.trim().split(/\s+/);
        return [id, { state, restarts: Number(restarts) }];
      }),
    );
    return Promise.all(
      this.#jobs.map(async ({ unit, jobId, ready, offset }) => {
        const signals = (await this.#hall.linesOf('signals', jobId)).slice(offset);
        const places = (ready?.places ?? []).map(([place]) => place);
        // They live through all that they write down: what is no more was killed. squeue shows steps whose end slurmctld has not heard of.
        const gone = await Promise.all((ready?.places ?? []).map(([, pid]) => isGone(pid)));
        const killed = places.filter((_, index) => gone[index]);
        const steps = [...new Set(places.map((place) => place.split('@')[0] as string))];
        const nodesOf = (step: string) =>
          places.filter((place) => place.startsWith(`${step}@`)).map((place) => place.slice(step.length + 1));
        return {
          ...{ unit, jobId, notes: null },
          state: states.get(`${jobId}`)?.state ?? null,
          restarts: states.get(`${jobId}`)?.restarts ?? 0,
          steps: Object.fromEntries(steps.map((step) => [step, nodesOf(step)])),
          signals: [...signals, ...killed.map((place) => `${place} SIGKILL`)],
        };
      }),
    );
  }

  executed(): null {
    return null;
  }

  async trouble(daemon: string, what: 'kill' | 'stop' | 'pause' | 'upgrade' | 'fail-over'): Promise<void> {
    const { cluster } = this.#hall;
    if (this.#down.has(daemon) || what === 'upgrade' || what === 'fail-over') return;
    this.#down.set(daemon, what);
    if (what === 'kill') await cluster.killDaemon(daemon);
    else if (what === 'stop') await cluster.stopDaemon(daemon);
    else await cluster.pauseDaemon(daemon);
  }

  async undo(daemon: string): Promise<void> {
    const what = this.#down.get(daemon);
    if (what === undefined) return;
    this.#down.delete(daemon);
    const { cluster } = this.#hall;
    if (what === 'pause') await cluster.resumeDaemon(daemon);
    else await cluster.startDaemon(daemon);
  }

  async settle(): Promise<void> {
    const wasTroubled = this.#down.size > 0;
    for (const daemon of [...this.#down.keys()]) await this.undo(daemon);
    // What was accepted is carried out by threads of slurmctld; that takes some milliseconds, and more behind a pause.
    for (let before = '', rounds = 0; rounds < 40; rounds++) {
      await sleep(wasTroubled ? 400 : 120);
      const now = JSON.stringify(await this.look());
      if (now === before && !/COMPLETING/.test(now)) return;
      before = now;
    }
  }

  /** What lived through the run serves another; the rest is taken away. */
  async giveBack(states: readonly UnitState[]): Promise<void> {
    const done: string[] = [];
    for (const { unit, jobId, ready } of this.#jobs) {
      const state = states.find((one) => one.unit === unit);
      const isWhole = state?.state === 'RUNNING' && !state.signals.some((one) => one.endsWith('SIGKILL'));
      if (ready !== null && isWhole) this.#hall.giveBack(ready);
      else if (state?.state === 'CANCELLED') this.#hall.giveBackFinished(jobId);
      else if (state?.state !== null && !['CANCELLED', 'FAILED'].includes(state?.state ?? ''))
        done.push(`${jobId}`);
    }
    if (done.length > 0) await this.#hall.exec('scancel', '--signal=KILL', ...done).catch(() => {});
  }

  async close(): Promise<void> {}
}

/** The lab's processes have the pids that this process sees. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // Past the name, which may have anything in it, comes the state: a zombie is no more.
  return stat === null || !/\((?:bash|slurm_script)\) [^ZX]/.test(stat);
}
