/** `killJob` and `killJobStep`: one request to the controller, and an outcome that is never wrong. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import type { MessageInput } from '../protocol/messages/index.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalName, unixSignalNumber } from '../protocol/unix-signal.js';
import { type Answered, lookForJob, sluidTooOld, UNCERTAIN, verdict } from './answer.js';
import { badOption, checkBoolean } from './check-options.js';
import { type ControllerLink, showPassedOver } from './controller-link.js';
import { type KillCallOptions, type KillJobOptions, killFlags } from './kill-options.js';
import { type KillTarget, refusalCertainty } from './refusal.js';

/** What a kill that was answered says of itself. */
interface AnsweredKill extends Answered {
  /** Number of the Unix signal. */
  readonly unixSignal: number;
  readonly rpc: 'REQUEST_KILL_JOB' | 'REQUEST_CANCEL_JOB_STEP';
}

/**
 * The controller took the request. It signals the nodes afterwards and reports nothing of that: accepted is not delivered,
 * and not dead.
 */
export interface Accepted extends AnsweredKill {
  readonly outcome: 'accepted';
  /** Text the controller sent along, usually `null`. */
  readonly message: string | null;
}

/** With `idempotent`: there was nothing left to signal. */
export interface AlreadyEnded extends AnsweredKill {
  readonly outcome: 'refused' | 'unknown';
  readonly code: 'ESLURM_ALREADY_DONE' | 'ESLURM_INVALID_JOB_ID';
  readonly number: number;
}

/** Exchanges a kill may take: first contact, the kill, a look at what a refusal means. */
export const KILL_EXCHANGES = 3;

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
  const flags = killFlags(options, release);
  const { sibling = null } = options;
  if (sibling !== null && (typeof sibling !== 'string' || sibling === ''))
    throw badOption('sibling', sibling, 'is not the name of a cluster');
  if (parsed.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(parsed.text, release);

  const record = { stepId: NO_STEP_ID, sjobId: parsed.text, sibling, signal, flags };
  // SIGKILL to whole jobs: a second one finds them ending or ended.
  const repeatable = signal === UNIX_SIGNALS.SIGKILL && !options.batch && !options.stepsOnly;
  const kill = {
    rpc: 'REQUEST_KILL_JOB',
    record,
    kind: parsed.kind,
    jobId: parsed.jobId,
    target: parsed.text,
    repeatable,
  } as const;
  return send(link, kill, options, context);
}

export async function killJobStep(
  link: ControllerLink,
  step: StepTarget,
  unixSignal: UnixSignal,
  options: KillCallOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const parsed = parseStepId(step);
  const signal = unixSignalNumber(unixSignal);
  checkBoolean('idempotent', options.idempotent);
  if (parsed.job.kind !== 'job') throw needsOwnJobId(parsed.text, step);
  const record = {
    stepId: { jobId: parsed.job.jobId, stepId: parsed.stepId, stepHetComp: parsed.stepHetComp ?? NO_VAL },
    sjobId: null,
    signal,
  };
  const repeatable = signal === UNIX_SIGNALS.SIGKILL;
  const { jobId } = parsed.job;
  const kill = {
    rpc: 'REQUEST_CANCEL_JOB_STEP',
    record,
    kind: 'step',
    jobId,
    target: parsed.text,
    repeatable,
  } as const;
  return send(link, kill, options, context);
}

interface Kill {
  readonly rpc: AnsweredKill['rpc'];
  readonly record: MessageInput<'REQUEST_KILL_JOB'>;
  readonly kind: KillTarget;
  readonly jobId: number;
  readonly target: string;
  readonly repeatable: boolean;
}

async function send(
  link: ControllerLink,
  kill: Kill,
  { idempotent }: KillCallOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const { rpc, record, repeatable, target } = kill;
  const reply = await link.call({ name: rpc, record, repeatable }, context);
  const { peer, protocol, authenticated, elapsedMs } = reply;
  const answered: AnsweredKill = {
    target,
    unixSignal: record.signal,
    rpc,
    peer,
    protocol,
    authenticated,
    elapsedMs,
  };
  const { number, message } = verdict(reply, kill);
  if (number === 0) return { outcome: 'accepted', ...answered, message };

  const { outcome, cause } = await outcomeOfRefusal(link, kill, number, protocol, context);
  const { code, text, retryable } = errorMeaning(number, protocol);
  if (idempotent === true && (code === 'ESLURM_ALREADY_DONE' || code === 'ESLURM_INVALID_JOB_ID')) {
    return { outcome, ...answered, code, number };
  }
  const signal = unixSignalName(record.signal);
  const answer = outcome === 'refused' ? 'refused' : `answered with ${code}`;
  const said = message === null ? '' : ` It said ${showValue(message)}.`;
  const before = reply.passedOver.length === 0 ? '' : ` ${showPassedOver(reply.passedOver)}`;
  throw serverError(
    `${signal} for ${target} was ${answer} by ${peer}: ${text}${said}${before}`,
    number,
    protocol,
    {
      outcome,
      peer,
      rpc,
      phase: 'wait',
      retryable: outcome === 'refused' ? retryable : repeatable,
      serverMessage: message,
      hint: outcome === 'refused' ? undefined : UNCERTAIN,
      cause,
    },
  );
}

async function outcomeOfRefusal(
  link: ControllerLink,
  { kind, jobId, record }: Kill,
  number: number,
  protocol: Release,
  context: CallContext,
): Promise<{ outcome: 'refused' | 'unknown'; cause?: unknown }> {
  const { code } = errorMeaning(number, protocol);
  const certainty = refusalCertainty(kind, code, record.signal === UNIX_SIGNALS.SIGKILL);
  if (certainty === 'certain') return { outcome: 'refused' };
  if (certainty === 'uncertain') return { outcome: 'unknown' };
  try {
    const { records } = await lookForJob(link, jobId, protocol, context);
    // A record that is gone by now shows nothing, but where the kill itself found none.
    const isSingle = records === 1 || (records === 0 && code === 'ESLURM_INVALID_JOB_ID');
    return { outcome: isSingle ? 'refused' : 'unknown' };
  } catch (cause) {
    // Whatever went wrong with the look, it is not what became of the kill.
    return { outcome: 'unknown', cause };
  }
}

function needsOwnJobId(text: string, value: unknown): SlurmUsageError {
  return new SlurmUsageError(`step ${text} is named through its array or heterogeneous job.`, {
    code: 'SLURMWIRE_BAD_STEP_ID',
    field: 'step',
    value,
    hint: 'The controller finds steps by the number of the task\'s or component\'s own job record (%A of squeue -o "%i %A"): give that.',
  });
}
