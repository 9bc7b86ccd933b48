/**
 * What happens to jobs: submitted, started, signalled, suspended, requeued, ended. The one place that changes a {@link Job}; handlers of
 * requests decide whether something may be done, and have it done here.
 */
import { KILL_FLAGS } from '../../protocol/kill-flags.js';
import {
  isJobFinished,
  isJobPending,
  isJobRunning,
  isJobSuspended,
  JOB_STATE_FLAGS,
  JOB_STATES,
} from '../../protocol/messages/job-state.js';
import { isAtLeast, type Release } from '../../protocol/release.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { SPECIAL_STEP_IDS } from '../../protocol/step-id.js';
import { UNIX_SIGNALS, unixSignalName } from '../../protocol/unix-signal.js';
import { stepName } from '../../rpc/signal-plan.js';
import type { Executor } from './executor.js';
import type { Job, JobSpec, Step, StepProgram } from './job.js';
import { keepLast } from './keep-last.js';
import { Resources } from './resources.js';
import type { ArraySpec } from './submit-options.js';
import type { ClusterUser } from './user.js';
import { type BaseState, nowSeconds, type World } from './world.js';

const { JOB_COMPLETING, JOB_REQUEUE_HOLD, JOB_SPECIAL_EXIT } = JOB_STATE_FLAGS;
const { SIGKILL, SIGTERM, SIGCONT, SIGSTOP, SIGTSTP } = UNIX_SIGNALS;

/** Numbers of `enum job_state_reason`, the same in 20.11 to 26.11. */
export const REASONS = {
  WAIT_NO_REASON: 0,
  WAIT_PRIORITY: 1,
  WAIT_DEPENDENCY: 2,
  WAIT_RESOURCES: 3,
  WAIT_TIME: 9,
  WAIT_HELD_USER: 16,
  FAIL_EXIT_CODE: 24,
  FAIL_TIMEOUT: 25,
  WAIT_ARRAY_TASK_LIMIT: 72,
} as const;

/** Which processes of a job on one node a signal is for, as a slurmd is told. */
export interface SignalSelector {
  readonly stepId: number;
  readonly stepHetComp: number;
  /** KILL_* bits. */
  readonly flags: number;
}

/** slurmctld takes its time to give away what has become free, up to some seconds: who asks right after an end sees that nobody has it yet. */
const FREED_MS = 200;

/** What a slurmd answers: 0, 2017 no such step here, 4027 the step takes no signal. */
const NO_SUCH_STEP = 2017;
const NOT_RUNNING = 4027;

/** A step of a job as it is asked for. */
export interface StepOptions {
  readonly name?: string | undefined;
  /** How many of the job's, the first ones. Default: all. */
  readonly nodes?: number | undefined;
  /** Which of the job's. */
  readonly nodeList?: readonly string[] | undefined;
  /** Default: one a node. */
  readonly tasks?: number | undefined;
  readonly program?: StepProgram | undefined;
  /** Of a step of several components: the number it has in all of them, and that of its first task in this one. */
  readonly stepId?: number | undefined;
  readonly firstTask?: number | undefined;
}

export class Life {
  readonly world: World;
  readonly executor: Executor;
  readonly #resources: Resources;
  /** Jobs that could start, in the order they came. */
  readonly #queue = new Set<Job>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Jobs that are being ended, with those nodes that could not be told yet. */
  readonly #untold = new Map<Job, Set<string>>();
  #isScheduling = false;

  constructor(world: World, executor: Executor) {
    this.world = world;
    this.executor = executor;
    this.#resources = new Resources(world);
  }

  /** CPUs of a node that jobs have. */
  cpusTaken(node: string): number {
    return this.#resources.taken(node);
  }

  /** Takes a job in; one record for an array, one per component for a heterogeneous one. */
  submit(user: ClusterUser, specs: readonly JobSpec[], array: ArraySpec | null): Job[] {
    const ids = specs.map(() => this.world.nextJobId++);
    const [leader = 0] = ids;
    const jobs = specs.map((spec, offset) => {
      const jobId = ids[offset] as number;
      const het = specs.length > 1 ? { jobId: leader, offset, jobIds: ids } : null;
      const place =
        array === null ? null : { jobId, taskId: null, waiting: new Set(array.tasks), limit: array.limit };
      const job = newJob(jobId, user, spec, place, het);
      this.world.jobs.set(jobId, job);
      return job;
    });
    for (const job of jobs) this.#enqueue(job);
    this.world.changed();
    return jobs;
  }

  /** Lets jobs go that wait for a word: held ones, and those with a dependency. */
  release(job: Job): void {
    if (!isJobPending(job.state)) return;
    job.priority = PRIORITY;
    job.beginTime = 0;
    job.eligibleTime = nowSeconds();
    this.#enqueue(job, true);
    this.world.changed();
  }

  hold(job: Job): void {
    job.priority = 0;
    job.reason = REASONS.WAIT_HELD_USER;
    this.#queue.delete(job);
    this.world.changed();
  }

  #enqueue(job: Job, isReleased = false): void {
    const waitMs = job.beginTime * 1000 - Date.now();
    if (job.priority === 0) job.reason = REASONS.WAIT_HELD_USER;
    else if (job.spec.dependency !== null && !isReleased) job.reason = REASONS.WAIT_DEPENDENCY;
    else if (waitMs > 0) {
      job.reason = REASONS.WAIT_TIME;
      const { beginTime } = job;
      const go = () => {
        if (job.beginTime === beginTime && isJobPending(job.state)) this.#enqueue(job, isReleased);
      };
      // What no timer can wait for is as good as never.
      if (waitMs < 0x7fffffff) this.#after(waitMs, go);
    } else {
      job.reason = REASONS.WAIT_RESOURCES;
      this.#queue.add(job);
      this.#scheduleSoon();
    }
  }

  #scheduleSoon(): void {
    if (this.#isScheduling) return;
    this.#isScheduling = true;
    setImmediate(() => {
      this.#isScheduling = false;
      this.#schedule();
    });
  }

  #schedule(): void {
    for (const job of [...this.#queue]) {
      if (this.#resources.isFull) return;
      if (!isJobPending(job.state) || (job.state & JOB_COMPLETING) !== 0) continue;
      if (job.het === null) while (this.#startNext(job));
      else if (job.het.offset === 0) this.#startComponents(job);
    }
  }

  /** @returns true where the record has another task that may start. */
  #startNext(job: Job): boolean {
    const { array } = job;
    if (array !== null && array.limit > 0 && this.#running(array.jobId) >= array.limit) {
      job.reason = REASONS.WAIT_ARRAY_TASK_LIMIT;
      return false;
    }
    const nodes = this.#resources.take(job);
    if (nodes === null) return false;
    if (array === null || array.taskId !== null) {
      this.#start(job, nodes);
      return false;
    }
    const task = this.splitTask(job, Math.min(...array.waiting));
    if (task !== job) this.#resources.pass(job, task);
    this.#start(task, nodes);
    return task !== job;
  }

  #running(arrayJobId: number): number {
    const tasks = this.world.jobs.ofArray(arrayJobId);
    return tasks.filter(({ state }) => isJobRunning(state) || isJobSuspended(state)).length;
  }

  #startComponents(leader: Job): void {
    const jobs = this.components(leader).filter(({ state }) => isJobPending(state));
    const places = jobs.map((job) => this.#resources.take(job));
    if (places.some((nodes) => nodes === null)) {
      for (const job of jobs) this.#resources.give(job);
      return;
    }
    jobs.forEach((job, i) => {
      this.#start(job, places[i] as string[]);
    });
  }

  /** All records of a heterogeneous job, the leader's first; of any other job, itself. */
  components(job: Job): Job[] {
    if (job.het === null) return [job];
    return job.het.jobIds.flatMap((id) => this.world.jobs.get(id) ?? []);
  }

  /**
   * Gives a waiting task of an array a record of its own. The task gets a new number, and the meta record keeps the array's; the last task
   * gets the meta record itself.
   */
  splitTask(meta: Job, taskId: number): Job {
    const { array } = meta;
    if (array === null || !array.waiting.has(taskId)) throw new RangeError(`task ${taskId} does not wait`);
    array.waiting.delete(taskId);
    if (array.waiting.size === 0) {
      array.taskId = taskId;
      return meta;
    }
    const place = { jobId: array.jobId, taskId, waiting: new Set<number>(), limit: array.limit };
    const task = newJob(this.world.nextJobId++, meta.user, meta.spec, place, null, meta);
    this.world.jobs.set(task.jobId, task);
    return task;
  }

  #start(job: Job, nodes: readonly string[]): void {
    this.#queue.delete(job);
    job.state = JOB_STATES.JOB_RUNNING;
    job.reason = REASONS.WAIT_NO_REASON;
    job.nodes = nodes;
    job.startTime = nowSeconds();
    job.startedIn = this.world.release;
    const { timeLimit, script, steps } = job.spec;
    job.endTime = timeLimit === null ? 0 : job.startTime + timeLimit * 60;
    if (timeLimit !== null && timeLimit * 60_000 < 0x7fffffff) {
      const run = job.restartCnt;
      this.#after(timeLimit * 60_000, () => {
        if (run !== job.restartCnt || !(isJobRunning(job.state) || isJobSuspended(job.state))) return;
        job.reason = REASONS.FAIL_TIMEOUT;
        this.end(job, JOB_STATES.JOB_TIMEOUT);
      });
    }
    // The batch shell is on the first node of the leader.
    if (script !== null) {
      const [host = ''] = nodes;
      this.#launch(job, SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT, 'batch', [host], 1, null);
    }
    if (this.world.settings.jobs === 'records') for (const step of steps) this.startStep(job, step);
    this.world.changed();
  }

  /** Starts a step of a running job. */
  startStep(job: Job, options: StepOptions): Step {
    const { name = 'step', nodes = job.nodes.length, tasks = nodes, program = null } = options;
    const chosen = options.nodeList ?? job.nodes.slice(0, nodes);
    const { stepId = job.nextStepId, firstTask = 0 } = options;
    job.nextStepId = stepId + 1;
    return this.#launch(job, stepId, name, chosen, Math.max(tasks, chosen.length), program, firstTask);
  }

  #launch(
    job: Job,
    stepId: number,
    name: string,
    nodes: readonly string[],
    tasks: number,
    program: StepProgram | null,
    firstTask = 0,
  ): Step {
    const byNode = new Map<string, number[]>();
    // In blocks, as srun does by default.
    nodes.forEach((node, i) => {
      const [from, to] = [i, i + 1].map((at) => Math.ceil((at * tasks) / nodes.length)) as [number, number];
      byNode.set(
        node,
        Array.from({ length: to - from }, (_, k) => firstTask + from + k),
      );
    });
    const step: Step = {
      jobId: job.jobId,
      stepId,
      stepHetComp: NO_VAL,
      name,
      nodes,
      tasks: byNode,
      startedIn: oldestOf(nodes.map((node) => this.world.releaseOfNode(node))),
      startTime: nowSeconds(),
      isSuspended: false,
      isEndAnnounced: false,
      program,
      left: new Map([...byNode].map(([node, own]) => [node, own.length])),
      exitCode: 0,
    };
    job.steps.set(stepId, step);
    this.executor.start(job, step, {
      taskEnded: (_job, _step, node, status) => this.#taskEnded(job, step, node, status),
    });
    this.world.changed();
    return step;
  }

  #taskEnded(job: Job, step: Step, node: string, status: number): void {
    step.exitCode = Math.max(step.exitCode, status);
    const left = (step.left.get(node) ?? 1) - 1;
    if (left > 0) step.left.set(node, left);
    else step.left.delete(node);
    if (step.left.size > 0) return;
    job.steps.delete(step.stepId);
    job.derivedEc = Math.max(
      job.derivedEc,
      step.stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT ? 0 : step.exitCode,
    );
    const wasRunning = isJobRunning(job.state) || isJobSuspended(job.state);
    if (step.stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) job.exitCode = step.exitCode;
    if (step.stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT && wasRunning) {
      if (step.exitCode !== 0) job.reason = REASONS.FAIL_EXIT_CODE;
      for (const one of this.components(job)) {
        if (!isJobFinished(one.state))
          this.end(one, step.exitCode === 0 ? JOB_STATES.JOB_COMPLETE : JOB_STATES.JOB_FAILED);
      }
    }
    step.program?.ended(step.exitCode);
    this.#completeIfEmpty(job);
    this.world.changed();
  }

  /** Takes a job that waits out of the queue; of an array, only the waiting tasks named. */
  cancelPending(job: Job, base: BaseState = JOB_STATES.JOB_CANCELLED, tasks?: Iterable<number>): void {
    const { array } = job;
    if (tasks !== undefined && array !== null && array.taskId === null) {
      // The last one is kept, to be the record of what was cancelled.
      for (const task of tasks)
        if (array.waiting.size > 1) array.waiting.delete(task);
        else if (array.waiting.has(task)) this.cancelPending(job, base);
      this.world.changed();
      return;
    }
    this.#queue.delete(job);
    // One that still completes after a requeue is not to come back.
    job.requeueFlags = null;
    job.state = base | (job.state & JOB_COMPLETING);
    job.startTime = job.endTime = nowSeconds();
    this.world.changed();
  }

  /**
   * Ends a running or suspended job: its processes get SIGCONT and SIGTERM and, where they are not gone after KillWait, SIGKILL. It is
   * completing until all are gone.
   */
  end(job: Job, base: BaseState): void {
    job.state = base | JOB_COMPLETING;
    job.endTime = nowSeconds();
    this.#untold.set(job, new Set(job.nodes));
    this.#tell(job);
    this.#completeIfEmpty(job);
    this.world.changed();
  }

  /** Ends a job without a batch script, as its salloc or srun does. */
  complete(job: Job, status: number): void {
    if (!isJobRunning(job.state)) return;
    for (const one of this.components(job)) {
      one.exitCode = status;
      if (!isJobFinished(one.state))
        this.end(one, status === 0 ? JOB_STATES.JOB_COMPLETE : JOB_STATES.JOB_FAILED);
    }
  }

  /** A slurmd is back: it is told what it could not be told while it was down, and jobs may start there. */
  nodeIsBack(): void {
    for (const job of [...this.#untold.keys()]) {
      this.#tell(job);
      this.#completeIfEmpty(job);
    }
    this.#scheduleSoon();
  }

  #tell(job: Job): void {
    const untold = this.#untold.get(job);
    const told = [...(untold ?? [])].filter((node) => this.world.isReachable(node));
    for (const node of told) {
      untold?.delete(node);
      for (const unixSignal of [SIGCONT, SIGTERM]) this.#signalAll(job, node, unixSignal);
    }
    const stillThere = told.filter((node) => [...job.steps.values()].some(({ left }) => left.has(node)));
    if (stillThere.length === 0) return;
    this.#after(this.world.killWaitMs, () => {
      for (const node of stillThere) this.#signalAll(job, node, SIGKILL);
    });
  }

  #signalAll(job: Job, node: string, unixSignal: number): void {
    for (const step of job.steps.values()) this.#send(job, step, node, unixSignal, 'tasks');
  }

  #completeIfEmpty(job: Job): void {
    if ((job.state & JOB_COMPLETING) === 0 || job.steps.size > 0) return;
    if ((this.#untold.get(job)?.size ?? 0) > 0) return;
    this.#untold.delete(job);
    job.state &= ~JOB_COMPLETING;
    this.#resources.give(job);
    if (job.requeueFlags !== null) this.#putBack(job, job.requeueFlags);
    this.world.changed();
    // For those that waited for what it had.
    this.#after(FREED_MS, () => this.#scheduleSoon());
  }

  /** Sends a job back into the queue: one that runs is ended first. */
  requeue(job: Job, flags: number): void {
    job.requeueFlags = flags;
    // At once, though its last run may still complete.
    job.restartCnt += 1;
    if (isJobFinished(job.state) && (job.state & JOB_COMPLETING) === 0) {
      this.#putBack(job, flags);
      this.world.changed();
      return;
    }
    this.end(job, JOB_STATES.JOB_PENDING);
  }

  #putBack(job: Job, flags: number): void {
    job.requeueFlags = null;
    const isHeld = (flags & (JOB_REQUEUE_HOLD | JOB_SPECIAL_EXIT)) !== 0;
    job.state = JOB_STATES.JOB_PENDING | (flags & JOB_SPECIAL_EXIT);
    job.reasonText = isHeld ? 'job requeued in held state' : null;
    job.priority = isHeld ? 0 : PRIORITY;
    const now = nowSeconds();
    // Until nobody takes the credential of its last run any more.
    if (job.beginTime <= now) job.beginTime = now + this.#requeueDelay() + 1;
    job.eligibleTime = isHeld ? 0 : job.beginTime;
    Object.assign(job, {
      nodes: [],
      startTime: 0,
      endTime: 0,
      suspendTime: 0,
      preSusTime: 0,
      exitCode: 0,
      derivedEc: 0,
    });
    this.#enqueue(job, true);
  }

  /** Seconds. Source: `batch_requeue_fini` of 22.05.8 and 26.05.3. */
  #requeueDelay(): number {
    const { SchedulerParameters = '' } = this.world.settings.parameters;
    const given = /(?:^|,)requeue_delay=(\d+)/.exec(SchedulerParameters)?.[1];
    return given === undefined || !isAtLeast(this.world.release, '25.11') ? 120 : Number(given);
  }

  /** Stops all processes of a running job. */
  suspend(job: Job): void {
    job.state = JOB_STATES.JOB_SUSPENDED;
    const now = nowSeconds();
    job.preSusTime += now - Math.max(job.startTime, job.suspendTime);
    job.suspendTime = now;
    this.#stopOrGo(job, [SIGTSTP, SIGSTOP], true);
  }

  resume(job: Job): void {
    job.state = JOB_STATES.JOB_RUNNING;
    job.suspendTime = nowSeconds();
    this.#stopOrGo(job, [SIGCONT], false);
  }

  #stopOrGo(job: Job, unixSignals: readonly number[], isSuspended: boolean): void {
    for (const step of job.steps.values()) {
      step.isSuspended = isSuspended;
      for (const node of step.nodes)
        for (const unixSignal of unixSignals) this.executor.signal(job, step, node, unixSignal, 'tasks');
    }
    this.world.changed();
  }

  /** Signals the nodes of a job as slurmctld does: soon, without an answer, and those that are down not at all. */
  signalNodes(
    job: Job,
    selector: SignalSelector,
    unixSignal: number,
    nodes: readonly string[] = job.nodes,
  ): void {
    setImmediate(() => {
      for (const node of nodes)
        if (this.world.isReachable(node)) this.signalOnNode(job, node, selector, unixSignal);
    });
  }

  /**
   * What a slurmd does with a signal for a job.
   *
   * @returns its answer: 0, 2017, 4027.
   */
  signalOnNode(
    job: Job,
    node: string,
    { stepId, stepHetComp, flags }: SignalSelector,
    unixSignal: number,
  ): number {
    const here = [...job.steps.values()].filter(({ left }) => left.has(node));
    if (here.length === 0) return NO_SUCH_STEP;
    const batch = here.find((step) => step.stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT);
    if ((flags & (KILL_FLAGS.KILL_JOB_BATCH.bit | KILL_FLAGS.KILL_FULL_JOB.bit)) !== 0) {
      // Where both are asked for, the group is meant.
      const whom = (flags & KILL_FLAGS.KILL_FULL_JOB.bit) !== 0 ? 'group' : 'shell';
      if (batch !== undefined && mayReach(batch, unixSignal)) this.#send(job, batch, node, unixSignal, whom);
      return 0;
    }
    if ((flags & KILL_FLAGS.KILL_STEPS_ONLY.bit) !== 0) {
      for (const step of here)
        if (step !== batch && mayReach(step, unixSignal)) this.#send(job, step, node, unixSignal, 'tasks');
      return 0;
    }
    const step = here.find((one) => one.stepId === stepId && one.stepHetComp === stepHetComp);
    if (step === undefined) return NO_SUCH_STEP;
    if (!mayReach(step, unixSignal)) return NOT_RUNNING;
    this.#send(job, step, node, unixSignal, 'tasks');
    return 0;
  }

  #send(job: Job, step: Step, node: string, unixSignal: number, whom: 'tasks' | 'shell' | 'group'): void {
    if (unixSignal === SIGTERM || unixSignal === SIGKILL) this.#announceEnd(job, step, node);
    if (unixSignal === 0) return;
    const pids = this.executor.signal(job, step, node, unixSignal, whom);
    if (pids === null) return;
    const { jobId, stepId } = step;
    const names = { target: stepName(step), signal: unixSignalName(unixSignal) };
    const seen = { jobId, stepId, ...names, node, unixSignal, whom, pids, at: Date.now() };
    keepLast(this.world.signals, seen, this.world.settings.maxSignals);
    this.world.tell();
  }

  /** Puts a text into the output of a running job, as `scontrol notify` does. */
  write(job: Job, text: string): void {
    const step = job.steps.get(SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT);
    if (step !== undefined) this.executor.write(job, step, step.nodes[0] ?? '', text);
  }

  /** The first node of a step says once that it is going to end. */
  #announceEnd(job: Job, step: Step, node: string): void {
    if (step.isEndAnnounced || node !== step.nodes[0]) return;
    step.isEndAnnounced = true;
    const { jobId, stepId } = step;
    const what = stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT ? `JOB ${jobId}` : `STEP ${jobId}.${stepId}`;
    const why =
      job.reason === REASONS.FAIL_TIMEOUT
        ? ' DUE TO TIME LIMIT'
        : job.requeueFlags === null
          ? ''
          : ' DUE TO JOB REQUEUE';
    this.executor.write(
      job,
      step,
      node,
      `*** ${what} ON ${node} CANCELLED AT ${timeText(new Date())}${why} ***`,
    );
  }

  #after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    // A job that waits is no reason for the process to go on.
    timer.unref();
    this.#timers.add(timer);
  }

  /** Ends all timers and processes. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#queue.clear();
    await this.executor.close();
  }

  /** Ends all jobs by force, as if there had never been any. */
  async forget(): Promise<void> {
    await this.close();
    this.executor.reopen();
    for (const job of this.world.jobs.values()) this.#resources.give(job);
    this.#queue.clear();
    this.#untold.clear();
    this.world.jobs.clear();
    this.world.nextJobId = this.world.firstJobId;
    this.world.changed();
  }
}

/** As Slurm's tools write it: local time. */
function timeText(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

/** Among these; each slurmd of a step has to understand the others. */
function oldestOf(releases: readonly Release[]): Release {
  return releases.reduce((oldest, one) => (isAtLeast(oldest, one) ? one : oldest));
}

/** A suspended step takes SIGKILL only. */
function mayReach(step: Step, unixSignal: number): boolean {
  return !step.isSuspended || unixSignal === SIGKILL;
}

/** Among the option bits of a job. */
export const STEPMGR_ENABLED = 1n << 41n;

/** Of a job that is not held, as PriorityType=priority/basic begins with. */
const PRIORITY = 4_294_901_000;

function newJob(
  jobId: number,
  user: ClusterUser,
  spec: JobSpec,
  array: Job['array'],
  het: Job['het'],
  like?: Job,
): Job {
  const now = nowSeconds();
  return {
    jobId,
    sluid: (BigInt(Date.now()) << 20n) | BigInt(jobId & 0xfffff),
    array,
    het,
    user,
    spec,
    state: JOB_STATES.JOB_PENDING,
    reason: REASONS.WAIT_NO_REASON,
    reasonText: null,
    priority: like?.priority ?? (spec.hold ? 0 : PRIORITY),
    bitflags: spec.stepManager ? STEPMGR_ENABLED : 0n,
    nodes: [],
    steps: new Map(),
    exitCode: 0,
    derivedEc: 0,
    submitTime: like?.submitTime ?? now,
    beginTime: like?.beginTime ?? spec.beginTime,
    eligibleTime: like?.eligibleTime ?? (spec.hold ? 0 : Math.max(now, spec.beginTime)),
    startTime: 0,
    endTime: 0,
    suspendTime: 0,
    preSusTime: 0,
    restartCnt: 0,
    comment: spec.comment,
    adminComment: null,
    startedIn: null,
    nextStepId: 0,
    requeueFlags: null,
  };
}
