/**
 * `explain`: what a verb would send where, and which processes would get the signal. The requests are those of a dry run; what they do is read
 * from the controller's tables by the rules in the comments.
 *
 * Source of the rules: slurmctld's and slurmd's handling of KILL_JOB, CANCEL_JOB_STEP, SIGNAL_TASKS and TERMINATE_TASKS in 20.11 to 26.05, held
 * against what processes wrote down on 22.05 and 26.05.
 */
import { expandHostlist } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { parseJobId } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import {
  isJobFinished,
  isJobPending,
  isJobRunning,
  JOB_STATES,
  jobStateName,
} from '../protocol/messages/job-state.js';
import type { NodeResult } from '../protocol/node-result.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import { showEndpoint } from '../protocol/transport.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import type { ControllerLink } from './controller-link.js';
import type { NotedRequest } from './dry-run.js';
import { type CheckedFilter, fits } from './job-filter.js';
import { isMeant, jobRecords, stepRecords } from './job-lookup.js';
import { allJobs, nameOf } from './kill-jobs-singles.js';
import { nodesOf, stepName } from './signal-plan.js';

/** One request that the verb would make. */
export interface ExplainedRequest {
  readonly rpc: MessageName;
  readonly to: 'slurmctld' | 'slurmd';
  /** `host:port`. */
  readonly peer: string;
  /** Nodes that the slurmd there would pass it on to. */
  readonly forwardedTo: readonly string[];
  /** The message, as it would be packed. */
  readonly record: unknown;
}

/** What would become of one job or step. */
export interface ExplainedEffect {
  /** As Slurm writes it: `12`, `12_3`, `12.0`, `12.batch`. */
  readonly target: string;
  /** Number of its job's own record. */
  readonly jobId: number;
  /** Base state of its job, in the words of Slurm's tools. */
  readonly state: string;
  /**
   * - `signalled`: its processes get the signal.
   * - `ended`: the job ends: SIGCONT and SIGTERM to all its processes, SIGKILL after KillWait.
   * - `cancelled`: it has no processes and leaves the queue.
   * - `nothing`: Slurm accepts, and no process gets anything.
   * - `refused`: Slurm says `code`.
   */
  readonly effect: 'signalled' | 'ended' | 'cancelled' | 'nothing' | 'refused';
  /** Which processes: all of the job, all of the step, the batch shell alone, or the batch shell's process group. `null` for none. */
  readonly processes: 'job' | 'step' | 'batch-shell' | 'batch-group' | null;
  /** Where they are, in node order. */
  readonly nodes: readonly string[];
  /** Name of the number of a refusal. */
  readonly code: string | null;
}

/** What a call would do, had it been made when the controller was asked. */
export interface Explanation {
  readonly verb: string;
  /** Everything that would be sent, lookups and first contacts aside. */
  readonly requests: readonly ExplainedRequest[];
  /** Whom a signal would reach; empty for verbs that send none. Whether the caller may do it only Slurm knows. */
  readonly effects: readonly ExplainedEffect[];
  readonly protocol: Release;
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** Verbs that can be explained. `terminate` is its rungs: explain `killJob` for each. */
export const EXPLAINABLE = {
  killJob: 2,
  killJobStep: 2,
  killJobs: 2,
  signalJob: 2,
  signalJobStep: 2,
  terminateJobStep: 1,
  kill: 2,
  suspend: 1,
  resume: 1,
  requeue: 1,
  notify: 2,
} as const; // where in the arguments the options stand

export type ExplainableVerb = keyof typeof EXPLAINABLE;

/** Exchanges it may take beyond those of the verb. */
export const EXPLAIN_EXCHANGES = 12;

export function explainedRequest({ name, record, endpoint, forwardedTo }: NotedRequest): ExplainedRequest {
  const to = isForNodes(name) ? 'slurmd' : 'slurmctld';
  return { rpc: name, to, peer: showEndpoint(endpoint), forwardedTo, record };
}

function isForNodes(name: MessageName): boolean {
  return name === 'REQUEST_SIGNAL_TASKS' || name === 'REQUEST_TERMINATE_TASKS';
}

/**
 * What the requests of a dry run would do.
 *
 * @param nodes what the nodes "answered" in it.
 */
export async function effectsOf(
  link: ControllerLink,
  noted: readonly NotedRequest[],
  nodes: readonly NodeResult[],
  context: CallContext,
): Promise<ExplainedEffect[]> {
  const effects: ExplainedEffect[] = [];
  const seen = new Set<string>();
  for (const request of noted) {
    if (request.name === 'REQUEST_KILL_JOB' || request.name === 'REQUEST_CANCEL_JOB_STEP') {
      effects.push(...(await ofKill(link, request, context)));
    } else if (request.name === 'REQUEST_KILL_JOBS') {
      effects.push(...(await ofKillJobs(link, request.record, context)));
    } else if (request.name === 'REQUEST_SIGNAL_TASKS' || request.name === 'REQUEST_TERMINATE_TASKS') {
      // One message goes to many nodes: it is looked at once.
      const { stepId, flags } = request.record;
      const key = [stepId.jobId, stepId.stepId, stepId.stepHetComp, flags].join();
      if (!seen.has(key)) effects.push(...(await ofNodeMessage(link, request.record, nodes, context)));
      seen.add(key);
    }
  }
  return effects;
}

async function ofKill(
  link: ControllerLink,
  { name, record }: Extract<NotedRequest, { name: 'REQUEST_KILL_JOB' | 'REQUEST_CANCEL_JOB_STEP' }>,
  context: CallContext,
): Promise<ExplainedEffect[]> {
  const { stepId, sjobId, signal, flags } = record;
  if (name === 'REQUEST_CANCEL_JOB_STEP' && stepId.stepId !== NO_VAL)
    return ofStep(link, stepId, signal, context);
  const meant = name === 'REQUEST_KILL_JOB' ? parseJobId(sjobId ?? '') : plain(stepId.jobId);
  const found = await jobRecords(link, meant, context);
  const own = name === 'REQUEST_KILL_JOB' ? found : found.filter(({ jobId }) => jobId === stepId.jobId);
  const whole = await withOtherComponents(link, own, found, context);
  return (await Promise.all(whole.map((job) => ofJob(link, job, signal, flags, context)))).flat();
}

function plain(jobId: number) {
  return parseJobId(jobId);
}

/** A het leader stands for all components, and with `whole_hetjob` any component does. */
async function withOtherComponents(
  link: ControllerLink,
  own: readonly JobRecord[],
  found: readonly JobRecord[],
  context: CallContext,
): Promise<readonly JobRecord[]> {
  const [one] = own;
  if (one === undefined || one.hetJobId === 0) return own;
  if (!isComponent(one)) return found.filter(({ hetJobId }) => hetJobId === one.hetJobId);
  if (!(await link.clusterFacts(context)).wholeHetJob) return own;
  return jobRecords(link, plain(one.hetJobId), context);
}

async function ofKillJobs(
  link: ControllerLink,
  record: MessageRecord<'REQUEST_KILL_JOBS'>,
  context: CallContext,
): Promise<ExplainedEffect[]> {
  const { jobsArray, jobName, state, nodelist, userName, userId, signal, flags } = record;
  const { account, partition, qos, reservation, wckey } = record;
  const filter: CheckedFilter = {
    ids: null,
    user: null,
    account,
    partition,
    qos,
    name: jobName,
    state: state === JOB_STATES.JOB_END ? null : state,
    nodes: nodelist === null ? null : expandHostlist(nodelist),
    reservation,
    wckey,
  };
  const ids = jobsArray.map((text) => parseJobId(text ?? ''));
  const { records } = await allJobs(
    link,
    ids.length === 0 ? null : { jobIds: ids.map(({ jobId }) => jobId) },
    context,
  );
  const jobs = records.filter(
    (job) =>
      (ids.length === 0 ? !isJobFinished(job.jobState) : ids.some((id) => isMeant(job, id))) &&
      fits(job, filter, userName === null ? null : userId),
  );
  return (await Promise.all(jobs.map((job) => ofJob(link, job, signal, flags, context)))).flat();
}

/** A job record that is signalled as a whole: the table of states and flags. */
async function ofJob(
  link: ControllerLink,
  job: JobRecord,
  signal: number,
  flags: number,
  context: CallContext,
): Promise<ExplainedEffect[]> {
  const target = nameOf(job);
  const about = { target, jobId: job.jobId, state: jobStateName(job.jobState) };
  const kills = signal === UNIX_SIGNALS.SIGKILL;
  if (isJobFinished(job.jobState)) return [refused(about, 'ESLURM_ALREADY_DONE')];
  if (isJobPending(job.jobState)) {
    if (!kills) return [refused(about, 'ESLURM_TRANSITION_STATE_NO_UPDATE')];
    return [{ ...about, effect: 'cancelled', processes: null, nodes: [], code: null }];
  }
  const ended = {
    ...about,
    effect: 'ended',
    processes: 'job',
    nodes: expand(job.nodes),
    code: null,
  } as const;
  if (!isJobRunning(job.jobState))
    return kills ? [ended] : [refused(about, 'ESLURM_TRANSITION_STATE_NO_UPDATE')];
  const has = (flag: { readonly bit: number }) => (flags & flag.bit) !== 0;
  const nothing = { ...about, effect: 'nothing', processes: null, nodes: [], code: null } as const;
  if (has(KILL_FLAGS.KILL_JOB_BATCH)) {
    if (job.batchFlag === 0) return [refused(about, 'ESLURM_JOB_SCRIPT_MISSING')];
    return [batch(job, about, 'batch-shell')];
  }
  if (has(KILL_FLAGS.KILL_FULL_JOB)) {
    if (kills) return [ended];
    return [job.batchFlag === 0 ? nothing : batch(job, about, 'batch-group')];
  }
  if (kills && !has(KILL_FLAGS.KILL_STEPS_ONLY)) return [ended];
  const steps = await allStepsBut(link, job.jobId, context);
  return steps.length === 0 ? [nothing] : steps.map((step) => ({ ...about, ...step }));
}

type Part = Pick<ExplainedEffect, 'target' | 'effect' | 'processes' | 'nodes' | 'code'>;
type About = Pick<ExplainedEffect, 'target' | 'jobId' | 'state'>;

/** All steps but the batch step, the extern step included. */
async function allStepsBut(link: ControllerLink, jobId: number, context: CallContext): Promise<Part[]> {
  const steps = await stepRecords(link, jobId, NO_VAL, context);
  return steps
    .filter(({ stepId: { stepId } }) => stepId !== BATCH && stepId !== SPECIAL_STEP_IDS.SLURM_PENDING_STEP)
    .map((step) => signalled(stepName(step.stepId), nodesOf(step)));
}

const BATCH = SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT;

/** One step through the controller. SIGKILL to the step of a het leader is one to that step of every component. */
async function ofStep(
  link: ControllerLink,
  { jobId, stepId, stepHetComp }: { jobId: number; stepId: number; stepHetComp: number },
  signal: number,
  context: CallContext,
): Promise<ExplainedEffect[]> {
  // The question for the caller's rights: no job has this step.
  if (stepId === SLURM_MAX_NORMAL_STEP_ID) return [];
  const found = await jobRecords(link, plain(jobId), context);
  const own = found.find((job) => job.jobId === jobId);
  const isShared = signal === UNIX_SIGNALS.SIGKILL && own?.hetJobId === jobId;
  const jobs = isShared ? found.filter(({ hetJobId }) => hetJobId === jobId) : own === undefined ? [] : [own];
  const effects = await Promise.all(
    jobs.map(async (job): Promise<ExplainedEffect[]> => {
      const target = stepName({ jobId: job.jobId, stepId });
      const about = { target, jobId: job.jobId, state: jobStateName(job.jobState) };
      if (isJobFinished(job.jobState)) return [refused(about, 'ESLURM_ALREADY_DONE')];
      if (!isJobRunning(job.jobState)) return [refused(about, 'ESLURM_TRANSITION_STATE_NO_UPDATE')];
      if (stepId === BATCH && job.batchFlag !== 0) return [batch(job, about, 'step')];
      const steps = await stepRecords(link, job.jobId, stepId, context);
      const meant = steps.filter((step) => stepHetComp === NO_VAL || step.stepId.stepHetComp === stepHetComp);
      if (meant.length === 0) return [refused(about, 'ESLURM_INVALID_JOB_ID')];
      return meant.map((step) => ({ ...about, ...signalled(stepName(step.stepId), nodesOf(step)) }));
    }),
  );
  return effects.flat();
}

/** A message to slurmds. */
async function ofNodeMessage(
  link: ControllerLink,
  { stepId: { jobId, stepId }, flags }: MessageRecord<'REQUEST_SIGNAL_TASKS'>,
  results: readonly NodeResult[],
  context: CallContext,
): Promise<ExplainedEffect[]> {
  const job = (await jobRecords(link, plain(jobId), context)).find((one) => one.jobId === jobId);
  const about = { jobId, state: job === undefined ? 'UNKNOWN' : jobStateName(job.jobState) };
  const isWhole = stepId === NO_VAL;
  const target = isWhole ? String(jobId) : stepName({ jobId, stepId });
  const nodes = results.filter((result) => result.target === target).map(({ node }) => node);
  if ((flags & KILL_FLAGS.KILL_JOB_BATCH.bit) !== 0)
    return [{ ...about, ...signalled(target, nodes), processes: 'batch-shell' }];
  if (!isWhole) return [{ ...about, ...signalled(target, nodes) }];
  const reached = new Set(nodes);
  const steps = await allStepsBut(link, jobId, context);
  return steps.map((step) => ({ ...about, ...step, nodes: step.nodes.filter((node) => reached.has(node)) }));
}

function signalled(target: string, nodes: readonly string[]): Part {
  return { target, effect: 'signalled', processes: 'step', nodes, code: null };
}

function batch(
  { jobId, batchHost }: JobRecord,
  about: About,
  processes: 'step' | 'batch-shell' | 'batch-group',
): ExplainedEffect {
  const target = `${jobId}.batch`;
  return {
    ...about,
    target,
    effect: 'signalled',
    processes,
    nodes: batchHost === null ? [] : [batchHost],
    code: null,
  };
}

function refused(about: About, code: string): ExplainedEffect {
  return { ...about, effect: 'refused', processes: null, nodes: [], code };
}

function expand(nodes: string | null): string[] {
  return expandHostlist(nodes ?? '');
}
