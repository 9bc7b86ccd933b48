import { statSync } from 'node:fs';
import { join } from 'node:path';
import {
  controllersOf,
  daemonReady,
  killDaemon,
  type LabController,
  startDaemon,
  stopDaemon,
  whileAlive,
} from './daemons.js';
import type { LabPaths } from './directory.js';
import { type ExecOptions, type ExecResult, execInside, exitCode } from './exec.js';
import { loopback } from './features.js';
import { LabError } from './lab-error.js';
import { lockMs, withLock } from './lock.js';
import { spawnInside } from './namespace.js';
import { type NodeState, nodeStates } from './node-states.js';
import { isPaused, isRunning, type ProcessRecord, signalProcess } from './processes.js';
import { anchorOf, type LabRecord, type LabUser, writeRecord } from './record.js';
import type { LabAccount, LabNode } from './slurm-conf.js';
import { type SwitchOptions, switchRelease } from './switch-release.js';
import { down } from './teardown.js';
import { tlsSlurmConf } from './tls.js';
import { waitUntil } from './wait.js';

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

/** A running cluster. */
export class LabCluster {
  readonly directory: string;
  /** Path of slurm.conf. */
  readonly slurmConf: string;
  /** All controllers, the first of slurm.conf first: two with `backup`. */
  readonly controllers: readonly LabController[];
  /** Where slurmctld listens; the first, where there are two. */
  readonly controller: { readonly host: '127.0.0.1' | '::1'; readonly port: number };
  /** Nobody listens on it in a cluster with `authSlurm`. */
  readonly mungeSocket: string;
  /** Where sackd listens, in and outside the cluster; null without `authSlurm`. */
  readonly sackSocket: string | null;
  /** The slurm.conf that leads clients through the TLS proxy; `null` without `tls`. Slurm's own programs have no use for it. */
  readonly tlsSlurmConf: string | null;
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
    this.directory = paths.root;
    this.slurmConf = paths.slurmConf;
    this.controller = { host: loopback(record.features), port: record.controllerPort };
    this.controllers = controllersOf(record);
    this.mungeSocket = paths.mungeSocket;
    this.sackSocket = record.features.authSlurm ? paths.sackSocket : null;
    this.tlsSlurmConf = record.features.tls ? tlsSlurmConf(paths) : null;
    this.workDirectory = paths.work;
    this.logDirectory = paths.log;
    this.users = record.users;
    this.nodes = record.nodes;
    this.wasRunning = wasRunning;
    this.#paths = paths;
    this.#record = record;
  }

  /** The release of the controllers, and of the commands that `exec` runs. */
  get release(): string {
    return this.#record.release;
  }

  /** The release of the slurmds. */
  get nodeRelease(): string {
    return this.#record.nodeRelease;
  }

  /** The daemons' processes by name: `munged` or `sackd`, `slurmctld`, `slurmctld2`, and each slurmd by its node's. */
  get daemons(): Readonly<Record<string, ProcessRecord>> {
    return this.#record.daemons;
  }

  /**
   * Runs a command inside the cluster: Slurm's are the release's own. Where the release has a root of its own
   * there are only that root's programs and, of the machine's files, the cluster's directory. It fails only if
   * the command cannot be started or does not end in time.
   */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return execInside(this.#paths, this.#record, argv, options);
  }

  /**
   * Runs a command inside the cluster on this process's own stdin, stdout and stderr; returns its exit code.
   */
  async execInherited(argv: readonly string[], options: { readonly user: LabUser }): Promise<number> {
    const { TERM } = process.env;
    const child = spawnInside(this.#paths, anchorOf(this.#record), argv, {
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
  nodeStates(): Promise<NodeState[]> {
    return nodeStates(this.#paths, this.#record);
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

  /** Ends a daemon at once (SIGKILL): it tells nobody, and saves nothing. */
  async killDaemon(name: string): Promise<void> {
    const killed = await killDaemon(name, this.#daemon(name), this.#paths.mark);
    if (!killed) throw new LabError(`${name} is not running`);
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

  /**
   * Waits until slurmctld has saved what it knows of nodes and jobs, which it does within 5 s of a change: a
   * controller that takes over from a killed one knows no more than that. Sets the comment of a node and of a job.
   */
  async saveState(): Promise<void> {
    const sinceMs = Date.now();
    const scontrol = async (...argv: string[]) => {
      const { code, stdout, stderr } = await this.exec(['scontrol', ...argv], { user: 'root' });
      if (code !== 0)
        throw new LabError(`scontrol ${argv.join(' ')} failed (exit code ${code}): ${stderr.trim()}`);
      return stdout;
    };
    // Only a change makes it save.
    await scontrol('update', `NodeName=${this.nodes[0]?.name}`, 'Comment=saved');
    const jobId = /\bJobId=(\d+)/.exec(await scontrol('--oneliner', 'show', 'jobs'))?.[1];
    if (jobId) await scontrol('update', `JobId=${jobId}`, 'Comment=saved');
    const files = ['node_state', ...(jobId ? ['job_state'] : [])].map((name) =>
      join(this.#paths.state, name),
    );
    const isSaved = (file: string) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= sinceMs;
    await waitUntil('slurmctld to save its state', () => files.every(isSaved), { timeoutMs: 20_000 });
  }

  /**
   * Replaces slurmctld and slurmds by another release's, on the same ports and with the same slurm.conf, and waits
   * until the nodes are there; munged or sackd stays. From 20.11 to 22.05 and from 24.11 to 26.05 jobs go on; any
   * other way they are ended and forgotten, for no state of so far away is read.
   */
  async switchRelease(release: string, options: SwitchOptions = {}): Promise<void> {
    const note = (record: LabRecord) => {
      this.#record = record;
    };
    await withLock(this.#paths.mark, lockMs, () =>
      switchRelease(this.#paths, this.#record, release, { ...options, note }),
    );
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
