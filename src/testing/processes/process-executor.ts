/** Jobs whose scripts and steps are real child processes, each in a session of its own. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Executor, ExecutorEvents, TaskProcess } from '../model/executor.js';
import type { Job, Step } from '../model/job.js';
import { taskEnvironment } from './environment.js';
import { outputPath } from './output-path.js';

/** A task, or the batch shell: leader of its session and process group. */
interface Leader {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly node: string;
  readonly task: number;
}

/** Wait status of a program that could not be started, as a shell tells it: exit code 127. */
const NOT_STARTED = 127 << 8;

/** Several write to it: the shell, its steps, and notifications. */
const FRESH_AND_SHARED = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

const LOOK_AGAIN_MS = 50;

export interface ProcessSetup {
  /** For the scripts. */
  readonly spoolDirectory: string;
  /** Milliseconds that processes have whose shell or task has ended. */
  readonly leftBehindMs: number;
  /** Processes of jobs are their users', not this process's user's. */
  readonly asUsers: boolean;
  /** What all processes of a job have in their environment. */
  environmentOf(job: Job): Record<string, string>;
}

export class ProcessExecutor implements Executor {
  readonly #setup: ProcessSetup;
  readonly #leaders = new Map<Step, Set<Leader>>();
  #isClosed = false;
  /** Process groups whose leader is gone. */
  readonly #leftBehind = new Map<number, NodeJS.Timeout>();

  constructor(setup: ProcessSetup) {
    this.#setup = setup;
  }

  start(job: Job, step: Step, events: ExecutorEvents): void {
    if (step.program === null) this.#startScript(job, step, events);
    else
      for (const [node, tasks] of step.tasks)
        for (const task of tasks) this.#startTask(job, step, node, task, events);
  }

  #startScript(job: Job, step: Step, events: ExecutorEvents): void {
    const { spec } = job;
    const [node = ''] = step.nodes;
    const directory = join(this.#setup.spoolDirectory, `job${job.jobId}`);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const script = join(directory, 'slurm_script');
    writeFileSync(script, spec.script ?? '');
    chmodSync(script, 0o755);
    const out = this.#open(job, spec.standardOutput);
    const err = spec.standardError === null ? out : this.#open(job, spec.standardError);
    const env = {
      ...this.#setup.environmentOf(job),
      SLURMD_NODENAME: node,
      SLURM_NODEID: '0',
      SLURM_PROCID: '0',
      SLURM_LOCALID: '0',
      ENVIRONMENT: 'BATCH',
    };
    this.#spawn(
      job,
      step,
      { node, task: 0 },
      [script, ...spec.arguments],
      { cwd: spec.workDirectory, env, stdio: ['ignore', out, err] },
      events,
    );
    for (const file of new Set([out, err])) closeSync(file);
  }

  #startTask(job: Job, step: Step, node: string, task: number, events: ExecutorEvents): void {
    const { program } = step;
    if (program === null) return;
    const env = { ...program.environment, ...taskEnvironment(step, node, task) };
    const options: SpawnOptions = { cwd: program.workDirectory, env, stdio: ['ignore', 'pipe', 'pipe'] };
    const child = this.#spawn(job, step, { node, task }, program.argv, options, events);
    child?.stdout?.on('data', (chunk: Buffer) => program.output('stdout', chunk));
    child?.stderr?.on('data', (chunk: Buffer) => program.output('stderr', chunk));
  }

  #spawn(
    job: Job,
    step: Step,
    { node, task }: Pick<Leader, 'node' | 'task'>,
    [command = '', ...args]: readonly string[],
    options: SpawnOptions,
    events: ExecutorEvents,
  ): ChildProcess | null {
    const { uid, gid } = job.user;
    let child: ChildProcess;
    try {
      if (this.#isClosed) throw new Error('the cluster is taken down');
      child = spawn(command, args, {
        ...options,
        detached: true,
        ...(this.#setup.asUsers ? { uid, gid } : {}),
      });
    } catch {
      queueMicrotask(() => events.taskEnded(job, step, node, NOT_STARTED));
      return null;
    }
    // A directory or a program that is not there: there was no process.
    child.once('error', () => {
      if (child.pid === undefined) events.taskEnded(job, step, node, NOT_STARTED);
    });
    const { pid } = child;
    if (pid === undefined) return null;
    const leader: Leader = { child, pid, node, task };
    const leaders = this.#leaders.get(step) ?? new Set();
    this.#leaders.set(step, leaders.add(leader));
    child.once('exit', (code, signal) => {
      this.#leave(pid);
      leaders.delete(leader);
      if (leaders.size === 0) this.#leaders.delete(step);
      const status = signal === null ? (code ?? 0) << 8 : UNIX_SIGNALS[signal as keyof typeof UNIX_SIGNALS];
      // The last words first: they are still in the pipes.
      const tell = () => events.taskEnded(job, step, node, status);
      if (child.stdout === null) tell();
      else child.once('close', tell);
    });
    return child;
  }

  signal(
    _job: Job,
    step: Step,
    node: string,
    unixSignal: number,
    whom: 'tasks' | 'shell' | 'group',
  ): readonly number[] | null {
    const here = [...(this.#leaders.get(step) ?? [])].filter((leader) => leader.node === node);
    const reached = here.filter(({ pid }) => signalProcess(whom === 'shell' ? pid : -pid, unixSignal));
    return reached.length === 0 ? null : reached.map(({ pid }) => pid);
  }

  processesOf(step: Step): readonly TaskProcess[] {
    return [...(this.#leaders.get(step) ?? [])].map(({ node, task, pid }) => ({ node, task, pid }));
  }

  write(job: Job, step: Step, node: string, text: string): void {
    const line = `slurmstepd-${node}: error: ${text}\n`;
    if (step.program !== null) {
      step.program.output('stderr', Buffer.from(line));
      return;
    }
    const { standardError, standardOutput } = job.spec;
    try {
      appendFileSync(outputPath(job, standardError ?? standardOutput), line);
    } catch {
      // As the real one: accepted, and lost.
    }
  }

  /** What a shell left behind is no longer the step's; it has some time to end by itself, as with proctrack/linuxproc it has all there is. */
  #leave(group: number): void {
    if (!signalProcess(-group, this.#isClosed ? UNIX_SIGNALS.SIGKILL : 0) || this.#isClosed) return;
    const until = Date.now() + this.#setup.leftBehindMs;
    // The group's number is its own only as long as somebody is in it.
    const timer = setInterval(() => {
      if (signalProcess(-group, Date.now() < until ? 0 : UNIX_SIGNALS.SIGKILL) && Date.now() < until) return;
      clearInterval(timer);
      this.#leftBehind.delete(group);
    }, LOOK_AGAIN_MS);
    timer.unref();
    this.#leftBehind.set(group, timer);
  }

  reopen(): void {
    this.#isClosed = false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [group, timer] of this.#leftBehind) {
      clearInterval(timer);
      signalProcess(-group, UNIX_SIGNALS.SIGKILL);
    }
    this.#leftBehind.clear();
    const leaders = [...this.#leaders.values()].flatMap((some) => [...some]);
    await Promise.all(
      leaders.map(({ child, pid }) => {
        const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        return signalProcess(-pid, UNIX_SIGNALS.SIGKILL) ? gone : undefined;
      }),
    );
  }

  /** The user's own file, in a directory that may be the user's own. */
  #open(job: Job, pattern: string | null): number {
    const path = outputPath(job, pattern);
    try {
      const file = openSync(path, FRESH_AND_SHARED, 0o644);
      if (this.#setup.asUsers) chownSync(path, job.user.uid, job.user.gid);
      return file;
    } catch {
      return openSync('/dev/null', 'w');
    }
  }
}

/** @returns false where nobody is there any more. */
function signalProcess(pid: number, unixSignal: number): boolean {
  // 0, 1 and -1 are never one of ours: they would reach everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return false;
  try {
    return process.kill(pid, unixSignal);
  } catch {
    return false;
  }
}
