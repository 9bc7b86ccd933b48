/** An embedded cluster: Slurm's daemons in this process, for tests and for trying out. */
import { setMaxListeners } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { Authenticator } from '../protocol/authenticator.js';
import { isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import type { Endpoint } from '../protocol/transport.js';
import { badOption } from '../rpc/check-options.js';
import { stepName } from '../rpc/signal-plan.js';
import type { Slurmctld } from './controller/slurmctld.js';
import type { TakeOver } from './controller/take-over.js';
import { authenticatorOf } from './credential-authenticator.js';
import type { CredentialStore } from './credentials.js';
import type { EmbeddedMunged } from './embedded-munged.js';
import { checkFault, type Fault, type FaultHandle, type FaultList, type FaultMatch } from './faults.js';
import { type JobView, type ProcessView, viewOf } from './job-view.js';
import type { Job } from './model/job.js';
import { keepLast } from './model/keep-last.js';
import type { Life } from './model/life.js';
import { arrayOf, type SubmitOptions, specsOf } from './model/submit-options.js';
import type { ClusterUser } from './model/user.js';
import type { SignalSeen, World } from './model/world.js';
import { outputPath } from './processes/output-path.js';
import type { StepServer } from './processes/step-server.js';
import type { NodeDaemon } from './slurmd/node-daemon.js';
import type { RequestSeen } from './wire-server.js';

/** A daemon of the cluster, to be stopped and started. */
export interface EmbeddedDaemon {
  /** `slurmctld`, `slurmctld2` …, or the name of a node. */
  readonly name: string;
  readonly release: Release;
  readonly endpoint: Endpoint;
  /** Whether it listens; a paused one does. */
  readonly isUp: boolean;
  /**
   * Listens again on the same port, perhaps as another release. Nothing happens where it is up.
   *
   * Of several controllers, one that was in charge before and was not relieved is in charge; another one hands back to it or waits, as Slurm's do.
   *
   * A controller tells the second of its start: who asks whether it was up before a request, as `connect()`'s clients do when one is closed without
   * an answer, cannot be sure within two seconds of it.
   *
   * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` for what is no release, or for another one while the daemon is up.
   * @throws Error of node:net where its port was taken meanwhile (EADDRINUSE).
   */
  start(options?: { readonly release?: Release | undefined }): Promise<void>;
  /** Ends as by SIGTERM: connections are closed, nobody listens, what was being executed is given up. Jobs go on. */
  stop(): Promise<void>;
  /** Ends as by SIGKILL: as `stop`, but connections are reset. */
  kill(): Promise<void>;
  /** As by SIGSTOP: connections are taken, nothing is read; what was read goes on. Nothing happens where it is down. */
  pause(): void;
  /** Goes on after `pause`, as by SIGCONT, with all that has come in meanwhile. */
  resume(): void;
}

export class EmbeddedCluster implements AsyncDisposable {
  /** Path of its slurm.conf, for `connect({ conf })` and for Slurm's own tools (`SLURM_CONF`). */
  readonly slurmConf: string;
  readonly directory: string;
  /** The munged of the cluster, whose socket slurm.conf names: to be stopped, or told to fail. */
  readonly munged: EmbeddedMunged;
  /** World-writable: where jobs run that are not told where. */
  readonly workDirectory: string;
  /** The most recent requests, at most 100,000 or as `logLimit` says. */
  readonly requests: RequestSeen[] = [];
  readonly #world: World;
  readonly #life: Life;
  readonly #faults: FaultList;
  readonly #credentials: CredentialStore;
  readonly #controllers: readonly Slurmctld[];
  readonly #takeOver: TakeOver;
  readonly #steps: StepServer;
  readonly #nodes: ReadonlyMap<string, NodeDaemon>;
  readonly #ownsDirectory: boolean;
  #isDown: Promise<void> | null = null;
  /** Ends every wait. */
  readonly #ended = new AbortController();

  /** @internal `startCluster` makes one. */
  constructor(parts: ClusterParts) {
    // Any number of waits may hang on it.
    setMaxListeners(0, this.#ended.signal);
    this.#world = parts.world;
    this.#life = parts.life;
    this.#faults = parts.faults;
    this.#credentials = parts.credentials;
    this.#controllers = parts.controllers;
    this.#takeOver = parts.takeOver;
    this.munged = parts.munged;
    this.#steps = parts.steps;
    this.#nodes = parts.nodes;
    this.#ownsDirectory = parts.ownsDirectory;
    this.directory = parts.directory;
    this.slurmConf = join(parts.directory, 'slurm.conf');
    this.workDirectory = join(parts.directory, 'work');
    parts.onRequest((request) => {
      keepLast(this.requests, request, parts.world.settings.maxRequests);
    });
  }

  get release(): Release {
    return this.#world.release;
  }

  /** Who is known to it. */
  get users(): readonly ClusterUser[] {
    return this.#world.users.all;
  }

  /**
   * Options for `connect()`, to be a user of the cluster.
   *
   * @param user a name, or a uid that need not be anybody's. Default: the user of this process.
   * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` for a name that no user of the cluster has.
   */
  options(user?: string | number): { conf: string; auth: Authenticator } {
    return { conf: this.slurmConf, auth: authenticatorOf(this.#credentials, this.#userOf(user)) };
  }

  /** All daemons: controllers first, then the slurmds in the order of nodes. */
  get daemons(): EmbeddedDaemon[] {
    return [...this.#controllers.map(({ name }) => name), ...this.#nodes.keys()].map((name) =>
      this.daemon(name),
    );
  }

  /**
   * One daemon by name.
   *
   * @throws RangeError where there is none of that name.
   */
  daemon(name: string): EmbeddedDaemon {
    const found = this.#daemonNamed(name);
    if (found === null) throw new RangeError(`the cluster has no daemon ${name}`);
    const { server } = found;
    return {
      name,
      get release() {
        return server.release;
      },
      get endpoint() {
        return server.endpoint;
      },
      get isUp() {
        return server.isUp;
      },
      start: async ({ release } = {}) => {
        if (release !== undefined && !isRelease(release))
          throw badOption('release', release, `is none of ${RELEASE_NAMES.join(', ')}`);
        if (release !== undefined && server.isUp && release !== server.release)
          throw badOption('release', release, `is not that of ${name}, which is up: stop it first`);
        await server.start({ release });
      },
      stop: () => server.stop(),
      kill: () => server.stop('reset'),
      pause: () => server.pause(),
      resume: () => server.resume(),
    };
  }

  #daemonNamed(name: string): Slurmctld | NodeDaemon | null {
    return this.#controllers.find((one) => one.name === name) ?? this.#nodes.get(name) ?? null;
  }

  /**
   * Submits a job, as sbatch does, and starts it as soon as there is room.
   *
   * @returns the job: of an array the record of its waiting tasks, of a heterogeneous job the leader.
   * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` naming the option.
   */
  submit(options: SubmitOptions = {}): JobView {
    const user = this.#userOf(options.user);
    const specs = specsOf(options, this.#world, this.workDirectory);
    const array = arrayOf(options.array);
    if (array !== null && specs.length > 1)
      throw badOption('array', options.array, 'is of a heterogeneous job');
    const [job] = this.#life.submit(user, specs, array);
    return viewOf(job as Job);
  }

  /** Starts a step of a running job that is an entry of a table. @returns its number. */
  startStep(
    jobId: number,
    options: { readonly nodes?: number; readonly tasks?: number; readonly name?: string } = {},
  ): number {
    return this.#life.startStep(this.#jobNumbered(jobId), options).stepId;
  }

  /** Lets a job go that is held, or waits for a dependency. */
  releaseJob(jobId: number): void {
    this.#life.release(this.#jobNumbered(jobId));
  }

  /** Ends a running job that has no batch script, as the end of its salloc or srun does. */
  completeJob(jobId: number, exitCode = 0): void {
    this.#life.complete(this.#jobNumbered(jobId), exitCode << 8);
  }

  /**
   * Environment of the processes of a running job: with it a process from outside is in the job, and can start steps with the `srun` in
   * `bin` of the cluster's directory.
   */
  environmentOf(jobId: number): Record<string, string> {
    return this.#steps.jobEnvironment(this.#jobNumbered(jobId));
  }

  /** Ends all jobs by force and forgets them; numbers begin anew. As a slurmctld that cannot read what another left. */
  async forgetJobs(): Promise<void> {
    await this.#life.forget();
  }

  /** How a job is now; `null` where there is no record with this number. */
  job(jobId: number): JobView | null {
    const job = this.#world.jobs.get(jobId);
    return job === undefined ? null : viewOf(job);
  }

  /** All records, in the order of their numbers. */
  jobs(): JobView[] {
    return [...this.#world.jobs.values()].map(viewOf);
  }

  /** Every signal that reached processes, in order; the most recent ones where `logLimit` says how many. */
  get signals(): readonly SignalSeen[] {
    return this.#world.signals;
  }

  /** `jobs: 'processes'`: the processes of a job that are there now, each the leader of its process group. */
  processes(jobId: number): readonly ProcessView[] {
    const { steps } = this.#jobNumbered(jobId);
    return [...steps.values()].flatMap((step) =>
      this.#life.executor
        .processesOf(step)
        .map((process) => ({ jobId, target: stepName(step), name: step.name, ...process })),
    );
  }

  /** What a job has written so far: the file of its standard output, `''` before there is one. */
  async output(jobId: number): Promise<string> {
    const job = this.#jobNumbered(jobId);
    try {
      return await readFile(outputPath(job, job.spec.standardOutput), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }

  /**
   * Waits until a job's output is what a function wants it to be. Nobody tells when a process writes: the file is read every few milliseconds.
   *
   * @param timeoutMs default 20,000.
   * @returns the output.
   * @throws Error when the time is up, with the output as it is then.
   */
  async waitForOutput(
    jobId: number,
    wanted: (output: string) => boolean,
    timeoutMs = 20_000,
  ): Promise<string> {
    for (const until = Date.now() + timeoutMs; ; await setTimeoutPromise(15)) {
      this.#ended.signal.throwIfAborted();
      const output = await this.output(jobId);
      if (wanted(output)) return output;
      if (Date.now() < until) continue;
      throw new Error(`job ${jobId} has written ${JSON.stringify(output)} after ${timeoutMs} ms`);
    }
  }

  /**
   * Waits until something is so: looked at now, and after each change of a job and each signal.
   *
   * @param look what it is to be, or `null`, `undefined` or `false` while it is not.
   * @param timeoutMs default 20,000.
   * @throws Error when the time is up, or the cluster is taken down.
   */
  waitFor<T>(look: () => T | null | undefined | false, timeoutMs = 20_000): Promise<T> {
    return this.#waitUntil(look, timeoutMs);
  }

  /**
   * Waits until a job is in one of these states (as Slurm's tools write them), or is what a function wants it to be.
   *
   * @param timeoutMs default 20,000.
   * @throws Error when the time is up or the cluster is taken down, with what the job is then.
   */
  waitForJob(
    jobId: number,
    wanted: string | readonly string[] | ((job: JobView) => boolean),
    timeoutMs = 20_000,
  ): Promise<JobView> {
    const is =
      typeof wanted === 'function' ? wanted : ({ state }: JobView) => [wanted].flat().includes(state);
    return this.#waitUntil(() => {
      const job = this.job(jobId);
      return job !== null && is(job) ? job : null;
    }, timeoutMs).catch((error) => {
      if (this.#ended.signal.aborted) throw error;
      throw new Error(`job ${jobId} is ${JSON.stringify(this.job(jobId))} after ${timeoutMs} ms`);
    });
  }

  #waitUntil<T>(look: () => T | null | undefined | false, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const isThere = (value: T | null | undefined | false): value is T =>
        value !== null && value !== undefined && value !== false;
      const now = look();
      if (isThere(now)) return resolve(now);
      const { signal } = this.#ended;
      if (signal.aborted) return reject(signal.reason);
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onDown);
        stop();
      };
      const fail = (error: unknown) => {
        end();
        reject(error);
      };
      const onDown = () => fail(signal.reason);
      signal.addEventListener('abort', onDown);
      const stop = this.#world.onChange(() => {
        try {
          const value = look();
          if (!isThere(value)) return;
          end();
          resolve(value);
        } catch (error) {
          fail(error);
        }
      });
      const timer = setTimeout(
        () => fail(new Error(`time is up: it was not so for ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
  }

  #jobNumbered(jobId: number): Job {
    const job = this.#world.jobs.get(jobId);
    if (job === undefined) throw badOption('jobId', jobId, 'is no job of the cluster');
    return job;
  }

  #userOf(user: string | number = process.getuid?.() ?? 0): ClusterUser {
    const { users } = this.#world;
    const found = typeof user === 'number' ? users.numbered(user) : users.named(user);
    if (found !== null) return found;
    throw badOption('user', user, `is none of ${users.all.map(({ name }) => name).join(', ')}`);
  }

  /**
   * Orders trouble: the next requests that fit meet it, each the first of the faults that fit.
   *
   * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` naming the field of `match` or `fault` that cannot be.
   */
  fault(match: FaultMatch, fault: Fault): FaultHandle {
    checkFault(match, fault, this.release);
    if (match.to !== undefined && this.#daemonNamed(match.to) === null)
      throw badOption('to', match.to, 'is no daemon of the cluster');
    return this.#faults.add(match, fault);
  }

  /**
   * Puts a controller in charge at once, without the wait for SlurmctldTimeout.
   *
   * @throws RangeError where there is no such controller.
   */
  takeOver(name: string): void {
    const controller = this.#controllers.find((one) => one.name === name);
    if (controller === undefined) throw new RangeError(`the cluster has no controller ${name}`);
    this.#takeOver.now(controller);
  }

  /** Name of the controller in charge; `null` while none that is answers. */
  get inCharge(): string | null {
    return this.#controllers.find(({ isInCharge, server }) => isInCharge && server.isAnswering)?.name ?? null;
  }

  /** Takes back all faults. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** Ends everything: jobs, daemons, sockets, and the directory if the cluster made it. Any number of times. */
  down(): Promise<void> {
    this.#isDown ??= this.#end();
    return this.#isDown;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  async #end(): Promise<void> {
    this.#ended.abort(new Error('the cluster is taken down'));
    this.#takeOver.close();
    const servers = [...this.#controllers, ...this.#nodes.values()].map(({ server }) => server);
    const ended = await Promise.allSettled([
      ...servers.map((server) => server.stop()),
      // Processes first: they may talk to the rest while they end.
      this.#life.close().finally(() => Promise.all([this.#steps.stop(), this.munged.stop()])),
    ]);
    if (this.#ownsDirectory) await rm(this.directory, { recursive: true, force: true });
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }
}

/** @internal What a cluster is made of, see `start-cluster.ts`. */
export interface ClusterParts {
  readonly world: World;
  readonly life: Life;
  readonly faults: FaultList;
  readonly credentials: CredentialStore;
  readonly controllers: readonly Slurmctld[];
  readonly takeOver: TakeOver;
  readonly munged: EmbeddedMunged;
  readonly steps: StepServer;
  readonly nodes: ReadonlyMap<string, NodeDaemon>;
  readonly directory: string;
  readonly ownsDirectory: boolean;
  onRequest(listener: (request: RequestSeen) => void): void;
}
