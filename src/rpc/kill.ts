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
import { isAtLeast } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { aimAt } from './aim.js';
import { sluidTooOld } from './answer.js';
import { badOption, checkBoolean } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { jobRecords, lookAtJob } from './job-lookup.js';
import { killCronJob } from './kill-cron-job.js';
import { type KillCallOptions, type KillJobOptions, killFlags } from './kill-options.js';
import { type Accepted, type AlreadyEnded, type Kill, orEnded, sendKill } from './kill-request.js';
import { nothingToSignal } from './nothing-to-signal.js';
import { terminateJobStep } from './signal.js';

/** Exchanges a kill may take: first contact, what the cluster is like, a look at the job, the kill, a look at what a refusal means. */
export const KILL_EXCHANGES = 5;

export async function killJob(
  link: ControllerLink,
  job: JobId,
  unixSignal: UnixSignal,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const { release } = link.setup;
  const parsed = parseJobId(job);
  const signal = unixSignalNumber(unixSignal);
  killFlags(options, release);
  const { sibling } = options;
  if (sibling !== undefined && (typeof sibling !== 'string' || sibling === ''))
    throw badOption('sibling', sibling, 'is not the name of a cluster');
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
 * KILL_JOB of 20.11 and 22.05 does not know the number of an array task's own record (2017, observed; 26.05 does), which `squeue` and the task
 * itself show: such a task is asked for once more, by its record.
 */
async function killByNumber(
  link: ControllerLink,
  job: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const answer = await killByText(link, job, signal, options, context).catch((error: unknown) => error);
  const isUnknown = (answer as Partial<AlreadyEnded>).code === 'ESLURM_INVALID_JOB_ID';
  if (isUnknown && options.sibling === undefined) {
    // A look that fails leaves the answer as it is.
    const records = await jobRecords(link, job, context).catch(() => []);
    const task = records.find(({ jobId, arrayTaskId }) => jobId === job.jobId && arrayTaskId !== NO_VAL);
    if (task !== undefined) {
      return killRecord(link, { jobId: job.jobId, target: job.text }, signal, options, context);
    }
  }
  if (answer instanceof Error) throw answer;
  return answer as Accepted | AlreadyEnded;
}

/** All that the id text means to the controller, without a look at it before. The options have been checked. */
export function killByText(
  link: ControllerLink,
  job: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const flags = killFlags(options, link.setup.release);
  const record = { stepId: NO_STEP_ID, sjobId: job.text, sibling: options.sibling ?? null, signal, flags };
  const repeatable = isRepeatable(signal, options);
  const kill = {
    rpc: 'REQUEST_KILL_JOB',
    record,
    kind: job.kind,
    job,
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
  const job = { kind: 'job', jobId, text: String(jobId) } as const;
  const record = { stepId, sjobId: null, signal, flags };
  const kill = { rpc: 'REQUEST_CANCEL_JOB_STEP', record, kind: 'record', job, target, repeatable } as const;
  return sendKill(link, kill, options.idempotent, context);
}

/** SIGKILL to whole jobs: a second one finds them ending or ended. */
function isRepeatable(signal: number, { batch, stepsOnly }: KillJobOptions): boolean {
  return signal === UNIX_SIGNALS.SIGKILL && batch !== true && stepsOnly !== true;
}

export function killJobStep(
  link: ControllerLink,
  step: StepTarget,
  unixSignal: UnixSignal,
  options: KillCallOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const parsed = parseStepId(step);
  const signal = unixSignalNumber(unixSignal);
  const { idempotent } = options;
  checkBoolean('idempotent', idempotent);
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
  const kill: Kill = {
    rpc: 'REQUEST_CANCEL_JOB_STEP',
    record: { stepId: { jobId, stepId, stepHetComp: stepHetComp ?? NO_VAL }, sjobId: null, signal },
    kind: 'step',
    job: { kind: 'job', jobId, text: String(jobId) },
    target,
    repeatable: kills,
  };
  return sendKill(link, kill, idempotent, context);
}

/** The number of the record that has the step, and whether that is known to be a het job's leader. */
async function ownerOf(
  link: ControllerLink,
  { job }: ParsedStepId,
  kills: boolean,
  context: CallContext,
): Promise<{ jobId: number; isLeader: boolean; peer: string }> {
  const { kind, jobId, text } = job;
  // SIGKILL to the step of a het leader is one to that step of every component, and to 25.11.0 to 25.11.7 and 26.05.0 to 26.05.3 one to
  // the whole components (read in their source). Any of these may speak a protocol from 24.11 on.
  const mayHarm = kills && isAtLeast(link.setup.release, '24.11');
  if (kind === 'job' && !mayHarm) return { jobId, isLeader: false, peer: '' };
  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  const own = kind === 'job' ? records.find((record) => record.jobId === jobId) : records[0];
  if (own !== undefined) return { jobId: own.jobId, isLeader: own.hetJobId === own.jobId, peer };
  // By its number the controller can say so itself.
  if (kind === 'job') return { jobId, isLeader: false, peer };
  throw nothingToSignal(`there is no job ${text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
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
