import type { CallContext } from '../protocol/authenticator.js';
import type { JobId, StepTarget } from '../protocol/job-id.js';
import { isMessageName, type MessageInput, type MessageName } from '../protocol/messages/index.js';
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import type { UnixSignal } from '../protocol/unix-signal.js';
import { belongsTo, type CallTrace, callOf, traceCall } from './call-trace.js';
import { badOption, checkOptions, checkUid, readOnce } from './check-options.js';
import { ControllerLink, type LinkSetup } from './controller-link.js';
import { Deadline } from './deadline.js';
import { isObserved, type SlurmwireVerb, terminateChannel } from './diagnostics.js';
import {
  EXPLAIN_EXCHANGES,
  EXPLAINABLE,
  type ExplainableVerb,
  type Explanation,
  explain,
} from './explain.js';
import {
  type JobControlAccepted,
  NOTIFY_EXCHANGES,
  type NothingToDo,
  notify,
  REQUEUE_EXCHANGES,
  requeue,
  SUSPEND_EXCHANGES,
  suspendOrResume,
} from './job-control.js';
import {
  JOB_CONTROL_OPTIONS,
  type JobControlOptions,
  REQUEUE_OPTIONS,
  type RequeueOptions,
} from './job-control-options.js';
import { type CheckedFilter, type JobFilter, parseFilter } from './job-filter.js';
import { KILL_EXCHANGES, KILL_STEP_EXCHANGES, killJob, killJobStep } from './kill.js';
import { KILL_JOBS_EXCHANGES, KILL_JOBS_OPTIONS, type KillJobsOptions, killJobs } from './kill-jobs.js';
import type { KilledJobs } from './kill-jobs-result.js';
import {
  CALL_OPTIONS,
  type CallOptions,
  KILL_CALL_OPTIONS,
  KILL_JOB_OPTIONS,
  type KillCallOptions,
  type KillJobOptions,
} from './kill-options.js';
import type { Accepted, AlreadyEnded } from './kill-request.js';
import type { Pace } from './pacer.js';
import { type ControllerPing, ping } from './ping.js';
import { plannedAnew } from './planned-anew.js';
import {
  type Killed,
  type KillTarget,
  kill,
  type OwnJob,
  POSIX_KILL_EXCHANGES,
  POSIX_KILL_OPTIONS,
  type PosixKillOptions,
} from './posix-kill.js';
import { PROBE_EXCHANGES, type Probe, probe } from './probe.js';
import type { Reply } from './reply.js';
import { answerTo, whereItBelongs } from './reroute.js';
import {
  FAN_OUT_EXCHANGES,
  FAN_OUT_OPTIONS,
  type FanOut,
  type FanOutOptions,
  type NothingLeft,
  signalJob,
  signalJobStep,
  terminateJobStep,
} from './signal.js';
import { STEP_MANAGER_EXCHANGES } from './step-manager.js';
import { terminate } from './terminate.js';
import {
  plannedExchanges,
  plannedWaitMs,
  TERMINATE_OPTIONS,
  type TerminateOptions,
  type TerminatePlan,
  terminatePlan,
} from './terminate-options.js';
import type { TerminateEvent } from './terminate-result.js';
import { Termination } from './termination.js';

/** Options of `request`. */
export interface RequestOptions extends CallOptions {
  /** Header flags. Only 0x0001 and 0x0010 may be set. Default 0. */
  readonly flags?: number | undefined;
  /** The only uid that may decode the credential, or `null` for anybody. Default: SlurmUser where it is known. */
  readonly restrictUid?: number | null | undefined;
}

const REQUEST_OPTIONS = [...CALL_OPTIONS, 'flags', 'restrictUid'] as const satisfies (keyof RequestOptions)[];

/**
 * The kills of one cluster. Made by `connect()`; holds no connection between calls, so closing it frees nothing but ends its use.
 *
 * One client is one user to the controllers. At most 64 of its requests are under way to a controller at a time, and where that limits the
 * requests of a user they are paced and sent again within each call's time: docs/rate-limits.md.
 */
export class SlurmClient implements AsyncDisposable {
  readonly #link: ControllerLink;
  readonly #timeoutMs: number | undefined;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closed = false;

  /** @internal Use `connect()`. */
  constructor(setup: LinkSetup | ControllerLink, timeoutMs: number | undefined) {
    this.#link = setup instanceof ControllerLink ? setup : new ControllerLink(setup);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Signals a job through the controller: `slurm_kill_job(3)`, `scancel`.
   *
   * SIGKILL ends the whole job, pending or running. Any other signal goes to the job's steps, not to the batch shell, unless
   * `batch` or `full` says so; a pending job refuses it.
   *
   * One array task, and the processes of a scrontab job, are addressed so that nothing else is hit: see `cron` and `wholeHetJob`.
   *
   * In a federation, a controller may say that the job is another cluster's (8003). Then the call is planned anew at that one's controller, within
   * the same time; it happens up to three times, and `reroutedBy` tells the way. So it is for `suspend`, `resume`, `requeue`, `notify` and each
   * job of `killJobs` and `terminate`, too. The credential is of the client's own authenticator, and for anybody: the clusters have to share its key.
   *
   * @param job `1234`, `'1234_7'`, `'1234_[1-5,9]'`, `'1234_*'`, `'1234+1'` or an object. A plain number that is an array or a
   * het leader stands for all its parts.
   * @param unixSignal name or number, Linux numbering. Default SIGKILL.
   * @param options `timeoutMs` defaults to five times MessageTimeout: first contact, what the cluster is like, a look at the job where one is
   * needed, the kill, a look at what a refusal means.
   * @returns when the controller has accepted: it signals the nodes afterwards.
   * @throws SlurmUsageError, SlurmAuthError, SlurmConnectionError, SlurmTimeoutError, SlurmProtocolVersionError,
   * SlurmProtocolError, SlurmServerError: each with `code` and `outcome`.
   */
  killJob(
    job: JobId,
    unixSignal: UnixSignal | undefined,
    options: KillJobOptions & { idempotent: true },
  ): Promise<Accepted | AlreadyEnded>;
  killJob(
    job: JobId,
    unixSignal?: UnixSignal,
    options?: KillJobOptions & { idempotent?: false | undefined },
  ): Promise<Accepted>;
  killJob(job: JobId, unixSignal?: UnixSignal, options?: KillJobOptions): Promise<Accepted | AlreadyEnded>;
  killJob(
    job: JobId,
    unixSignal: UnixSignal = 'SIGKILL',
    options: KillJobOptions = {},
  ): Promise<Accepted | AlreadyEnded> {
    return this.#run('killJob', job, unixSignal, options, (context, own) =>
      killJob(this.#link, job, unixSignal, own, context),
    );
  }

  /**
   * Signals one step of a job through the controller: `slurm_kill_job_step(3)`, `scancel 1234.0`.
   *
   * SIGKILL to a step of a het leader goes to the nodes (`terminateJobStep`) where it could do more than that: a controller applies it to the
   * same step of every component, and 25.11.0 to 25.11.7 and 26.05.0 to 26.05.3 to the whole components (read in their source). So from
   * protocol 24.05 on, which is the oldest that these take, SIGKILL costs a look at the job.
   *
   * Any signal costs that look from protocol 23.02 on, the oldest that a controller with step managers takes. Of a job that has one
   * (`sbatch --stepmgr`), the node that manages its steps is asked whether the step is there: the controller accepts signals to steps that are not.
   *
   * @param step `'1234.0'`, `'1234_7.0'`, `'1234+1.0'`, `'1234.batch'`, `'1234.extern'`, `'1234.interactive'` or an object. A step named
   * through its array or het job costs a look too: the controller knows steps by the number of their own record.
   * @param unixSignal name or number, Linux numbering. Default SIGKILL.
   * @param options `timeoutMs` defaults to ten times MessageTimeout.
   * @returns when the controller has accepted, or the nodes have.
   * @throws as `killJob`.
   */
  killJobStep(
    step: StepTarget,
    unixSignal: UnixSignal | undefined,
    options: KillCallOptions & { idempotent: true },
  ): Promise<Accepted | AlreadyEnded>;
  killJobStep(
    step: StepTarget,
    unixSignal?: UnixSignal,
    options?: KillCallOptions & { idempotent?: false | undefined },
  ): Promise<Accepted>;
  killJobStep(
    step: StepTarget,
    unixSignal?: UnixSignal,
    options?: KillCallOptions,
  ): Promise<Accepted | AlreadyEnded>;
  killJobStep(
    step: StepTarget,
    unixSignal: UnixSignal = 'SIGKILL',
    options: KillCallOptions = {},
  ): Promise<Accepted | AlreadyEnded> {
    return this.#run('killJobStep', step, unixSignal, options, (context, own) =>
      killJobStep(this.#link, step, unixSignal, own, context),
    );
  }

  /**
   * Signals all steps of a job straight at their nodes: `slurm_signal_job(3)`. The batch shell is not a step's process: see
   * `signalJobStep('1234.batch')`. Each node answers once its slurmd has handled the signal.
   *
   * @param job as for `killJob`; of an array or a het job all parts that run.
   * @param unixSignal name or number, Linux numbering.
   * @param options `timeoutMs` defaults to twelve times MessageTimeout: three lookups and a deep tree.
   * @returns when every node with a step of the job has taken it. A node, or a whole part of the job, whose step had ended meanwhile does not
   * make it fail as long as another took it: see `nodes` and `ended` of the result.
   * @throws with all results in `nodes` and outcome `partial`, `refused`, `unknown` or `not-sent` when a node has not: SlurmServerError where one
   * refused, SlurmConnectionError, SlurmTimeoutError or SlurmAuthError where none did. SlurmServerError, `not-sent`, with `ESLURM_INVALID_JOB_ID`,
   * `ESLURM_JOB_PENDING` or `ESLURM_ALREADY_DONE` where there is nothing to signal; else as `killJob`.
   */
  signalJob(
    job: JobId,
    unixSignal: UnixSignal,
    options: FanOutOptions & { idempotent: true },
  ): Promise<FanOut | NothingLeft>;
  signalJob(
    job: JobId,
    unixSignal: UnixSignal,
    options?: FanOutOptions & { idempotent?: false | undefined },
  ): Promise<FanOut>;
  signalJob(job: JobId, unixSignal: UnixSignal, options?: FanOutOptions): Promise<FanOut | NothingLeft>;
  signalJob(job: JobId, unixSignal: UnixSignal, options: FanOutOptions = {}): Promise<FanOut | NothingLeft> {
    return this.#run('signalJob', job, unixSignal, options, (context, own) =>
      signalJob(this.#link, job, unixSignal, own, context),
    );
  }

  /**
   * Signals one step straight at its nodes: `slurm_signal_job_step(3)`. `'1234.batch'` is the batch shell alone. A step that does not
   * exist is an error, never a silent success.
   *
   * @param step `'1234.0'`, `'1234_7.0'`, `'1234+1.0'`, `'1234.batch'`, `'1234.extern'`, `'1234.interactive'` or an object.
   * @param unixSignal name or number, Linux numbering.
   * @param options `timeoutMs` defaults to twelve times MessageTimeout.
   * @throws as `signalJob`.
   */
  signalJobStep(
    step: StepTarget,
    unixSignal: UnixSignal,
    options: FanOutOptions & { idempotent: true },
  ): Promise<FanOut | NothingLeft>;
  signalJobStep(
    step: StepTarget,
    unixSignal: UnixSignal,
    options?: FanOutOptions & { idempotent?: false | undefined },
  ): Promise<FanOut>;
  signalJobStep(
    step: StepTarget,
    unixSignal: UnixSignal,
    options?: FanOutOptions,
  ): Promise<FanOut | NothingLeft>;
  signalJobStep(
    step: StepTarget,
    unixSignal: UnixSignal,
    options: FanOutOptions = {},
  ): Promise<FanOut | NothingLeft> {
    return this.#run('signalJobStep', step, unixSignal, options, (context, own) =>
      signalJobStep(this.#link, step, unixSignal, own, context),
    );
  }

  /**
   * Ends one step straight at its nodes, all of its processes by SIGKILL: `slurm_terminate_job_step(3)`.
   *
   * @param step as for `signalJobStep`.
   * @param options `timeoutMs` defaults to twelve times MessageTimeout.
   * @throws as `signalJob`.
   */
  terminateJobStep(
    step: StepTarget,
    options: FanOutOptions & { idempotent: true },
  ): Promise<FanOut | NothingLeft>;
  terminateJobStep(
    step: StepTarget,
    options?: FanOutOptions & { idempotent?: false | undefined },
  ): Promise<FanOut>;
  terminateJobStep(step: StepTarget, options?: FanOutOptions): Promise<FanOut | NothingLeft>;
  terminateJobStep(step: StepTarget, options: FanOutOptions = {}): Promise<FanOut | NothingLeft> {
    return this.#run('terminateJobStep', step, undefined, options, (context, own) =>
      terminateJobStep(this.#link, step, own, context),
    );
  }

  /**
   * Stops a job's processes and gives its CPUs to others: `slurm_suspend(3)`, `scontrol suspend`. Not repeated by the library.
   *
   * @param job as `killJob`. An array is answered for each of its tasks, pending ones refuse. Het components cannot be named alone.
   * @param options `timeoutMs` defaults to four times MessageTimeout: first contact, the request, and where the connection was closed
   * without an answer, which is how slurmctld treats a job it does not know, a PING and a look whether it knows the job.
   * @returns when the controller has accepted, which it also does for a job that is suspended already.
   * @throws as `killJob`. An error about an array has `parts`; `outcome` is `partial` where some of them were suspended.
   */
  suspend(
    job: JobId,
    options: JobControlOptions & { idempotent: true },
  ): Promise<JobControlAccepted | NothingToDo>;
  suspend(
    job: JobId,
    options?: JobControlOptions & { idempotent?: false | undefined },
  ): Promise<JobControlAccepted>;
  suspend(job: JobId, options?: JobControlOptions): Promise<JobControlAccepted | NothingToDo>;
  suspend(job: JobId, options: JobControlOptions = {}): Promise<JobControlAccepted | NothingToDo> {
    return this.#run('suspend', job, undefined, options, (context, own) =>
      suspendOrResume(this.#link, 'suspend', job, own, context),
    );
  }

  /**
   * Lets a suspended job go on: `slurm_resume(3)`, `scontrol resume`. Else as `suspend`; a job that is not suspended refuses with
   * `ESLURM_JOB_NOT_SUSPENDED`.
   */
  resume(
    job: JobId,
    options: JobControlOptions & { idempotent: true },
  ): Promise<JobControlAccepted | NothingToDo>;
  resume(
    job: JobId,
    options?: JobControlOptions & { idempotent?: false | undefined },
  ): Promise<JobControlAccepted>;
  resume(job: JobId, options?: JobControlOptions): Promise<JobControlAccepted | NothingToDo>;
  resume(job: JobId, options: JobControlOptions = {}): Promise<JobControlAccepted | NothingToDo> {
    return this.#run('resume', job, undefined, options, (context, own) =>
      suspendOrResume(this.#link, 'resume', job, own, context),
    );
  }

  /**
   * Puts a batch job back into the queue: `slurm_requeue(3)`, `scontrol requeue`. A running or suspended one is ended first, a finished
   * one runs again. Not repeated by the library: a repeat may end the next run.
   *
   * @param job as `killJob`. A het leader stands for all components, those that have ended too; components cannot be named alone.
   * @param options `timeoutMs` defaults to three times MessageTimeout: first contact, the request, a look at what a refusal means.
   * @throws as `suspend`.
   */
  requeue(
    job: JobId,
    options: RequeueOptions & { idempotent: true },
  ): Promise<JobControlAccepted | NothingToDo>;
  requeue(
    job: JobId,
    options?: RequeueOptions & { idempotent?: false | undefined },
  ): Promise<JobControlAccepted>;
  requeue(job: JobId, options?: RequeueOptions): Promise<JobControlAccepted | NothingToDo>;
  requeue(job: JobId, options: RequeueOptions = {}): Promise<JobControlAccepted | NothingToDo> {
    return this.#run('requeue', job, undefined, options, (context, own) =>
      requeue(this.#link, job, own, context),
    );
  }

  /**
   * Writes a text into the output of a running batch job: `slurm_notify_job(3)`, `scontrol notify`. Not repeated by the library.
   *
   * @param job a job number. It stands for the job record of that number alone: of an array for one task or the pending ones (which
   * refuse), of a heterogeneous job for the leader.
   * @param message 1 to 8191 bytes of UTF-8 without NUL; slurmstepd cuts longer ones.
   * @param options `timeoutMs` defaults to twice MessageTimeout: first contact and the request.
   * @returns when the controller has accepted. Whether the text arrives it is not told: it is lost where the script has not begun yet, and a
   * job without a batch script has nowhere to write it.
   * @throws as `killJob`.
   */
  notify(job: JobId, message: string, options: CallOptions = {}): Promise<JobControlAccepted> {
    return this.#run('notify', job, undefined, options, (context) =>
      notify(this.#link, job, message, context),
    );
  }

  /**
   * Signals many jobs: `slurm_kill_jobs(3)`, `scancel` with filters. One request where the release has REQUEST_KILL_JOBS (23.11), else,
   * and where that could reach other jobs than were meant, a lookup and one REQUEST_KILL_JOB for each job.
   *
   * @param which ids (an empty list is no job at all) or a filter. Without `user` in it, a caller who is neither root nor SlurmUser
   * means own jobs; with nothing but ids, these jobs whosever they are.
   * @param unixSignal name or number, Linux numbering. Default SIGKILL.
   * @param options as `killJob`, and `concurrency`. `timeoutMs` defaults to twelve times MessageTimeout: give more for thousands of jobs
   * on a release before 23.11.
   * @returns one entry per job. What a single job was answered never rejects: see `outcome` and `jobs`. Jobs that the deadline left over
   * are listed as `not-sent`.
   * @throws as `killJob`, when nothing could be asked, when the request as a whole was refused, or when its one answer did not come:
   * then `outcome` is `unknown`.
   */
  killJobs(
    which: JobFilter | readonly JobId[],
    unixSignal: UnixSignal = 'SIGKILL',
    options: KillJobsOptions = {},
  ): Promise<KilledJobs> {
    let filter: CheckedFilter | undefined;
    return this.#run('killJobs', which, unixSignal, options, async (context, own) => {
      filter ??= parseFilter(which);
      return killJobs(this.#link, filter, unixSignal, own, context);
    });
  }

  /**
   * Signals jobs as kill(2) signals processes: delivers a signal, or with signal 0 checks whether one could be delivered.
   *
   * | target | means |
   * |---|---|
   * | `1234`, `'1234_7'`, `'1234+1'`, `'1234.0'` | one job, array task, component or step. The number of an array or a het leader is refused |
   * | `0` | the job this process runs in (`SLURM_JOB_ID`, `SLURM_CLUSTER_NAME`): one array task, but a het job whole |
   * | `-1234`, `'1234_*'`, `'1234_[1-5]'` | the array or heterogeneous job 1234 as a group, tasks of an array. Any other job is a group of its own |
   * | `-1` | every job of the caller (root and SlurmUser: every job) but the one this process runs in. Only with `broad` |
   *
   * Signal 0 reaches no process and switches no scrontab line off. The controller is asked whether the caller may signal the job, which it logs
   * where the answer is no; up to 24.11 it denies it to operators, who may. Pending and suspended jobs are there, finished ones are not (ESRCH).
   *
   * @param unixSignal name or number, Linux numbering, or 0.
   * @param options as `killJob`, and `broad`; to a step, none that says what is done to a job. Scrontab jobs are signalled as by `killJob`.
   * `timeoutMs` defaults to twelve times MessageTimeout.
   * @returns when at least one job or step has taken it, as kill(2) has it: `targets` tells of each.
   * @throws SlurmUsageError with `errno` EINVAL, or ESRCH for 0 outside of a job; SlurmServerError with EPERM, ESRCH or EAGAIN when none
   * took it, of a group with `parts` that tell of each; else as `killJob`.
   */
  kill(target: KillTarget, unixSignal: UnixSignal | 0, options: PosixKillOptions = {}): Promise<Killed> {
    return this.#run('kill', target, unixSignal, options, (context, own) =>
      kill(this.#link, target, unixSignal, own, ownJob(), context),
    );
  }

  /**
   * Asks what `kill(pid, 0)` asks: is it there, is it mine? A read without side effect; signal 0 is never sent. A job or step that does not
   * exist is a value, `exists: false`. With PrivateData=jobs somebody else's job looks the same: see `mayBeHidden`.
   *
   * @param target a job or a step in any form but a sluid.
   * @param options `timeoutMs` defaults to seven times MessageTimeout: first contact, the job, its steps, and for jobs with a
   * step manager four more: where its node is, its question, the node's version, the question in that one.
   * @throws as `killJob`, outcome `not-sent`, when the controller cannot be asked.
   */
  probe(target: JobId | StepTarget, options: CallOptions = {}): Promise<Probe> {
    return this.#run('probe', target, undefined, options, (context) => probe(this.#link, target, context));
  }

  /**
   * Ends a job or step and sees that it is gone: signal, grace, escalate, confirm. By default SIGTERM, 30 s, SIGKILL, then up to 120 s
   * until the controller says that it has ended and its nodes have cleaned up.
   *
   * SIGTERM goes to the steps and the batch shell, or to the shell's group where there are no steps. What ends during the grace gets no
   * SIGKILL; what is pending gets it at once, before what runs is signalled; what is completing is only waited for. A requeued job
   * is still the job that shall be gone, unless `requeued: 'leave'`.
   *
   * @param target a job or a step in any form but a sluid. All records it stands for are meant.
   * @param options `timeoutMs` is the whole budget, the client's own too, and is refused where the ladder has no room in it. It defaults to
   * the graces and `confirmMs`, and eleven times MessageTimeout and nine more for each rung after the first: give more for hundreds of array tasks.
   * @returns at once, with the termination under way: a promise of its result, which can be iterated for its events as well.
   * @throws (by the promise and by the iteration) SlurmTerminationError once a signal may have left: what survives, and where to resume. Before that
   * as `killJob`; with `ESLURM_ALREADY_DONE` or `ESLURM_INVALID_JOB_ID` (ESRCH) for what is gone already, unless `idempotent`.
   */
  terminate(target: JobId | StepTarget, options: TerminateOptions = {}): Termination {
    let plan: TerminatePlan | undefined;
    const planOf = (own: TerminateOptions) => {
      plan ??= terminatePlan(target, own);
      return plan;
    };
    const budgetMs = (messageTimeoutMs: number, own: TerminateOptions) => {
      const { state } = planOf(own);
      return plannedWaitMs(state) + plannedExchanges(state) * messageTimeoutMs;
    };
    return new Termination((report) => {
      const work = (context: CallContext, own: TerminateOptions) => {
        const tell = (event: TerminateEvent) => {
          report(event);
          if (terminateChannel.hasSubscribers)
            terminateChannel.publish({ call: callOf(context.signal), event });
        };
        const { idempotent = false } = own;
        return terminate(this.#link, planOf(own), { idempotent, report: tell }, context);
      };
      return this.#run('terminate', target, undefined, options, work, budgetMs);
    });
  }

  /**
   * What a call would do: which requests would go where, and which processes would get the signal. Sends lookups and nothing else.
   *
   * ```ts
   * const { effects } = await slurm.explain('killJob', 1234, 'SIGUSR1', { batch: true });
   * ```
   *
   * @param verb a verb that signals, or `suspend`, `resume`, `requeue`, `notify`. Of `terminate`, explain the rungs.
   * @param args what the verb would be called with. `timeoutMs` of its options is the budget of the explanation, and defaults to 24 times
   * MessageTimeout: give more for hundreds of jobs.
   * @throws what the verb throws before it sends anything, a bad argument or nothing there to signal; SlurmError of a lookup. Always `not-sent`.
   */
  explain<V extends ExplainableVerb>(verb: V, ...args: Parameters<SlurmClient[V]>): Promise<Explanation> {
    if (!Object.hasOwn(EXPLAINABLE, verb)) {
      const hint = `It explains ${Object.keys(EXPLAINABLE).join(', ')}.`;
      return Promise.reject(badOption('verb', verb, 'cannot be explained', hint));
    }
    const at = EXPLAINABLE[verb as ExplainableVerb];
    const given: unknown = (args as readonly unknown[])[at];
    const { timeoutMs, signal } = (given ?? {}) as CallOptions;
    return this.#run('explain', args[0], undefined, { timeoutMs, signal }, (context) =>
      explain(this.#link, verb, context, (link) => {
        const dry = new SlurmClient(link, undefined);
        const call = dry[verb as ExplainableVerb] as (...all: unknown[]) => Promise<unknown>;
        const dryArgs: unknown[] = [...args];
        while (dryArgs.length < at) dryArgs.push(undefined);
        // What is no object is for the verb to refuse. Its time is what is left of the explanation's.
        const isObject = given === undefined || (typeof given === 'object' && given !== null);
        const left = Math.max(1, context.remainingMs());
        dryArgs[at] = isObject ? { ...given, timeoutMs: left, signal: context.signal } : given;
        return call.apply(dry, dryArgs);
      }),
    );
  }

  /**
   * Asks every controller whether it is there: `slurm_ping(3)`. Never rejects for a controller that is not.
   *
   * @param options `timeoutMs` defaults to MessageTimeout.
   */
  ping(options: CallOptions = {}): Promise<ControllerPing[]> {
    return this.#run('ping', undefined, undefined, options, (context) => ping(this.#link, context));
  }

  /**
   * How this client stands with the controllers it has asked for something: what they refused because it was too much (1804, 1805), how fast
   * they are asked now, who waits. Asks nobody. docs/rate-limits.md says what it means.
   */
  paces(): Pace[] {
    return this.#link.paces();
  }

  /**
   * The low-level door: sends any described request to the controller and returns its reply, whatever error number it carries. Where the controller
   * says that it belongs to another cluster, it is that one's reply, and of a read that belongs to a step manager that one's: see `reroutedBy`.
   *
   * @param message upstream's name, for example `'REQUEST_KILL_JOB'`.
   * @param body the record, field names as upstream's in camel case.
   * @param options `timeoutMs` defaults to six times MessageTimeout: first contact, the request, and where a step manager has to be asked.
   * @throws SlurmUsageError `SLURMWIRE_UNSAFE_MESSAGE` for what could harm a cluster, SlurmProtocolError for a record that does
   * not fit the message; else as `killJob`, but for SlurmServerError.
   */
  request<N extends MessageName>(
    message: N,
    body: MessageInput<N>,
    options: RequestOptions = {},
  ): Promise<Reply> {
    return this.#run('request', message, undefined, options, async (context, own) => {
      if (!isMessageName(message)) throw unknownMessage(message);
      const { flags = 0, restrictUid } = own;
      checkUid('restrictUid', restrictUid);
      const call = { name: message, record: body, repeatable: false, flags };
      // In a given version the record is packed at once, whatever becomes of the caller's object.
      const whole = restrictUid === undefined ? call : { ...call, restrictUid };
      return whereItBelongs(this.#link, context, (link) => answerTo(link, whole, context));
    });
  }

  /** No new calls; resolves when those in flight have settled, each by its own deadline. May be called again. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#inFlight);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * @param work gets the options as they were when the call was made, whatever becomes of the caller's object.
   * @param budgetMs the default time limit, where it depends on the arguments.
   */
  #run<T, O extends CallOptions>(
    verb: SlurmwireVerb,
    target: unknown,
    unixSignal: unknown,
    options: O,
    work: (context: CallContext, own: O) => Promise<T>,
    budgetMs?: (messageTimeoutMs: number, own: O) => number,
  ): Promise<T> {
    const carryOut = (trace: CallTrace | null) => this.#carryOut(verb, options, work, budgetMs, trace);
    // The verb that an explanation runs is no call of its own.
    const isTold = isObserved() && this.#link.setup.instead === undefined;
    const { known } = VERBS[verb];
    const running = isTold
      ? traceCall({ client: this, verb, target, unixSignal, options, known }, carryOut)
      : carryOut(null);
    this.#inFlight.add(running);
    const forget = () => this.#inFlight.delete(running);
    running.then(forget, forget);
    return running;
  }

  async #carryOut<T, O extends CallOptions>(
    verb: SlurmwireVerb,
    options: O,
    work: (context: CallContext, own: O) => Promise<T>,
    budgetMs: ((messageTimeoutMs: number, own: O) => number) | undefined,
    trace: CallTrace | null,
  ): Promise<T> {
    if (this.#closed) throw closedClient();
    const { known, exchanges } = VERBS[verb];
    checkOptions(verb, options, known);
    const own = readOnce(options, known);
    const { messageTimeoutMs, takeoverMs = 0 } = this.#link.setup;
    const defaultMs = (budgetMs?.(messageTimeoutMs, own) ?? exchanges * messageTimeoutMs) + takeoverMs;
    const deadline = new Deadline(own.timeoutMs ?? this.#timeoutMs ?? defaultMs, own.signal);
    belongsTo(deadline.signal, trace);
    return plannedAnew(() => work(deadline, own)).finally(() => deadline.dispose());
  }
}

/** The options of each verb, and for how many exchanges one after the other its default time limit is made. */
const VERBS: Readonly<
  Record<SlurmwireVerb, { readonly known: readonly string[]; readonly exchanges: number }>
> = {
  killJob: { known: KILL_JOB_OPTIONS, exchanges: KILL_EXCHANGES },
  killJobStep: { known: KILL_CALL_OPTIONS, exchanges: KILL_STEP_EXCHANGES },
  killJobs: { known: KILL_JOBS_OPTIONS, exchanges: KILL_JOBS_EXCHANGES },
  signalJob: { known: FAN_OUT_OPTIONS, exchanges: FAN_OUT_EXCHANGES },
  signalJobStep: { known: FAN_OUT_OPTIONS, exchanges: FAN_OUT_EXCHANGES },
  terminateJobStep: { known: FAN_OUT_OPTIONS, exchanges: FAN_OUT_EXCHANGES },
  kill: { known: POSIX_KILL_OPTIONS, exchanges: POSIX_KILL_EXCHANGES },
  suspend: { known: JOB_CONTROL_OPTIONS, exchanges: SUSPEND_EXCHANGES },
  resume: { known: JOB_CONTROL_OPTIONS, exchanges: SUSPEND_EXCHANGES },
  requeue: { known: REQUEUE_OPTIONS, exchanges: REQUEUE_EXCHANGES },
  notify: { known: CALL_OPTIONS, exchanges: NOTIFY_EXCHANGES },
  probe: { known: CALL_OPTIONS, exchanges: PROBE_EXCHANGES + STEP_MANAGER_EXCHANGES },
  // Graces and waits are in its own: see there.
  terminate: { known: TERMINATE_OPTIONS, exchanges: 0 },
  explain: { known: CALL_OPTIONS, exchanges: EXPLAIN_EXCHANGES },
  ping: { known: CALL_OPTIONS, exchanges: 1 },
  request: { known: REQUEST_OPTIONS, exchanges: 6 },
};

/** Read anew each time, as a program may change its environment. */
function ownJob(): OwnJob {
  const { SLURM_JOB_ID: jobId, SLURM_CLUSTER_NAME: clusterName } = process.env;
  return { jobId, clusterName };
}

function closedClient(): SlurmUsageError {
  return new SlurmUsageError('the client is closed.', {
    code: 'SLURMWIRE_CLOSED',
    errno: 'EBADF',
    field: 'client',
    value: 'closed',
  });
}

function unknownMessage(value: unknown): SlurmUsageError {
  return new SlurmUsageError(`message ${showValue(value)} is not described here.`, {
    code: 'SLURMWIRE_UNKNOWN_MESSAGE',
    field: 'message',
    value,
  });
}
