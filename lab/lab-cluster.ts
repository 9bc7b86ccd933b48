import { constants } from 'node:os';
import { daemonReady, startDaemon, stopDaemon, whileAlive } from './daemons.js';
import type { LabPaths } from './directory.js';
import { LabError } from './lab-error.js';
import { spawnInside } from './namespace.js';
import { isPaused, isRunning, type ProcessRecord, signalProcess } from './processes.js';
import { type LabRecord, type LabUser, writeRecord } from './record.js';
import type { LabAccount, LabNode } from './slurm-conf.js';
import { down } from './teardown.js';
import { waitUntil } from './wait.js';

/** How a command runs inside a cluster. */
export interface ExecOptions {
  readonly user: LabUser;
  /** Its standard input; empty where not given. */
  readonly input?: string;
  /** After it the command is killed (not what it started) and the call fails; 60 s where not given. */
  readonly timeoutMs?: number;
  /** Added to the cluster's environment; nothing of the caller's gets in otherwise. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface ExecResult {
  /** Its exit code; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a batch script is submitted. */
export interface SubmitOptions {
  readonly user: LabUser;
  /** Further arguments of sbatch. */
  readonly sbatchArgs?: readonly string[];
}

/** How a token is made. */
export interface TokenOptions {
  /** How long it is good for; 1800 s where not given, as Slurm has it. */
  readonly lifespanSeconds?: number;
}

/** A node and its state in sinfo's words. */
export interface NodeState {
  readonly name: string;
  readonly state: string;
}

/** A running cluster. */
export class LabCluster {
  readonly release: string;
  readonly directory: string;
  /** Path of slurm.conf. */
  readonly slurmConf: string;
  /** Where slurmctld listens. */
  readonly controller: { readonly host: '127.0.0.1'; readonly port: number };
  /** Nobody listens on it in a cluster with `authSlurm`. */
  readonly mungeSocket: string;
  /** Where sackd listens, in and outside the cluster; null without `authSlurm`. */
  readonly sackSocket: string | null;
  /** World-writable: where commands run, and where jobs leave `slurm-JOBID.out`. */
  readonly workDirectory: string;
  /** Holds `slurmctld.log`, `munged.log` or `sackd.log`, and `n1.log` and so on (the slurmds' and their slurmstepds'). */
  readonly logDirectory: string;
  readonly users: Readonly<Record<LabUser, LabAccount>>;
  readonly nodes: readonly LabNode[];
  /** Whether it ran before `up` was called. */
  readonly wasRunning: boolean;
  readonly #paths: LabPaths;
  #record: LabRecord;

  /** For `up` and `attach`. */
  constructor(paths: LabPaths, record: LabRecord, wasRunning: boolean) {
    this.release = record.release;
    this.directory = paths.root;
    this.slurmConf = paths.slurmConf;
    this.controller = { host: '127.0.0.1', port: record.controllerPort };
    this.mungeSocket = paths.mungeSocket;
    this.sackSocket = record.features.authSlurm ? paths.sackSocket : null;
    this.workDirectory = paths.work;
    this.logDirectory = paths.log;
    this.users = record.users;
    this.nodes = record.nodes;
    this.wasRunning = wasRunning;
    this.#paths = paths;
    this.#record = record;
  }

  /** The daemons' processes by name: `munged` or `sackd`, `slurmctld`, and each slurmd by its node's. */
  get daemons(): Readonly<Record<string, ProcessRecord>> {
    return this.#record.daemons;
  }

  /**
   * Runs a command inside the cluster: Slurm's are the release's own. Where the release has a root of its own
   * there are only that root's programs and, of the machine's files, the cluster's directory. It fails only if
   * the command cannot be started or does not end in time.
   */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return collect(this.#paths, this.#record, argv, options);
  }

  /**
   * Runs a command inside the cluster on this process's own stdin, stdout and stderr; returns its exit code.
   */
  async execInherited(argv: readonly string[], options: { readonly user: LabUser }): Promise<number> {
    const { TERM } = process.env;
    const child = spawnInside(this.#paths, this.#record.anchor, argv, {
      account: this.users[options.user],
      env: TERM ? { TERM } : {},
      stdio: 'inherit',
    });
    // The terminal sends these to both of us, and what they do is the command's to say.
    const signals = ['SIGINT', 'SIGQUIT'] as const;
    const ignore = () => {};
    for (const signal of signals) process.on(signal, ignore);
    const passOn = () => child.kill('SIGTERM');
    process.on('SIGTERM', passOn);
    try {
      return await exitCode(child);
    } finally {
      for (const signal of signals) process.off(signal, ignore);
      process.off('SIGTERM', passOn);
    }
  }

  /** What sinfo says of each node: `idle`, `mix`, `down*`. */
  async nodeStates(): Promise<NodeState[]> {
    const { code, stdout, stderr } = await this.exec(['sinfo', '--noheader', '--Node', '--format=%N %t'], {
      user: 'slurm',
      timeoutMs: 15_000,
    });
    if (code !== 0) throw new LabError(`sinfo failed (exit code ${code}): ${stderr.trim()}`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', state = ''] = line.split(' ');
        return { name, state };
      });
  }

  /** Submits a batch script (`#!/bin/sh` where it has no first line of its own) and returns the job's id. */
  async submit(script: string, options: SubmitOptions): Promise<number> {
    const { user, sbatchArgs = [] } = options;
    const input = script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`;
    const { code, stdout, stderr } = await this.exec(['sbatch', '--parsable', ...sbatchArgs], {
      user,
      input,
    });
    const jobId = /^(\d+)/.exec(stdout)?.[1];
    if (code !== 0 || !jobId) throw new LabError(`sbatch failed (exit code ${code}): ${stderr.trim()}`);
    return Number(jobId);
  }

  /** A JSON web token in a user's name, made by slurmctld; for clusters with `jwt`. */
  async token(user: LabUser, { lifespanSeconds = 1_800 }: TokenOptions = {}): Promise<string> {
    if (!this.#record.features.jwt) throw new LabError('the cluster takes no tokens: start it with jwt');
    const argv = ['scontrol', 'token', `username=${user}`, `lifespan=${lifespanSeconds}`];
    const { code, stdout } = await this.exec(argv, { user: 'slurm' });
    const token = /^SLURM_JWT=(\S+)/m.exec(stdout)?.[1];
    // Neither output nor errors are shown: a token may be in them.
    if (code !== 0 || !token) throw new LabError(`scontrol made no token (exit code ${code})`);
    return token;
  }

  /**
   * The state of a job as Slurm names it (`RUNNING`); `NOT_FOUND` for one slurmctld does not know (any more).
   * Of an array or a heterogeneous job it is the first part's.
   */
  async jobState(jobId: number): Promise<string> {
    const { code, stdout, stderr } = await this.exec(['scontrol', '--oneliner', 'show', 'job', `${jobId}`], {
      user: 'root',
    });
    const state = /\bJobState=(\w+)/.exec(stdout)?.[1];
    if (code === 0 && state) return state;
    if (/Invalid job id/i.test(stderr + stdout)) return 'NOT_FOUND';
    throw new LabError(`scontrol show job ${jobId} failed (exit code ${code}): ${stderr.trim()}`);
  }

  /** Waits until a job is in one of these states, and returns which. */
  waitForJob(jobId: number, states: readonly string[], timeoutMs = 30_000): Promise<string> {
    const look = async () => {
      const state = await this.jobState(jobId);
      return states.includes(state) && state;
    };
    return waitUntil(`job ${jobId} to be ${states.join(' or ')}`, look, { timeoutMs });
  }

  /** Looks every 50 ms until `predicate` holds; after `timeoutMs` it fails, saying `what` was waited for. */
  async waitFor(predicate: () => boolean | Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
    await waitUntil(what, predicate, { timeoutMs });
  }

  /** Ends a daemon. */
  async stopDaemon(name: string): Promise<void> {
    await stopDaemon(name, this.#daemon(name), this.#paths.mark);
  }

  /**
   * Starts a daemon that was stopped or died, and waits until it takes connections. A slurmd registers a moment
   * later: wait for its node.
   */
  async startDaemon(name: string): Promise<void> {
    if (isRunning(this.#daemon(name), this.#paths.mark)) return;
    const daemon = startDaemon(name, this.#paths, this.#record);
    this.#record = { ...this.#record, daemons: { ...this.#record.daemons, [name]: daemon.record } };
    writeRecord(this.#paths, this.#record);
    await whileAlive([daemon], (signal) => daemonReady(name, this.#paths, this.#record, signal));
  }

  /** Stops a daemon from running (SIGSTOP): connections to it open, and nothing answers. */
  async pauseDaemon(name: string): Promise<void> {
    const daemon = this.#daemon(name);
    if (!signalProcess(daemon, this.#paths.mark, 'SIGSTOP')) throw new LabError(`${name} is not running`);
    await waitUntil(`${name} to stop running`, () => isPaused(daemon), { timeoutMs: 5_000, intervalMs: 5 });
  }

  /** Lets a paused daemon go on. */
  async resumeDaemon(name: string): Promise<void> {
    const daemon = this.#daemon(name);
    if (!signalProcess(daemon, this.#paths.mark, 'SIGCONT')) throw new LabError(`${name} is not running`);
    await waitUntil(`${name} to go on`, () => !isPaused(daemon), { timeoutMs: 5_000, intervalMs: 5 });
  }

  /** Ends munged: credentials can be neither made nor checked. */
  stopMunged(): Promise<void> {
    return this.stopDaemon('munged');
  }

  /** Starts munged again, on the same socket. */
  startMunged(): Promise<void> {
    return this.startDaemon('munged');
  }

  /** Makes munged take connections and not answer. */
  pauseMunged(): Promise<void> {
    return this.pauseDaemon('munged');
  }

  /** Lets a paused munged go on. */
  resumeMunged(): Promise<void> {
    return this.resumeDaemon('munged');
  }

  /** Stops the cluster and removes its directory. */
  async down(): Promise<void> {
    await down(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #daemon(name: string): ProcessRecord {
    const record = this.#record.daemons[name];
    if (!record) throw new LabError(`the cluster has no daemon "${name}"`);
    return record;
  }
}

async function collect(
  paths: LabPaths,
  record: LabRecord,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { user, input = '', timeoutMs = 60_000, env = {} } = options;
  const child = spawnInside(paths, record.anchor, argv, { account: record.users[user], env, stdio: 'pipe' });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new LabError(`${argv[0]} was started without its pipes`);
  const output = { stdout: '', stderr: '' };
  stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output.stdout += chunk;
  });
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output.stderr += chunk;
  });
  stdin.on('error', () => {}); // a command need not read its input
  stdin.end(input);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL');
      // What the command started may hold the pipes open for good.
      for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
      reject(new LabError(`"${argv.join(' ')}" did not end within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return { code: await Promise.race([exitCode(child), late]), ...output };
  } finally {
    clearTimeout(timer);
  }
}

function exitCode(child: ReturnType<typeof spawnInside>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
