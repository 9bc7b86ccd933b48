/**
 * `kill()`: kill(2) with jobs in place of processes. Target selection and errnos are POSIX's; what is sent is what the other verbs send.
 *
 * Source: kill(2) of POSIX.1-2024 and, for leaving the caller out of -1, of Linux. That slurmctld looks at the caller's rights to a job before
 * it looks for the step: its handling of CANCEL_JOB_STEP in 20.11 to 26.05, observed on 22.05 and 26.05.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { errorNumber } from '../protocol/error-number.js';
import {
  type JobId,
  type ParsedJobId,
  type ParsedStepId,
  parseJobId,
  parseStepId,
  type StepTarget,
} from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobFinished, isJobPending } from '../protocol/messages/job-state.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import {
  type JobPart,
  type Outcome,
  type SlurmError,
  SlurmServerError,
  SlurmTimeoutError,
  SlurmUsageError,
  showValue,
} from '../protocol/slurm-error.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import { sluidTooOld, verdict } from './answer.js';
import { badOption, checkBoolean } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { parseFilter, taskId, tasksOf } from './job-filter.js';
import { asLookup, lookAtJob, recordTasks } from './job-lookup.js';
import { killJob, killJobStep, killRecord } from './kill.js';
import { killJobs } from './kill-jobs.js';
import { isOwn, isPrivileged } from './kill-jobs-identity.js';
import { answeredJob, type KilledJob } from './kill-jobs-result.js';
import { allJobs, isMeta, killAsNamed, nameOf } from './kill-jobs-singles.js';
import {
  CALL_OPTIONS,
  type CallOptions,
  checkKillOptions,
  type KillJobOptions,
  killFlags,
} from './kill-options.js';
import { Limiter } from './limiter.js';
import { nothingToSignal } from './nothing-to-signal.js';
import { stepRecords } from './step-lookup.js';

/** What kill(2) calls a pid. */
export type KillTarget = JobId | StepTarget;

/** Options of `kill`. */
export interface PosixKillOptions
  extends CallOptions,
    Pick<KillJobOptions, 'batch' | 'full' | 'stepsOnly' | 'hurry' | 'cron' | 'wholeHetJob' | 'failJob'> {
  /** Yes, -1 is meant: every job that the caller may signal. */
  readonly broad?: boolean | undefined;
}

const KILL_OPTIONS = ['batch', 'full', 'stepsOnly', 'hurry', 'cron', 'wholeHetJob', 'failJob'] as const;
export const POSIX_KILL_OPTIONS = [
  ...CALL_OPTIONS,
  ...KILL_OPTIONS,
  'broad',
] as const satisfies (keyof PosixKillOptions)[];

/**
 * What became of one of the jobs or steps that a target stood for. `accepted`: it took the signal, or for signal 0, the caller may signal it.
 */
export type KilledTarget = KilledJob;

/** At least one job or step took the signal, which is what kill(2) calls success. */
export interface Killed {
  /** `partial`: others did not, or it is not known. Those that have ended do not count: no process is left that could take it. */
  readonly outcome: 'accepted' | 'partial';
  /** The job or step as Slurm writes it; 0, -1 and groups as they were given. */
  readonly target: string;
  /** Number of the Unix signal. 0: nothing was signalled. */
  readonly unixSignal: number;
  /** How many took it. */
  readonly count: number;
  /** Each of them, and those that did not. A het job that is named by its leader is one. */
  readonly targets: readonly KilledTarget[];
  readonly protocol: Release;
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** The job this process runs in, as its environment has it. */
export interface OwnJob {
  /** SLURM_JOB_ID; `undefined`: in none. */
  readonly jobId: string | undefined;
  /** SLURM_CLUSTER_NAME. Job numbers mean nothing on another cluster. */
  readonly clusterName: string | undefined;
}

/** Exchanges it may take: first contact, what the cluster is like, two lookups, and what a bulk kill takes. */
export const POSIX_KILL_EXCHANGES = 12;

export async function kill(
  shared: ControllerLink,
  target: KillTarget,
  unixSignal: UnixSignal | 0,
  options: PosixKillOptions,
  own: OwnJob,
  context: CallContext,
): Promise<Killed> {
  const startedAt = performance.now();
  const signal = unixSignal === 0 || unixSignal === '0' ? 0 : unixSignalNumber(unixSignal);
  const { broad, timeoutMs: _t, signal: _s, ...killOptions } = options;
  checkBoolean('broad', broad);
  checkKillOptions(killOptions);
  const order: Order = { signal, options: killOptions };
  const meant = selectionOf(target, own, options);
  const link = await shared.settle(context);
  killFlags(killOptions, link.setup.release);
  const targets = await signalAll(link, meant, order, context);
  const count = targets.filter(({ outcome }) => outcome === 'accepted').length;
  if (count === 0) throw noneTookIt(meant.text, targets, link);
  return {
    outcome: count === targets.filter((one) => !hasEnded(one)).length ? 'accepted' : 'partial',
    target: meant.text,
    unixSignal: signal,
    count,
    targets,
    protocol: link.setup.release,
    elapsedMs: performance.now() - startedAt,
  };
}

interface Order {
  /** 0: existence and permission are looked at, and nothing is signalled. */
  readonly signal: number;
  readonly options: Omit<KillJobOptions, keyof CallOptions>;
}

type Selection = { readonly text: string } & (
  | { readonly kind: 'one' | 'group'; readonly job: ParsedJobId }
  | { readonly kind: 'step'; readonly step: ParsedStepId; readonly given: StepTarget }
  | { readonly kind: 'own'; readonly own: OwnNumber }
  | { readonly kind: 'broad'; readonly own: OwnNumber | null }
);

/** {@link OwnJob}, read. */
interface OwnNumber {
  readonly job: ParsedJobId;
  readonly clusterName: string | undefined;
}

/** Options that say what is done; the others say what may be hit, and nothing to a target that hits less. */
const ORDERS = ['batch', 'full', 'stepsOnly', 'hurry', 'failJob'] as const;

/** @throws SlurmUsageError for what is no target: nothing has been sent. */
function selectionOf(target: KillTarget, own: OwnJob, options: PosixKillOptions): Selection {
  const number = typeof target === 'string' && /^(?:0|-[1-9]\d{0,9})$/.test(target) ? Number(target) : target;
  if (typeof number === 'number' && Number.isInteger(number) && number <= 0) {
    const text = String(number);
    if (number === 0)
      return { kind: 'own', own: ownNumber(own) ?? inNoJob('SLURM_JOB_ID is not set.'), text };
    // What is no group is named as it was given.
    if (number < -1)
      return { kind: 'group', job: parseJobId(-number < NO_VAL ? -number : number, 'target'), text };
    const hint = 'Every job that the caller may signal is what -1 means: the option broad says so.';
    if (options.broad !== true)
      throw badOption('broad', options.broad, 'has to be true for the target -1', hint);
    return { kind: 'broad', own: ownNumber(own), text };
  }
  const isStep =
    typeof target === 'string'
      ? target.includes('.')
      : typeof target === 'object' && target !== null && 'stepId' in target;
  if (isStep) {
    const given = target as StepTarget;
    const step = parseStepId(given, 'target');
    const foreign = ORDERS.find((name) => options[name] === true);
    if (foreign !== undefined) throw badOption(foreign, true, `is for jobs, and ${step.text} is a step`);
    return { kind: 'step', step, given, text: step.text };
  }
  const job = parseJobId(target as JobId, 'target');
  const isGroup = job.kind === 'whole-array' || job.kind === 'array-tasks';
  return { kind: isGroup ? 'group' : 'one', job, text: job.text };
}

function ownNumber({ jobId, clusterName }: OwnJob): OwnNumber | null {
  if (jobId === undefined) return null;
  const job = parseJobId(jobId, 'SLURM_JOB_ID');
  if (job.kind === 'job') return { job, clusterName };
  throw new SlurmUsageError(`SLURM_JOB_ID ${showValue(jobId)} is not the number of one job.`, {
    code: 'SLURMWIRE_BAD_JOB_ID',
    field: 'SLURM_JOB_ID',
    value: jobId,
  });
}

function inNoJob(hint: string): never {
  throw new SlurmUsageError(
    'target 0 is the job this process runs in, and it runs in none of this cluster.',
    {
      code: 'SLURMWIRE_NOT_IN_A_JOB',
      errno: 'ESRCH',
      field: 'target',
      value: 0,
      hint,
    },
  );
}

function signalAll(
  link: ControllerLink,
  meant: Selection,
  order: Order,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  switch (meant.kind) {
    case 'one':
      return signalOne(link, meant.job, order, context);
    case 'own':
      return signalOwn(link, meant.own, order, context);
    case 'step':
      return signalStep(link, meant.step, meant.given, order, context);
    case 'group':
      return signalGroup(link, meant.job, order, context);
    case 'broad':
      return signalEverything(link, meant.own, order, context);
  }
}

/** Exactly one job record, or a het job if that is meant. */
async function signalOne(
  link: ControllerLink,
  job: ParsedJobId,
  order: Order,
  context: CallContext,
): Promise<KilledTarget[]> {
  const { release } = link.setup;
  if (job.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(job.text, release);
  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  const record = theOne(records, job, order.options.wholeHetJob === true);
  if (record === undefined) throw noJob(job.text, link, peer);
  return [await signalRecord(link, { record, target: job.text, peer }, order, context)];
}

/** The record that an id means, and no group of them. */
function theOne(
  records: readonly JobRecord[],
  { kind, jobId, text }: ParsedJobId,
  wholeHetJob: boolean,
): JobRecord | undefined {
  if (kind !== 'job' && kind !== 'sluid') return records[0];
  const own = kind === 'sluid' ? records[0] : records.find((record) => record.jobId === jobId);
  const others = records.filter((record) => record !== own);
  if ((own !== undefined && isMeta(own)) || others.some(({ arrayJobId }) => arrayJobId !== 0)) {
    const array = own?.arrayJobId || jobId;
    const hint = `-${array} is all of it, '${array}_7' one task; a task has a number of its own, too.`;
    throw notOne(text, 'an array', hint);
  }
  if (others.length > 0 && !wholeHetJob) {
    throw notOne(text, 'a heterogeneous job', `-${own?.hetJobId || jobId} is all of its components.`);
  }
  return own;
}

function notOne(value: string, what: string, hint: string): SlurmUsageError {
  const code = 'SLURMWIRE_NOT_ONE_JOB';
  return new SlurmUsageError(`target ${value} is ${what}, and a positive target is one job.`, {
    code,
    field: 'target',
    value,
    hint,
  });
}

function noJob(text: string, link: ControllerLink, peer: string): SlurmError {
  return nothingToSignal(`there is no job ${text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
}

/** The job this process runs in: one task of an array, but all components of a het job. */
async function signalOwn(
  link: ControllerLink,
  own: OwnNumber,
  { signal, options }: Order,
  context: CallContext,
): Promise<KilledTarget[]> {
  if (!(await isOfThisCluster(link, own, context)))
    inNoJob(`SLURM_CLUSTER_NAME is ${showValue(own.clusterName)}.`);
  const { jobId, text } = own.job;
  const { records, reply } = await lookAtJob(link, own.job, context);
  const record = records.find((one) => one.jobId === jobId && !isMeta(one));
  if (record === undefined) throw noJob(text, link, reply.peer);
  const target = record.hetJobId === 0 ? text : String(record.hetJobId);
  const order = { signal, options: { ...options, wholeHetJob: true } };
  return [await signalRecord(link, { record, target, peer: reply.peer }, order, context)];
}

/** False where both names are known and differ. */
async function isOfThisCluster(
  link: ControllerLink,
  { clusterName }: OwnNumber,
  context: CallContext,
): Promise<boolean> {
  if (clusterName === undefined || clusterName === '') return true;
  const here = (await link.clusterFacts(context)).clusterName;
  return here === undefined || here === clusterName.toLowerCase();
}

interface Looked {
  readonly record: JobRecord;
  /** Text that means this record, and where it is a het job's leader, all of that. */
  readonly target: string;
  /** The controller that told about it. */
  readonly peer: string;
}

async function signalRecord(
  link: ControllerLink,
  { record, target, peer }: Looked,
  { signal, options }: Order,
  context: CallContext,
): Promise<KilledTarget> {
  const { jobId, jobState } = record;
  if (signal === 0) {
    const mayBe = await askPermission(link, jobId, target, OPERATORS, context);
    if (mayBe === 'ended' || isJobFinished(jobState))
      throw nothingToSignal(`job ${target} has finished`, 'ESLURM_ALREADY_DONE', link, { peer });
  } else if (record.arrayJobId !== 0 && !isMeta(record)) {
    // The last task of an array has the number of the array, and the text would mean all of it.
    await killRecord(link, { jobId, target }, signal, options, context);
  } else {
    await killJob(link, target, signal, options, context);
  }
  return taken(target, jobId);
}

async function signalStep(
  link: ControllerLink,
  step: ParsedStepId,
  given: StepTarget,
  { signal }: Order,
  context: CallContext,
): Promise<KilledTarget[]> {
  const target = step.text;
  if (signal !== 0) {
    await killJobStep(link, given, signal, {}, context);
    return [taken(target, null)];
  }
  const { job } = step;
  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  const owner = job.kind === 'job' ? records.find(({ jobId }) => jobId === job.jobId) : records[0];
  if (owner === undefined) throw noJob(job.text, link, peer);
  const mayBe = await askPermission(link, owner.jobId, target, undefined, context);
  if (mayBe === 'ended' || !(await hasStep(link, owner, step, context)))
    throw nothingToSignal(`there is no step ${target}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  return [taken(target, owner.jobId)];
}

async function hasStep(
  link: ControllerLink,
  job: JobRecord,
  { stepId, stepHetComp }: ParsedStepId,
  context: CallContext,
): Promise<boolean> {
  if (isJobFinished(job.jobState) || isJobPending(job.jobState)) return false;
  if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) return job.batchFlag !== 0;
  const steps = await stepRecords(link, job, stepId, context);
  return steps.some((found) => stepHetComp === null || found.stepId.stepHetComp === stepHetComp);
}

/** All records of an array, of a range of its tasks, or of a het job. Any other job is a group of its own. */
async function signalGroup(
  link: ControllerLink,
  job: ParsedJobId,
  order: Order,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  const { signal, options } = order;
  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  const [first] = records;
  if (first === undefined) throw noJob(job.text, link, peer);
  if (records.length === 1 && job.kind !== 'array-tasks' && !isMeta(first)) {
    const looked = { record: first, target: nameOf(first), peer };
    return [await signalRecord(link, looked, order, context)];
  }
  if (signal !== 0)
    return named((await killJobs(link, parseFilter([job.text]), signal, options, context)).jobs, records);

  // They have one owner, so one question answers for all.
  const asked = records.find(({ jobState }) => !isJobFinished(jobState)) ?? first;
  const mayBe = await askPermission(link, asked.jobId, job.text, OPERATORS, context);
  const isOver = (record: JobRecord) =>
    isJobFinished(record.jobState) || (record === asked && mayBe === 'ended');
  return membersOf(job, records).map(({ target, record }) => {
    if (record === null) return refusal(target, null, 'ESLURM_INVALID_JOB_ID', link);
    if (isOver(record)) return refusal(target, record.jobId, 'ESLURM_ALREADY_DONE', link);
    return taken(target, record.jobId);
  });
}

/** The members of a group by name: of a range its tasks and no others of their record, and `null` for those that there are not. */
function membersOf(
  job: ParsedJobId,
  records: readonly JobRecord[],
): { readonly target: string; readonly record: JobRecord | null }[] {
  if (job.kind !== 'array-tasks') {
    return withoutComponents(records).map((record) => ({ target: nameOf(record), record }));
  }
  const { jobId } = job;
  const wanted = new Set(tasksOf(job));
  const members: { target: string; record: JobRecord | null }[] = [];
  for (const record of records) {
    const tasks = recordTasks(record).filter((task) => wanted.delete(task));
    if (tasks.length > 0) members.push({ target: taskId(jobId, tasks).text, record });
  }
  if (wanted.size > 0) members.push({ target: taskId(jobId, [...wanted]).text, record: null });
  return members;
}

/** A bulk answer calls the pending tasks of an array by the array's number, which would be all of it. */
function named(targets: readonly KilledTarget[], records: readonly JobRecord[]): readonly KilledTarget[] {
  const metas = new Map(records.filter(isMeta).map((record) => [record.jobId, record]));
  return targets.map((one) => {
    const meta = metas.get(one.jobId ?? 0);
    return meta !== undefined && one.target === String(meta.arrayJobId)
      ? { ...one, target: nameOf(meta) }
      : one;
  });
}

/** A het job by its leader alone, where that is there. */
function withoutComponents(records: readonly JobRecord[]): readonly JobRecord[] {
  const numbers = new Set(records.map(({ jobId }) => jobId));
  return records.filter((record) => !isComponent(record) || !numbers.has(record.hetJobId));
}

/** What the caller may signal for certain: every job for root and SlurmUser, else own ones. Without the job this process runs in. */
async function signalEverything(
  link: ControllerLink,
  own: OwnNumber | null,
  { signal, options }: Order,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  const identity = await link.identity(context);
  if (identity.uid === null)
    throw badOption('broad', true, 'cannot be, since who the caller is to the cluster is not known');
  const mayAll = isPrivileged(identity);
  const isHere = own !== null && (await isOfThisCluster(link, own, context));
  const { records } = await asLookup(allJobs(link, null, context));
  const ours = isHere ? records.find(({ jobId }) => jobId === own.job.jobId) : undefined;
  const isOurs = ({ jobId, hetJobId }: JobRecord) =>
    ours !== undefined && (jobId === ours.jobId || (hetJobId !== 0 && hetJobId === ours.hetJobId));
  const meant = records.filter(
    (record) =>
      !isJobFinished(record.jobState) && (mayAll || isOwn(identity, record) === true) && !isOurs(record),
  );
  const jobs = withoutComponents(meant);
  if (signal === 0) return jobs.map((job) => taken(nameOf(job), job.jobId));
  // In a list scrontab jobs are refused; by themselves, their processes are signalled and their lines stay on.
  const alone = jobs.filter(({ cronspec }) => cronspec !== null && options.cron !== true);
  const others = jobs.filter((job) => !alone.includes(job)).map(nameOf);
  const killed =
    others.length === 0 ? [] : (await killJobs(link, parseFilter(others), signal, options, context)).jobs;
  const signalling = { signal, options, limiter: new Limiter(ALONE_AT_A_TIME) };
  const ids = alone.map((job) => parseJobId(nameOf(job)));
  return [...named(killed, jobs), ...(await killAsNamed(link, ids, signalling, context))];
}

const ALONE_AT_A_TIME = 8;

/** What a controller up to 24.11 says no to. */
const OPERATORS = 'Controllers up to 24.11 say this to operators too, who may signal the job all the same.';

/**
 * Whether the controller would let this caller signal the job: asked with a SIGCONT for a step that no job can have, since the caller's
 * rights are looked at before the job's state, and that before the step is looked for. No process is reached, and no scrontab line switched
 * off.
 *
 * Controllers up to 24.11 answer for owner, root and SlurmUser only: an operator, who may signal the job as a whole, is told EPERM there.
 *
 * @param hint for the number those controllers say.
 * @returns `ended`: it could have been, but has finished.
 * @throws SlurmServerError
 */
async function askPermission(
  link: ControllerLink,
  jobId: number,
  target: string,
  hint: string | undefined,
  context: CallContext,
): Promise<'there' | 'ended'> {
  const rpc = 'REQUEST_CANCEL_JOB_STEP';
  const stepId = { jobId, stepId: SLURM_MAX_NORMAL_STEP_ID, stepHetComp: NO_VAL };
  const record = { stepId, sjobId: null, signal: UNIX_SIGNALS.SIGCONT, flags: 0 };
  const ask = async () => {
    const reply = await link.call({ name: rpc, record, repeatable: true }, context);
    return { ...verdict(reply, { rpc, repeatable: true }), peer: reply.peer, protocol: reply.protocol };
  };
  const { number, message, peer, protocol } = await asLookup(ask());
  const { code, text } = errorMeaning(number, protocol);
  // 0: handed on to the job's step manager, by a controller that had nothing against it.
  if (number === 0 || PERMITTED.has(code)) return 'there';
  if (code === 'ESLURM_ALREADY_DONE') return 'ended';
  throw serverError(`Signal 0 for ${target} was refused by ${peer}: ${text}`, number, protocol, {
    outcome: 'refused',
    peer,
    rpc,
    phase: 'wait',
    serverMessage: message,
    hint: code === 'ESLURM_USER_ID_MISSING' ? hint : undefined,
  });
}

/** What is said behind the check of the caller's rights, of a job that is known to be there. */
const PERMITTED: ReadonlySet<string> = new Set([
  'ESLURM_INVALID_JOB_ID', // there is no such step
  'ESLURM_TRANSITION_STATE_NO_UPDATE', // the job does not run
]);

function taken(target: string, jobId: number | null): KilledTarget {
  return { target, jobId, outcome: 'accepted', number: 0, errno: null, code: null, message: null };
}

function refusal(
  target: string,
  jobId: number | null,
  code: 'ESLURM_INVALID_JOB_ID' | 'ESLURM_ALREADY_DONE',
  { setup: { release } }: ControllerLink,
): KilledTarget {
  return answeredJob(target, jobId, errorNumber(code) ?? -1, 'refused', release);
}

/** True for what was no member of its group any more. */
function hasEnded({ outcome, code }: KilledTarget): boolean {
  return outcome !== 'unknown' && code === 'ESLURM_ALREADY_DONE';
}

/** What to say first of several that did not take it: trouble, then what the caller can mend, then what time does, then what is gone. */
const LAST = ['EPERM', 'EAGAIN', 'ESRCH'];

function noneTookIt(text: string, targets: readonly KilledTarget[], link: ControllerLink): SlurmError {
  const rank = ({ errno }: KilledTarget) => LAST.indexOf(errno ?? '');
  const [worst] = [...targets].sort((a, b) => rank(a) - rank(b));
  if (worst === undefined)
    return nothingToSignal(`no job stands behind target ${text}`, 'ESLURM_INVALID_JOB_ID', link);
  const { release } = link.setup;
  const code = worst.code ?? 'SLURM_ERROR';
  const number = worst.number ?? errorNumber(code);
  const outcome = worstOutcome(targets);
  const isLate = worst.errno === 'ETIMEDOUT' || (number !== null && errorMeaning(number, release).retryable);
  const errno = worst.errno ?? 'EIO';
  const details = {
    errno,
    outcome,
    phase: 'wait',
    retryable: outcome !== 'unknown' && isLate,
    parts: targets.map(partOf),
  } as const;
  const count = targets.length === 1 ? 'The one job' : `None of the ${targets.length} jobs`;
  const did = targets.length === 1 ? 'did not take it' : 'took it';
  const summary = `${count} behind target ${text} ${did}: ${worst.target}: ${worst.message}`;
  if (number !== null) return serverError(summary, number, release, details);
  const Kind = code === 'SLURMWIRE_ABORTED' ? SlurmTimeoutError : SlurmServerError;
  return new Kind(summary, { ...details, code, protocol: release });
}

function worstOutcome(targets: readonly KilledTarget[]): Outcome {
  if (targets.some(({ outcome }) => outcome === 'unknown')) return 'unknown';
  return targets.every(({ outcome }) => outcome === 'not-sent') ? 'not-sent' : 'refused';
}

function partOf({ target, number, code, message, outcome }: KilledTarget): JobPart {
  return { target, number: number ?? -1, code: code ?? 'SLURM_SUCCESS', message: message ?? '', outcome };
}
