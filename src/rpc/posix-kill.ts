/**
 * `kill()`: kill(2) with jobs in place of processes. Target selection and errnos are POSIX's; what is sent is what the other verbs send.
 *
 * Source: kill(2) of POSIX.1-2024 and, for leaving the caller out of -1, of Linux. That slurmctld looks at the caller's rights to a job before
 * it looks for the step: its handling of CANCEL_JOB_STEP in 20.11 to 26.05, observed on 22.05 and 26.05.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, errorNumber } from '../protocol/error-meaning.js';
import {
  type JobId,
  type ParsedJobId,
  type ParsedStepId,
  parseJobId,
  parseStepId,
  type StepTarget,
} from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobFinished, isJobRunning } from '../protocol/messages/job-state.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import {
  type Outcome,
  type SlurmError,
  SlurmServerError,
  SlurmUsageError,
  showValue,
} from '../protocol/slurm-error.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import { sluidTooOld, verdict } from './answer.js';
import { badOption } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { lookAtJob, stepRecords } from './job-lookup.js';
import { killJob, killJobStep, killRecord } from './kill.js';
import { killJobs } from './kill-jobs.js';
import { isPrivileged, ownIdentity } from './kill-jobs-identity.js';
import { allJobs, nameOf } from './kill-jobs-singles.js';
import { CALL_OPTIONS, type CallOptions, type KillJobOptions, killFlags } from './kill-options.js';
import { nothingToSignal } from './nothing-to-signal.js';

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

/** What became of one of the jobs or steps that a target stood for. */
export interface KilledTarget {
  /** As Slurm writes it: `12`, `12_3`, `12_[4-9]`, `12+1`, `12.0`. */
  readonly target: string;
  /** Number of its own record, `null` where that is not known. */
  readonly jobId: number | null;
  /** `accepted`: the signal was taken, or for signal 0, could be. Else as in `KilledJob`. */
  readonly outcome: Exclude<Outcome, 'partial'>;
  /** `null` for success; `EPERM`, `ESRCH`, `EAGAIN` or what else kept it from happening. */
  readonly errno: string | null;
  /** Name of the number that was answered, or of the trouble; `null` for success. */
  readonly code: string | null;
  /** Slurm's number, 0 for success; `null` where there was no answer. */
  readonly number: number | null;
  /** One sentence; `null` for success. */
  readonly message: string | null;
}

/** At least one job or step took the signal, which is what kill(2) calls success. */
export interface Killed {
  /** `partial`: others did not, or it is not known. */
  readonly outcome: 'accepted' | 'partial';
  /** As it was given. */
  readonly target: string;
  /** Number of the Unix signal. 0: nothing was signalled. */
  readonly unixSignal: number;
  /** How many took it. */
  readonly count: number;
  readonly targets: readonly KilledTarget[];
  readonly protocol: Release;
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** Exchanges it may take: first contact, what the cluster is like, two lookups, and what a bulk kill takes. */
export const POSIX_KILL_EXCHANGES = 12;

/** @param own number of the job this process runs in, as `SLURM_JOB_ID` has it; `undefined` for none. */
export async function kill(
  link: ControllerLink,
  target: KillTarget,
  unixSignal: UnixSignal | 0,
  options: PosixKillOptions,
  own: string | undefined,
  context: CallContext,
): Promise<Killed> {
  const startedAt = performance.now();
  const signal = unixSignal === 0 || unixSignal === '0' ? 0 : unixSignalNumber(unixSignal);
  const { broad, timeoutMs: _t, signal: _s, ...killOptions } = options;
  killFlags(killOptions, link.setup.release);
  const order: Order = { signal, options: killOptions };
  const meant = selectionOf(target, broad, own);
  const targets = await signalAll(link, meant, order, own, context);
  const count = targets.filter(({ outcome }) => outcome === 'accepted').length;
  const { release: protocol } = link.setup;
  const elapsedMs = performance.now() - startedAt;
  if (count === 0) throw noneTookIt(meant.text, targets, link);
  const outcome = count === targets.length ? 'accepted' : 'partial';
  return { outcome, target: meant.text, unixSignal: signal, count, targets, protocol, elapsedMs };
}

interface Order {
  /** 0: existence and permission are looked at, and nothing is signalled. */
  readonly signal: number;
  readonly options: Omit<KillJobOptions, keyof CallOptions>;
}

type Selection = { readonly text: string } & (
  | { readonly kind: 'one'; readonly job: ParsedJobId; readonly isOwn: boolean }
  | { readonly kind: 'step'; readonly step: ParsedStepId; readonly given: StepTarget }
  | { readonly kind: 'group'; readonly job: ParsedJobId }
  | { readonly kind: 'broad' }
);

function selectionOf(target: KillTarget, broad: boolean | undefined, own: string | undefined): Selection {
  const number = typeof target === 'string' && /^(?:0|-\d{1,10})$/.test(target) ? Number(target) : target;
  if (typeof number === 'number' && number <= 0) {
    const text = String(number);
    if (number === 0) return { kind: 'one', job: ownJob(own), isOwn: true, text };
    if (number < -1) return { kind: 'group', job: parseJobId(-number, 'target'), text };
    const hint = 'Every job that the caller may signal is what -1 means: the option broad says so.';
    if (broad !== true) throw badOption('broad', broad, 'has to be true for the target -1', hint);
    return { kind: 'broad', text };
  }
  const isStep =
    typeof target === 'string'
      ? target.includes('.')
      : typeof target === 'object' && target !== null && 'stepId' in target;
  if (isStep) {
    const given = target as StepTarget;
    const step = parseStepId(given, 'target');
    return { kind: 'step', step, given, text: step.text };
  }
  const job = parseJobId(target as JobId, 'target');
  const isGroup = job.kind === 'whole-array' || job.kind === 'array-tasks';
  if (isGroup) return { kind: 'group', job, text: job.text };
  return { kind: 'one', job, isOwn: false, text: job.text };
}

function ownJob(own: string | undefined): ParsedJobId {
  if (own !== undefined) return parseJobId(own, 'SLURM_JOB_ID');
  throw new SlurmUsageError('target 0 is the job this process runs in, and it runs in none.', {
    code: 'SLURMWIRE_NOT_IN_A_JOB',
    errno: 'ESRCH',
    field: 'target',
    value: 0,
    hint: 'SLURM_JOB_ID is not set.',
  });
}

function signalAll(
  link: ControllerLink,
  meant: Selection,
  order: Order,
  own: string | undefined,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  switch (meant.kind) {
    case 'one':
      return signalOne(link, meant.job, meant.isOwn, order, context);
    case 'step':
      return signalStep(link, meant.step, meant.given, order, context);
    case 'group':
      return signalGroup(link, meant.job, order, context);
    case 'broad':
      return signalEverything(link, order, own, context);
  }
}

/** Exactly one job record. */
async function signalOne(
  link: ControllerLink,
  job: ParsedJobId,
  isOwn: boolean,
  { signal, options }: Order,
  context: CallContext,
): Promise<KilledTarget[]> {
  const { release } = link.setup;
  if (job.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(job.text, release);
  const { records, reply } = await lookAtJob(link, job, context);
  const record = theOne(records, job, isOwn || options.wholeHetJob === true);
  const { peer } = reply;
  if (record === undefined)
    throw nothingToSignal(`there is no job ${job.text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  const { jobId } = record;
  const target = job.text;
  if (signal === 0) {
    if (isJobFinished(record.jobState))
      throw nothingToSignal(`job ${target} has finished`, 'ESLURM_ALREADY_DONE', link, { peer });
    await checkPermission(link, jobId, target, context);
  } else if (record.arrayJobId !== 0 && record.arrayTaskId !== NO_VAL) {
    // The last task of an array has the number of the array, and the text would mean all of it.
    await killRecord(link, { jobId, target }, signal, options, context);
  } else {
    await killJob(link, target, signal, isOwn ? { ...options, wholeHetJob: true } : options, context);
  }
  return [taken(target, jobId)];
}

/** The record that an id means, and no group of them. */
function theOne(
  records: readonly JobRecord[],
  { kind, jobId, text }: ParsedJobId,
  isWhole: boolean,
): JobRecord | undefined {
  if (kind !== 'job') return records[0];
  const isArray = records.some(
    (record) => record.arrayJobId === jobId && (records.length > 1 || record.arrayTaskId === NO_VAL),
  );
  if (isArray) {
    throw notOne(
      text,
      'an array',
      `-${jobId} is all of it, '${jobId}_7' one task; a task has a number of its own, too.`,
    );
  }
  const isLeader = records.length > 1 && records.some((record) => record.hetJobId === jobId);
  if (isLeader && !isWhole) throw notOne(text, 'a heterogeneous job', `-${jobId} is all of its components.`);
  return records.find((record) => record.jobId === jobId) ?? records[0];
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
  const { records, reply } = await lookAtJob(link, step.job, context);
  const { peer } = reply;
  const owner = step.job.kind === 'job' ? records.find(({ jobId }) => jobId === step.job.jobId) : records[0];
  const isThere = owner !== undefined && (await hasStep(link, owner, step, context));
  if (!isThere) throw nothingToSignal(`there is no step ${target}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  await checkPermission(link, owner.jobId, target, context);
  return [taken(target, owner.jobId)];
}

async function hasStep(
  link: ControllerLink,
  { jobId, jobState, batchFlag }: JobRecord,
  { stepId, stepHetComp }: ParsedStepId,
  context: CallContext,
): Promise<boolean> {
  if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) return isJobRunning(jobState) && batchFlag !== 0;
  const steps = await stepRecords(link, jobId, stepId, context);
  return steps.some((found) => stepHetComp === null || found.stepId.stepHetComp === stepHetComp);
}

/** All records of an array, of a range of its tasks, or of a het job. */
async function signalGroup(
  link: ControllerLink,
  job: ParsedJobId,
  { signal, options }: Order,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  if (signal !== 0) return killedTargets(await killJobs(link, [job.text], signal, options, context), link);
  const { records } = await lookAtJob(link, job, context);
  const going = records.filter(({ jobState }) => !isJobFinished(jobState));
  const [first] = going;
  if (first === undefined) return [];
  // They have one owner, so one question answers for all.
  await checkPermission(link, first.jobId, job.text, context);
  return going.map((record) => taken(nameOf(record), record.jobId));
}

/** What the caller may signal for certain: every job for root and SlurmUser, else own ones. Without the job this process runs in. */
async function signalEverything(
  link: ControllerLink,
  { signal, options }: Order,
  own: string | undefined,
  context: CallContext,
): Promise<readonly KilledTarget[]> {
  const identity = ownIdentity(link.setup.slurmUser);
  const { uid } = identity;
  if (uid === null)
    throw badOption('broad', true, 'cannot be, since who this process is to the cluster is not known');
  const mayAll = isPrivileged(identity);
  const { records } = await allJobs(link, null, context);
  const meant = records.filter(
    ({ jobId, jobState, userId }) =>
      !isJobFinished(jobState) && (mayAll || userId === uid) && String(jobId) !== own,
  );
  const leaders = new Set(meant.map(({ jobId }) => jobId));
  const jobs = meant.filter((job) => !isComponent(job) || !leaders.has(job.hetJobId));
  if (signal === 0) return jobs.map((job) => taken(nameOf(job), job.jobId));
  if (jobs.length === 0) return [];
  return killedTargets(await killJobs(link, jobs.map(nameOf), signal, options, context), link);
}

/**
 * Whether the controller would let this caller signal the job: asked with a SIGCONT for a step that no job can have, since the caller's
 * rights are looked at before the step is looked for. No process is reached, and no scrontab line switched off.
 *
 * Controllers up to 24.11 answer for owner, root and SlurmUser only: an operator, who may signal the job as a whole, is told EPERM there.
 *
 * @throws SlurmServerError
 */
async function checkPermission(
  link: ControllerLink,
  jobId: number,
  target: string,
  context: CallContext,
): Promise<void> {
  const rpc = 'REQUEST_CANCEL_JOB_STEP';
  const stepId = { jobId, stepId: SLURM_MAX_NORMAL_STEP_ID, stepHetComp: NO_VAL };
  const record = { stepId, sjobId: null, signal: UNIX_SIGNALS.SIGCONT };
  const reply = await link.call({ name: rpc, record, repeatable: true }, context);
  const { number } = verdict(reply, { rpc, repeatable: true });
  const { code, text } = errorMeaning(number, reply.protocol);
  // 0: handed on to the job's step manager, by a controller that had nothing against it.
  if (number === 0 || PERMITTED.has(code)) return;
  const { peer, protocol } = reply;
  const hint =
    code === 'ESLURM_USER_ID_MISSING'
      ? 'Controllers up to 24.11 say this to operators too, who may signal the job all the same.'
      : undefined;
  const details = { outcome: 'refused', peer, rpc, phase: 'wait', hint } as const;
  throw serverError(`Signal 0 for ${target} was refused by ${peer}: ${text}`, number, protocol, details);
}

/** What is said behind the check of the caller's rights, of a job that is known to be there. */
const PERMITTED: ReadonlySet<string> = new Set([
  'ESLURM_INVALID_JOB_ID', // there is no such step
  'ESLURM_TRANSITION_STATE_NO_UPDATE', // the job does not run
]);

function taken(target: string, jobId: number | null): KilledTarget {
  return { target, jobId, outcome: 'accepted', errno: null, code: null, number: 0, message: null };
}

function killedTargets({ jobs }: Awaited<ReturnType<typeof killJobs>>, link: ControllerLink): KilledTarget[] {
  return jobs.map((job) => ({ ...job, errno: errnoOf(job.code, link.setup.release) }));
}

function errnoOf(code: string | null, release: Release): string | null {
  if (code === null) return null;
  const number = errorNumber(code);
  if (number !== null) return errorMeaning(number, release).errno;
  return /^E[A-Z]+$/.test(code) ? code : 'EIO';
}

/** What to say first of several that did not take it: what the caller can mend, then what time does, then what is gone. */
const FIRST = ['EPERM', 'EAGAIN', 'ESRCH'];

function noneTookIt(text: string, targets: readonly KilledTarget[], link: ControllerLink): SlurmError {
  const rank = ({ errno }: KilledTarget) => FIRST.indexOf(errno ?? '');
  const [worst] = [...targets].sort((a, b) => rank(a) - rank(b));
  if (worst === undefined)
    return nothingToSignal(`no job stands behind target ${text}`, 'ESLURM_INVALID_JOB_ID', link);
  const outcome = targets.some((one) => one.outcome === 'unknown')
    ? 'unknown'
    : targets.every((one) => one.outcome === 'not-sent')
      ? 'not-sent'
      : 'refused';
  const { release } = link.setup;
  const number = worst.number ?? errorNumber(worst.code ?? '') ?? undefined;
  return new SlurmServerError(
    `None of the ${targets.length} jobs behind target ${showValue(text)} took it: ${worst.target}: ${worst.message}`,
    {
      code: worst.code ?? 'SLURM_ERROR',
      number,
      errno: worst.errno ?? 'EIO',
      outcome,
      protocol: release,
      phase: 'wait',
      retryable: number !== undefined && outcome !== 'unknown' && errorMeaning(number, release).retryable,
      parts: targets.map(({ target, code, message, ...one }) => ({
        target,
        number: one.number ?? -1,
        code: code ?? 'SLURM_SUCCESS',
        message: message ?? 'No error.',
      })),
    },
  );
}
