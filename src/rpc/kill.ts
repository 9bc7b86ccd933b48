/** `killJob` and `killJobStep`: signals through the controller, and an outcome that is never wrong. */
import type { CallContext } from '../protocol/authenticator.js';
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
import { isAtLeast } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { isSlurmError, type Outcome, restate } from '../protocol/slurm-error.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { aimAt, isShared, takenFor } from './aim.js';
import { sluidTooOld, UNCERTAIN } from './answer.js';
import { checkBoolean } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { jobRecords, lookAtJob } from './job-lookup.js';
import { killCronJob } from './kill-cron-job.js';
import { checkKillOptions, type KillCallOptions, type KillJobOptions, killFlags } from './kill-options.js';
import { type Accepted, type AlreadyEnded, isEnded, type Kill, orEnded, sendKill } from './kill-request.js';
import { nothingToSignal } from './nothing-to-signal.js';
import { whereItBelongs } from './reroute.js';
import { terminateJobStep } from './signal.js';
import { stepRecords } from './step-lookup.js';
import { mayHaveStepManagers, STEP_MANAGER_EXCHANGES, stepManagerOf } from './step-manager.js';

/**
 * Exchanges a kill may take: first contact, what the cluster is like, a look at the job, the kill, a look at what a refusal means. Where another
 * cluster has to be asked, it is within the same time.
 */
export const KILL_EXCHANGES = 5;
/** To a step, also whether it is there, where the controller does not know that itself. */
export const KILL_STEP_EXCHANGES = KILL_EXCHANGES + 1 + STEP_MANAGER_EXCHANGES;

export async function killJob(
  shared: ControllerLink,
  job: JobId,
  unixSignal: UnixSignal,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const parsed = parseJobId(job);
  const signal = unixSignalNumber(unixSignal);
  checkKillOptions(options);
  return whereItBelongs(shared, context, (link) => killParsedJob(link, parsed, signal, options, context));
}

async function killParsedJob(
  link: ControllerLink,
  parsed: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const { release } = link.setup;
  killFlags(options, release);
  if (parsed.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(parsed.text, release);
  const aim = await aimAt(link, parsed, signal, options, context);
  const target = parsed.text;
  switch (aim.at) {
    case 'text':
      return parsed.kind === 'job'
        ? killByNumber(link, parsed, signal, options, context)
        : killByText(link, parsed, signal, options, context);
    case 'record':
      return killRecord(link, { jobId: aim.job.jobId, target }, signal, options, context);
    case 'steps-of-cron-job': {
      const { idempotent } = options;
      const rpc = 'REQUEST_CANCEL_JOB_STEP';
      const work = killCronJob(link, { ...aim, target }, signal, options, context);
      return orEnded(work, { target, unixSignal: signal, rpc, protocol: release, idempotent });
    }
    case 'pending-task': {
      const { peer } = aim;
      throw nothingToSignal(`${target} is pending`, 'ESLURM_TRANSITION_STATE_NO_UPDATE', link, { peer });
    }
  }
}

/**
 * KILL_JOB of 20.11 to 22.05, and of the first of 23.02, does not know the number of an array task's own record, which `squeue` and the task itself
 * show. It does nothing and answers 2017 (observed), or 2021 although the task runs, where its table of arrays has another one in the same
 * place (read). Such a task is asked for once more, by its record.
 */
async function killByNumber(
  link: ControllerLink,
  job: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  let looked: Promise<readonly JobRecord[]> | undefined;
  const look = () => {
    looked ??= jobRecords(link, job, context);
    return looked;
  };
  const answer = await killByText(link, job, signal, options, context, look).catch((error: unknown) => error);
  const { code } = answer as Partial<AlreadyEnded>;
  const knowsTasks = isAtLeast(link.setup.release, '23.11') || options.sibling !== undefined;
  if (isEnded(code) && !knowsTasks) {
    const records = await look().catch((error: unknown) => untold(answer, code, job, error));
    if (records.some((record) => record.jobId === job.jobId && isLiveTask(record))) {
      const asked = killRecord(link, { jobId: job.jobId, target: job.text }, signal, options, context);
      return (answer as { outcome: Outcome }).outcome === 'unknown' ? unknownUnlessAccepted(asked) : asked;
    }
  }
  if (answer instanceof Error) throw answer;
  return answer as Accepted | AlreadyEnded;
}

/** After a kill that may have been done at a controller before: a refusal does not undo that. */
async function unknownUnlessAccepted(asked: Promise<Accepted | AlreadyEnded>) {
  try {
    const answer = await asked;
    return answer.outcome === 'accepted' ? answer : ({ ...answer, outcome: 'unknown' } as const);
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    throw restate(error, error.summary, { outcome: 'unknown', hint: UNCERTAIN });
  }
}

/** A look that fails leaves a refusal as it is, but no success is made of one that may be that of a running task. */
function untold(answer: unknown, code: string, { text }: ParsedJobId, error: unknown): never {
  if (answer instanceof Error || !isSlurmError(error)) throw answer;
  const summary = `${text} was answered with ${code}, which an array task that runs may be too, and the look for it failed: ${error.summary}`;
  throw restate(error, summary, { outcome: (answer as AlreadyEnded).outcome });
}

/** A task with a number that is not its array's, which would mean all tasks. */
function isLiveTask({ jobId, arrayJobId, arrayTaskId, jobState }: JobRecord): boolean {
  return arrayTaskId !== NO_VAL && arrayJobId !== jobId && !isJobFinished(jobState);
}

/**
 * All that the id text means to the controller, without a look at it before. The options have been checked.
 *
 * @param look what a refusal may stand for, where the caller asks that too.
 */
export function killByText(
  link: ControllerLink,
  job: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
  look?: Kill['look'],
): Promise<Accepted | AlreadyEnded> {
  const flags = killFlags(options, link.setup.release);
  const record = { stepId: NO_STEP_ID, sjobId: job.text, sibling: options.sibling ?? null, signal, flags };
  const repeatable = isRepeatable(signal, options);
  const kill = {
    rpc: 'REQUEST_KILL_JOB',
    record,
    kind: job.kind,
    job: takenFor(job),
    look,
    target: job.text,
    repeatable,
  } as const;
  return sendKill(link, kill, options.idempotent, context);
}

/** One job record and no other: a task of an array, or a component where these can be signalled alone. */
export function killRecord(
  link: ControllerLink,
  { jobId, target }: { readonly jobId: number; readonly target: string },
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const flags = killFlags(options, link.setup.release);
  const stepId = { jobId, stepId: NO_VAL, stepHetComp: NO_VAL };
  const repeatable = isRepeatable(signal, options);
  const job = parseJobId(jobId);
  const record = { stepId, sjobId: null, signal, flags };
  const kill = { rpc: 'REQUEST_CANCEL_JOB_STEP', record, kind: 'record', job, target, repeatable } as const;
  return sendKill(link, kill, options.idempotent, context);
}

/** SIGKILL to whole jobs: a second one finds them ending or ended. */
function isRepeatable(signal: number, { batch, stepsOnly }: KillJobOptions): boolean {
  return signal === UNIX_SIGNALS.SIGKILL && batch !== true && stepsOnly !== true;
}

export async function killJobStep(
  shared: ControllerLink,
  step: StepTarget,
  unixSignal: UnixSignal,
  options: KillCallOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const parsed = parseStepId(step);
  const signal = unixSignalNumber(unixSignal);
  const { idempotent } = options;
  checkBoolean('idempotent', idempotent);
  const link = await shared.settle(context);
  const rpc = 'REQUEST_CANCEL_JOB_STEP';
  const work = killParsedStep(link, { given: step, ...parsed }, signal, idempotent, context);
  const protocol = link.setup.release;
  return orEnded(work, { target: parsed.text, unixSignal: signal, rpc, protocol, idempotent });
}

async function killParsedStep(
  link: ControllerLink,
  step: ParsedStepId & { readonly given: StepTarget },
  signal: number,
  idempotent: boolean | undefined,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const kills = signal === UNIX_SIGNALS.SIGKILL;
  const { stepId, stepHetComp, text: target } = step;
  const owner = await ownerOf(link, step, kills, context);
  if (kills && owner.isLeader) return atItsNodes(link, step.given, owner.peer, context);
  const { jobId } = owner;
  if (owner.record !== null) await checkIsThere(link, owner.record, step, owner.peer, context);
  const kill: Kill = {
    rpc: 'REQUEST_CANCEL_JOB_STEP',
    record: { stepId: { jobId, stepId, stepHetComp: stepHetComp ?? NO_VAL }, sjobId: null, signal },
    kind: 'step',
    job: parseJobId(jobId),
    target,
    repeatable: kills,
  };
  return sendKill(link, kill, idempotent, context);
}

/** The record that has the step. */
interface Owner {
  readonly jobId: number;
  /** Whether it is a het job's leader, and that is to be heeded. */
  readonly isLeader: boolean;
  /** `null` where nobody was asked for it, or the controller knows none. */
  readonly record: JobRecord | null;
  readonly peer: string;
}

async function ownerOf(
  link: ControllerLink,
  { job }: ParsedStepId,
  kills: boolean,
  context: CallContext,
): Promise<Owner> {
  const { kind, jobId, text } = job;
  // SIGKILL to the step of a het leader is one to that step of every component, and to 25.11.0 to 25.11.7 and 26.05.0 to 26.05.3 one to
  // the whole components (read in their source). The oldest protocol that one of these takes is 24.05.
  const mayHarm = kills && isAtLeast(link.setup.release, '24.05');
  const mayNotKnow = mayHaveStepManagers(link.setup.release);
  if (kind === 'job' && !mayHarm && !mayNotKnow) return { jobId, isLeader: false, record: null, peer: '' };
  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  const own = kind === 'job' ? records.find((record) => record.jobId === jobId) : records[0];
  // The record of several pending tasks may be another one's by the time the request is there.
  if (kind === 'array-task' && own !== undefined && isShared(own))
    throw nothingToSignal(`${text} is pending`, 'ESLURM_TRANSITION_STATE_NO_UPDATE', link, { peer });
  if (own !== undefined) {
    const isLeader = own.hetJobId === own.jobId && (kind !== 'job' || mayHarm);
    return { jobId: own.jobId, isLeader, record: own, peer };
  }
  // By its number the controller can say so itself.
  if (kind === 'job') return { jobId, isLeader: false, record: null, peer };
  throw nothingToSignal(`there is no job ${text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
}

/**
 * Of a running job with a step manager, a controller accepts signals to steps that there are not (observed: 24.11, 26.05). In any other
 * state it says no itself.
 */
async function checkIsThere(
  link: ControllerLink,
  owner: JobRecord,
  { stepId, stepHetComp, text }: ParsedStepId,
  peer: string,
  context: CallContext,
): Promise<void> {
  if (stepManagerOf(owner, link.setup.release) === null || !isJobRunning(owner.jobState)) return;
  const steps = await stepRecords(link, owner, stepId, context);
  if (steps.some((found) => stepHetComp === null || found.stepId.stepHetComp === stepHetComp)) return;
  throw nothingToSignal(`there is no step ${text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
}

/** SIGKILL to a step and nothing else, past the controller. */
async function atItsNodes(
  link: ControllerLink,
  step: StepTarget,
  peer: string,
  context: CallContext,
): Promise<Accepted> {
  const { target, rpc, unixSignal, protocol, nodes, elapsedMs } = await terminateJobStep(
    link,
    step,
    {},
    context,
  );
  const answered = { target, unixSignal, rpc, peer, protocol, authenticated: false, elapsedMs };
  return { outcome: 'accepted', ...answered, message: null, nodes };
}
