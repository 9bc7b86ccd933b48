/** `killJob` and `killJobStep`: one request to the controller, and an outcome that is never wrong. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import type { MessageInput } from '../protocol/messages/index.js';
import { SHOW_ALL } from '../protocol/messages/job-info.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import {
  isSlurmError,
  SlurmProtocolError,
  SlurmServerError,
  SlurmUsageError,
} from '../protocol/slurm-error.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalName, unixSignalNumber } from '../protocol/unix-signal.js';
import type { ControllerLink } from './controller-link.js';
import { type KillCallOptions, type KillJobOptions, killFlags, refuseJobOptions } from './kill-options.js';
import { type KillTarget, refusalCertainty } from './refusal.js';
import type { Reply } from './reply.js';

/** What a kill that was answered says of itself. */
interface Answered {
  /** The job or step as it was sent: `1234_[1-10]`, `1234.0`. */
  readonly target: string;
  /** Number of the Unix signal. */
  readonly unixSignal: number;
  readonly rpc: 'REQUEST_KILL_JOB' | 'REQUEST_CANCEL_JOB_STEP';
  /** `host:port` of the controller that answered. */
  readonly peer: string;
  /** Release whose protocol was spoken. */
  readonly protocol: Release;
  /** Whether a credential proved who answered: see `ReplyOf.authenticated`. */
  readonly authenticated: boolean;
  /** Milliseconds of the exchange. */
  readonly elapsedMs: number;
}

/**
 * The controller took the request. It signals the nodes afterwards and reports nothing of that: accepted is not delivered,
 * and not dead.
 */
export interface Accepted extends Answered {
  readonly outcome: 'accepted';
  /** Text the controller sent along, usually `null`. */
  readonly message: string | null;
}

/** With `idempotent`: there was nothing left to signal. */
export interface AlreadyEnded extends Answered {
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
  if (sibling !== null && (typeof sibling !== 'string' || sibling === '')) throw badSibling(sibling);
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
  refuseJobOptions(options);
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
  readonly rpc: Answered['rpc'];
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
  const answered: Answered = {
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

  const outcome = await outcomeOfRefusal(link, kill, number, protocol, context);
  const { code, errno, text, retryable } = errorMeaning(number, protocol);
  if (idempotent === true && (code === 'ESLURM_ALREADY_DONE' || code === 'ESLURM_INVALID_JOB_ID')) {
    return { outcome, ...answered, code, number };
  }
  const signal = unixSignalName(record.signal);
  throw new SlurmServerError(`${signal} for ${target} was refused by ${peer}: ${text}`, {
    code,
    errno,
    number,
    outcome,
    peer,
    rpc,
    protocol,
    phase: 'wait',
    retryable: outcome === 'refused' ? retryable : repeatable,
    serverMessage: message,
    hint:
      outcome === 'unknown'
        ? 'The answer is one number for all parts of the target, so some of them may have been signalled: look at them before you send it again.'
        : undefined,
  });
}

/** The number that was answered. */
function verdict(reply: Reply, { rpc, repeatable }: Kill): { number: number; message: string | null } {
  const { peer, protocol } = reply;
  switch (reply.name) {
    case 'RESPONSE_SLURM_RC':
      return { number: signedReturnCode(reply.record.returnCode), message: null };
    case 'RESPONSE_SLURM_RC_MSG':
      return { number: signedReturnCode(reply.record.returnCode), message: reply.record.errMsg };
    case 'RESPONSE_SLURM_REROUTE_MSG': {
      const { workingClusterRec: cluster, stepmgr } = reply.record;
      const where =
        cluster !== null
          ? `${cluster.controlHost}:${cluster.controlPort}`
          : stepmgr !== null
            ? `the step manager on ${stepmgr}`
            : 'another controller, without saying which';
      throw new SlurmServerError(`${peer} did nothing and says that ${rpc} belongs to ${where}.`, {
        code: 'SLURMWIRE_REROUTED',
        errno: 'EREMOTE',
        outcome: 'refused',
        peer,
        rpc,
        protocol,
        phase: 'wait',
        hint: 'This version of slurmwire does not follow: connect to that controller.',
      });
    }
    default:
      throw new SlurmProtocolError(`the reply to ${rpc} is a ${reply.name}`, {
        code: 'SLURM_UNEXPECTED_MSG_ERROR',
        errno: 'EPROTO',
        outcome: 'unknown',
        peer,
        rpc,
        protocol,
        phase: 'decode',
        retryable: repeatable,
      });
  }
}

async function outcomeOfRefusal(
  link: ControllerLink,
  { kind, jobId, record }: Kill,
  number: number,
  protocol: Release,
  context: CallContext,
): Promise<'refused' | 'unknown'> {
  const { code } = errorMeaning(number, protocol);
  const certainty = refusalCertainty(kind, code, record.signal === UNIX_SIGNALS.SIGKILL);
  if (certainty === 'certain') return 'refused';
  if (certainty === 'uncertain') return 'unknown';
  return (await isSingleRecord(link, jobId, protocol, context)) ? 'refused' : 'unknown';
}

/** True when the id stands for one job record or none, which is to say: no array, no het leader. A read without side effect. */
async function isSingleRecord(
  link: ControllerLink,
  jobId: number,
  protocol: Release,
  context: CallContext,
): Promise<boolean> {
  const target = isAtLeast(protocol, '25.11') ? { stepId: { ...NO_STEP_ID, jobId } } : { jobId };
  const record = { ...target, showFlags: SHOW_ALL };
  try {
    const reply = await link.call({ name: 'REQUEST_JOB_INFO_SINGLE', record, repeatable: true }, context);
    if (reply.name === 'RESPONSE_JOB_INFO') return reply.record.recordCount <= 1;
    if (reply.name !== 'RESPONSE_SLURM_RC') return false;
    const { code } = errorMeaning(signedReturnCode(reply.record.returnCode), protocol);
    return code === 'ESLURM_INVALID_JOB_ID';
  } catch (error) {
    // Not knowing more is an answer too: the outcome stays `unknown`. A defect of our own is not hidden by it.
    if (isSlurmError(error) && error.code !== 'SLURMWIRE_INTERNAL') return false;
    throw error;
  }
}

function badSibling(value: unknown): SlurmUsageError {
  return new SlurmUsageError('sibling is not the name of a cluster.', {
    code: 'SLURMWIRE_BAD_OPTION',
    field: 'sibling',
    value,
  });
}

function sluidTooOld(text: string, release: Release): SlurmUsageError {
  return new SlurmUsageError(`job ${text} is a sluid, which protocol ${release} does not know.`, {
    code: 'SLURMWIRE_NOT_IN_RELEASE',
    field: 'job',
    value: text,
    hint: 'Controllers take sluids from 26.05 on: give the job number.',
  });
}

function needsOwnJobId(text: string, value: unknown): SlurmUsageError {
  return new SlurmUsageError(`step ${text} is named through its array or heterogeneous job.`, {
    code: 'SLURMWIRE_BAD_STEP_ID',
    field: 'step',
    value,
    hint: 'The controller finds steps by the number of the task\'s or component\'s own job record (%i of squeue -o "%i %A"): give that.',
  });
}
