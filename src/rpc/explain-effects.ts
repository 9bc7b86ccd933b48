/**
 * Which processes the requests of a dry run would reach: read from the controller's tables by the rules in the comments.
 *
 * Source: slurmctld's and slurmd's handling of KILL_JOB, KILL_JOBS, CANCEL_JOB_STEP, SIGNAL_TASKS and TERMINATE_TASKS in 20.11 to 26.05, held
 * against what processes wrote down on 22.05 and 26.05 (`test/live/explain.test.ts`).
 */
import { expandHostlist } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { MessageRecord } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import {
  isJobFinished,
  isJobPending,
  isJobRunning,
  isJobSuspended,
  JOB_STATE_FLAGS,
  JOB_STATES,
  jobStateName,
} from '../protocol/messages/job-state.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import { isAtLeast } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS, type StepId } from '../protocol/step-id.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import { concurrently } from './concurrently.js';
import type { ControllerLink } from './controller-link.js';
import type { NotedRequest } from './dry-run.js';
import type { ExplainedEffect } from './explain.js';
import { type CheckedFilter, fits, hasTasks, hasTooManyTasks, taskId, tasksOf } from './job-filter.js';
import { tasksMeant } from './job-lookup.js';
import type { JobTables } from './job-tables.js';
import { nameOf } from './kill-jobs-singles.js';
import { nodesSaid } from './nodes-said.js';
import { nodesOf, stepName } from './signal-plan.js';

/** A dry run and where its effects are looked up. */
export interface DryRun {
  readonly link: ControllerLink;
  readonly tables: JobTables;
  readonly noted: readonly NotedRequest[];
}

/** Jobs looked at at a time. */
const LOOKS = 8;

/** An effect, or how to find out. */
type Look = ExplainedEffect | (() => Promise<ExplainedEffect[]>);

export async function effectsOf(dry: DryRun, context: CallContext): Promise<ExplainedEffect[]> {
  const { noted, tables } = dry;
  await tables.expect(new Set(noted.map(jobOf)).size);
  const looks = await concurrently([...noted.keys()], LOOKS, context, (index) => looksOf(dry, index));
  const found = await concurrently(looks.flat(), LOOKS, context, async (look) =>
    typeof look === 'function' ? look() : [look],
  );
  return found.flat();
}

function jobOf(request: NotedRequest): unknown {
  if (request.name === 'REQUEST_KILL_JOB') return request.record.sjobId;
  return 'stepId' in request.record ? request.record.stepId.jobId : null;
}

async function looksOf(dry: DryRun, index: number): Promise<Look[]> {
  const request = dry.noted[index] as NotedRequest;
  switch (request.name) {
    case 'REQUEST_KILL_JOB':
      return ofKillJob(dry, request.record);
    case 'REQUEST_CANCEL_JOB_STEP':
      return ofCancel(dry, request.record);
    case 'REQUEST_KILL_JOBS':
      return ofKillJobs(dry, request.record);
    case 'REQUEST_SIGNAL_TASKS':
    case 'REQUEST_TERMINATE_TASKS':
      return ofNodeMessage(dry, index, request);
    default:
      return [];
  }
}

type Kill = MessageRecord<'REQUEST_KILL_JOB'>;

async function ofKillJob(dry: DryRun, record: Kill): Promise<Look[]> {
  const id = parseJobId(record.sjobId ?? '');
  const found = recordsOfSluid(await dry.tables.jobs(id), id);
  // A text with a task that no array can have is not read at all.
  if (found.length === 0 || (hasTasks(id) && hasTooManyTasks(id))) return [unknown(id.text)];
  const [one] = found;
  if (one === undefined || one.hetJobId === 0) {
    const looks = found.map((job) => () => ofJob(dry, job, record, id.text));
    return [...looks, ...tasksMissing(id, found)];
  }
  const leader = found.find((job) => !isComponent(job));
  // A sluid is one record; it stands for the others only where it is the leader's.
  const isAlone =
    leader === undefined && (id.kind === 'sluid' || !(await dry.tables.clusterFacts()).wholeHetJob);
  if (!isAlone) return (await componentsOf(dry, one)).map((job) => () => ofJob(dry, job, record));
  if (id.kind !== 'sluid' && isJobPending(one.jobState))
    return [refused(about(one), 'ESLURM_NOT_WHOLE_HET_JOB')];
  return [() => ofJob(dry, one, record)];
}

/** Tasks that an id names and the array does not have. */
function tasksMissing(id: ParsedJobId, found: readonly JobRecord[]): ExplainedEffect[] {
  if (!hasTasks(id)) return [];
  const there = new Set(found.flatMap((job) => tasksMeant(job, id.text)));
  const missing = tasksOf(id).filter((task) => !there.has(task));
  return missing.length === 0 ? [] : [unknown(taskId(id.jobId, missing).text)];
}

/** A lookup by sluid answers with the whole array or het job. */
function recordsOfSluid(found: readonly JobRecord[], { sluid }: ParsedJobId): readonly JobRecord[] {
  const own = found.filter(({ stepId }) => stepId.sluid === sluid);
  return sluid === undefined || own.length === 0 ? found : own;
}

async function componentsOf({ tables }: DryRun, { hetJobId }: JobRecord): Promise<JobRecord[]> {
  return (await tables.jobs(parseJobId(hetJobId))).filter((job) => job.hetJobId === hetJobId);
}

/** One step, or without one the job record of that very number. */
async function ofCancel(dry: DryRun, { stepId, ...kill }: Kill): Promise<Look[]> {
  // The question for the caller's rights: no job has this step.
  if (stepId.stepId === SLURM_MAX_NORMAL_STEP_ID) return [];
  const own = await recordOf(dry, stepId.jobId);
  if (stepId.stepId === NO_VAL) {
    return [own === undefined ? unknown(String(stepId.jobId)) : () => ofJob(dry, own, kill)];
  }
  if (own === undefined) return [unknown(stepName(stepId))];
  // SIGKILL for the step of a het leader is one for that step of every component.
  const isShared = kill.signal === UNIX_SIGNALS.SIGKILL && own.hetJobId === own.jobId;
  const jobs = isShared ? await componentsOf(dry, own) : [own];
  return jobs.map((job) => () => ofStep(dry, job, stepId));
}

async function recordOf({ tables }: DryRun, jobId: number): Promise<JobRecord | undefined> {
  return (await tables.jobs(parseJobId(jobId))).find((job) => job.jobId === jobId);
}

async function ofStep(
  { tables }: DryRun,
  job: JobRecord,
  { stepId, stepHetComp }: StepId,
): Promise<ExplainedEffect[]> {
  const own = about(job, stepName({ jobId: job.jobId, stepId }));
  if (isJobFinished(job.jobState)) return [refused(own, 'ESLURM_ALREADY_DONE')];
  if (!isJobRunning(job.jobState)) return [refused(own, 'ESLURM_TRANSITION_STATE_NO_UPDATE')];
  if (stepId === BATCH && job.batchFlag !== 0) return [signalled(own, 'step', batchNode(job))];
  const steps = (await tables.steps(job)).filter((step) => step.stepId.stepId === stepId);
  // Without a component all of the step's are meant.
  const meant = steps.filter((step) => stepHetComp === NO_VAL || step.stepId.stepHetComp === stepHetComp);
  if (meant.length === 0) return [refused(own, 'ESLURM_INVALID_JOB_ID')];
  return meant.map((step) => signalled(own, 'step', nodesOf(step)));
}

/** Ids or a filter. A component whose leader is meant too is the leader's matter; alone it is refused where it cannot be signalled alone. */
async function ofKillJobs(dry: DryRun, record: MessageRecord<'REQUEST_KILL_JOBS'>): Promise<Look[]> {
  const { tables } = dry;
  const ids = record.jobsArray.map((text) => parseJobId(text ?? ''));
  const looks: Look[] = [];
  const meant: { readonly job: JobRecord; readonly text?: string }[] = [];
  const filter = filterOf(record);
  const isOfUser = (job: JobRecord) => record.userName === null || job.userId === record.userId;
  if (ids.length === 0) {
    const fitting = (await tables.all()).filter(
      (job) => !isJobFinished(job.jobState) && fits(job, filter, null),
    );
    meant.push(...fitting.filter(isOfUser).map((job) => ({ job })));
  }
  for (const id of ids) {
    const found = await tables.jobs(id);
    // What is not there at all is told by the verb.
    if (found.length > 0) looks.push(...tasksMissing(id, found));
    for (const job of found) {
      // Finished comes first. What the user filter keeps out is either told as that or asked for by itself.
      if (isJobFinished(job.jobState))
        looks.push(refused(about(job, nameIn(job, id.text)), 'ESLURM_ALREADY_DONE'));
      else if (!isOfUser(job)) continue;
      else if (fits(job, filter, null)) meant.push({ job, text: id.text });
      else looks.push(refused(about(job, nameIn(job, id.text)), 'ESLURM_JOB_SIGNAL_FAILED'));
    }
  }
  const numbers = new Set(meant.map(({ job }) => job.jobId));
  for (const { job, text } of meant) {
    if (isComponent(job)) {
      if (numbers.has(job.hetJobId)) continue;
      const isBound = isJobPending(job.jobState) || (await tables.clusterFacts()).wholeHetJob;
      looks.push(isBound ? refused(about(job), 'ESLURM_NOT_WHOLE_HET_JOB') : () => ofJob(dry, job, record));
    } else if (job.hetJobId !== 0) {
      looks.push(...(await componentsOf(dry, job)).map((one) => () => ofJob(dry, one, record)));
    } else looks.push(() => ofJob(dry, job, record, text));
  }
  return looks;
}

function filterOf(record: MessageRecord<'REQUEST_KILL_JOBS'>): CheckedFilter {
  const { jobName: name, state, nodelist, account, partition, qos, reservation, wckey } = record;
  return {
    ids: null,
    user: null,
    account,
    partition,
    qos,
    name,
    state: state === JOB_STATES.JOB_END ? null : state,
    nodes: nodelist === null ? null : expandHostlist(nodelist),
    reservation,
    wckey,
  };
}

/**
 * A job record as a whole, by what slurmctld looks at in this order.
 *
 * @param text the id it was meant by: of the record of an array's pending tasks only those that it names.
 */
async function ofJob(
  { link, tables }: DryRun,
  job: JobRecord,
  { signal, flags }: Pick<Kill, 'signal' | 'flags'>,
  text?: string,
): Promise<ExplainedEffect[]> {
  const own = about(job, nameIn(job, text));
  const { jobState } = job;
  const has = (flag: { readonly bit: number }) => (flags & flag.bit) !== 0;
  const is = (flag: number) => (jobState & flag) !== 0;
  const kills = signal === UNIX_SIGNALS.SIGKILL;
  const refusedWith = (code: string) => [refused(own, code)];
  const nothing = [effectOf(own, { effect: 'nothing' })];
  const cancelled = [effectOf(own, { effect: 'cancelled' })];
  const nodes = nodesSaid(job.nodes);
  const ended = [effectOf(own, { effect: 'ended', processes: 'job', nodes })];
  const atBatch = (processes: 'batch-shell' | 'batch-group') => [
    signalled({ ...own, target: `${job.jobId}.batch` }, processes, batchNode(job)),
  ];

  // Only the burst buffer's stage-out ends.
  if (is(JOB_STATE_FLAGS.JOB_STAGE_OUT) && has(KILL_FLAGS.KILL_HURRY)) return nothing;
  if (isJobFinished(jobState)) return refusedWith('ESLURM_ALREADY_DONE');
  const isCron = job.cronspec !== null && !meansCron(flags, link);
  if (isCron && (await tables.clusterFacts()).scrontab === 'guarded')
    return refusedWith('ESLURM_CANNOT_CANCEL_CRON_JOB');
  if (kills && (isJobPending(jobState) || is(JOB_STATE_FLAGS.JOB_CONFIGURING))) return cancelled;
  if (kills && isJobSuspended(jobState)) return ended;
  const stops = signal === UNIX_SIGNALS.SIGSTOP || signal === UNIX_SIGNALS.SIGCONT;
  if (!isJobRunning(jobState) || (stops && is(JOB_STATE_FLAGS.JOB_SIGNALING)))
    return refusedWith('ESLURM_TRANSITION_STATE_NO_UPDATE');
  if (has(KILL_FLAGS.KILL_JOB_BATCH))
    return job.batchFlag === 0 ? refusedWith('ESLURM_JOB_SCRIPT_MISSING') : atBatch('batch-shell');
  if (kills && !has(KILL_FLAGS.KILL_STEPS_ONLY)) return ended;
  if (has(KILL_FLAGS.KILL_FULL_JOB)) return job.batchFlag === 0 ? nothing : atBatch('batch-group');
  const steps = stepsOnly(await tables.steps(job));
  if (steps.length === 0) return nothing;
  return steps.map((step) => signalled({ ...own, target: stepName(step.stepId) }, 'step', nodesOf(step)));
}

/** KILL_CRON since 24.05; before, a request says when none is meant, and up to 22.05 it cannot say. */
function meansCron(flags: number, { setup: { release } }: ControllerLink): boolean {
  if (isAtLeast(release, '24.05')) return (flags & KILL_FLAGS.KILL_CRON.bit) !== 0;
  return (flags & KILL_FLAGS.KILL_NO_CRON.bit) === 0;
}

/**
 * A message to slurmds. It goes to many nodes and is looked at once, where it is noted first.
 *
 * TERMINATE_TASKS is always one step, all of it. SIGNAL_TASKS for the batch step is one for its shell; without a step it is one for
 * all but the batch step. Suspended processes take nothing but SIGKILL, and only a message for one step is told so.
 */
async function ofNodeMessage(
  dry: DryRun,
  index: number,
  { name, record }: Extract<NotedRequest, { name: 'REQUEST_SIGNAL_TASKS' | 'REQUEST_TERMINATE_TASKS' }>,
): Promise<Look[]> {
  const same = dry.noted.filter((other) => other.name === name && isSame(other.record, record));
  if (same[0] !== dry.noted[index]) return [];
  const { stepId, flags } = record;
  const reached = new Set(same.flatMap(({ node, forwardedTo }) => [node, ...forwardedTo]));
  const job = await recordOf(dry, stepId.jobId);
  const state = job === undefined ? null : jobStateName(job.jobState);
  const steps = () => dry.tables.steps(stepId.jobId);
  const isDeaf =
    job !== undefined &&
    isJobSuspended(job.jobState) &&
    name === 'REQUEST_SIGNAL_TASKS' &&
    record.signal !== UNIX_SIGNALS.SIGKILL;
  const part = (target: string, processes: 'step' | 'batch-shell', nodes: readonly string[]) => {
    const own = { target, jobId: stepId.jobId, state };
    const taken = nodes.filter((node) => reached.has(node));
    const missed = nodes.filter((node) => !reached.has(node));
    const isExact = stepId.stepId !== NO_VAL && processes === 'step';
    const { code } = errorMeaning(STEP_NOT_RUNNING, dry.link.setup.release);
    const deaf = isExact ? { ...refused(own, code), nodes: taken } : effectOf(own, { effect: 'nothing' });
    const got = isDeaf ? deaf : signalled(own, processes, taken);
    const not = effectOf(own, { effect: 'not-sent', nodes: missed, code: 'SLURM_UNKNOWN_FORWARD_ADDR' });
    return [...(taken.length > 0 ? [got] : []), ...(missed.length > 0 ? [not] : [])];
  };
  const target = stepName(stepId);
  if (stepId.stepId === BATCH) {
    const isShell = name === 'REQUEST_SIGNAL_TASKS' && (flags & KILL_FLAGS.KILL_JOB_BATCH.bit) !== 0;
    return part(target, isShell ? 'batch-shell' : 'step', job === undefined ? [] : batchNode(job));
  }
  if (stepId.stepId === NO_VAL) {
    // A node with nothing but an extern step is not asked, and that is no miss.
    return stepsOnly(await steps()).flatMap((step) =>
      part(stepName(step.stepId), 'step', nodesOf(step)).filter(
        ({ effect }) => effect !== 'not-sent' || step.stepId.stepId !== SPECIAL_STEP_IDS.SLURM_EXTERN_CONT,
      ),
    );
  }
  const meant = (await steps()).filter(
    (step) => step.stepId.stepId === stepId.stepId && step.stepId.stepHetComp === stepId.stepHetComp,
  );
  return meant.flatMap((step) => part(target, 'step', nodesOf(step)));
}

/** ESLURMD_JOB_NOTRUNNING, since 25.05 ESLURMD_STEP_NOTRUNNING. */
const STEP_NOT_RUNNING = 4027;

function isSame(a: unknown, b: MessageRecord<'REQUEST_SIGNAL_TASKS'>): boolean {
  const { stepId, flags, signal } = a as MessageRecord<'REQUEST_SIGNAL_TASKS'>;
  return (
    stepId.jobId === b.stepId.jobId &&
    stepId.stepId === b.stepId.stepId &&
    stepId.stepHetComp === b.stepId.stepHetComp &&
    flags === b.flags &&
    signal === b.signal
  );
}

const BATCH = SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT;

/** All steps but the batch step, the extern step included. */
function stepsOnly(steps: readonly JobStepRecord[]): JobStepRecord[] {
  return steps.filter(
    ({ stepId: { stepId } }) => stepId !== BATCH && stepId !== SPECIAL_STEP_IDS.SLURM_PENDING_STEP,
  );
}

function batchNode({ batchHost }: JobRecord): string[] {
  return batchHost === null ? [] : [batchHost];
}

type About = Pick<ExplainedEffect, 'target' | 'jobId' | 'state'>;

function about(job: JobRecord, target = nameOf(job)): About {
  return { target, jobId: job.jobId, state: jobStateName(job.jobState) };
}

/** A record's name, or those of its pending tasks that the id text names. */
function nameIn(job: JobRecord, text = ''): string {
  if (job.arrayJobId === 0 || job.arrayTaskId !== NO_VAL || !text.includes('_') || text.endsWith('*'))
    return nameOf(job);
  return taskId(job.arrayJobId, tasksMeant(job, text)).text;
}

function effectOf(
  own: About,
  what: Partial<ExplainedEffect> & Pick<ExplainedEffect, 'effect'>,
): ExplainedEffect {
  return { ...own, processes: null, nodes: [], code: null, ...what };
}

function signalled(
  own: About,
  processes: ExplainedEffect['processes'],
  nodes: readonly string[],
): ExplainedEffect {
  return effectOf(own, { effect: 'signalled', processes, nodes });
}

function refused(own: About, code: string): ExplainedEffect {
  return effectOf(own, { effect: 'refused', code });
}

function unknown(target: string): ExplainedEffect {
  return refused({ target, jobId: null, state: null }, 'ESLURM_INVALID_JOB_ID');
}
