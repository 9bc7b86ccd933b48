/** One request to signal a job or step at the controller, and what its answer proves. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import type { MessageInput } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import type { NodeResult } from '../protocol/node-result.js';
import type { Release } from '../protocol/release.js';
import { serverError } from '../protocol/server-error.js';
import { isSlurmError, showValue } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS, unixSignalName } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import { type Answered, UNCERTAIN, verdict } from './answer.js';
import type { ControllerLink } from './controller-link.js';
import { showPassedOver } from './in-charge.js';
import { jobRecords } from './job-lookup.js';
import { type KillTarget, refusalCertainty } from './refusal.js';

/** What a kill that was answered says of itself. */
interface AnsweredKill extends Answered {
  /** Number of the Unix signal. */
  readonly unixSignal: number;
  readonly rpc:
    | 'REQUEST_KILL_JOB'
    | 'REQUEST_CANCEL_JOB_STEP'
    | 'REQUEST_TERMINATE_TASKS'
    | 'REQUEST_SIGNAL_TASKS';
}

/**
 * The controller took the request. It signals the nodes afterwards and reports nothing of that: accepted is not delivered,
 * and not dead.
 */
export interface Accepted extends AnsweredKill {
  readonly outcome: 'accepted';
  /** Text the controller sent along, usually `null`. */
  readonly message: string | null;
  /** Where the controller could not be trusted with it and the nodes were asked: what each of them said. */
  readonly nodes?: readonly NodeResult[];
}

/** With `idempotent`: there was nothing left to signal. */
export interface AlreadyEnded extends AnsweredKill {
  /** `not-sent`: the controller told before anything was asked of it. */
  readonly outcome: 'refused' | 'unknown' | 'not-sent';
  readonly code: EndedCode;
  readonly number: number;
}

/** A request that is ready to go. */
export interface Kill {
  readonly rpc: 'REQUEST_KILL_JOB' | 'REQUEST_CANCEL_JOB_STEP';
  readonly record: MessageInput<'REQUEST_KILL_JOB'>;
  /** What the request means to the controller, which is not always how the caller named it. */
  readonly kind: KillTarget;
  /** The job it is about, for a look at what a refusal may stand for. */
  readonly job: ParsedJobId;
  /** Makes that look; default: asks the controller. */
  readonly look?: (() => Promise<readonly JobRecord[]>) | undefined;
  /** As the caller named it. */
  readonly target: string;
  readonly repeatable: boolean;
}

/**
 * Sends it, and says what became of it.
 *
 * @param idempotent resolve where there is nothing (left) to signal.
 */
export async function sendKill(
  link: ControllerLink,
  kill: Kill,
  idempotent: boolean | undefined,
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

  // What is refused now may have been done by the request before.
  const { outcome, cause } =
    reply.doubt === null
      ? await outcomeOfRefusal(link, kill, number, protocol, context)
      : { outcome: 'unknown' as const, cause: reply.doubt };
  const { code, text, retryable } = errorMeaning(number, protocol);
  if (idempotent === true && isEnded(code)) {
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

/** What `idempotent` makes a value of. */
export type EndedCode = 'ESLURM_ALREADY_DONE' | 'ESLURM_INVALID_JOB_ID';

export function isEnded(code: string | undefined): code is EndedCode {
  return code === 'ESLURM_ALREADY_DONE' || code === 'ESLURM_INVALID_JOB_ID';
}

/**
 * With `idempotent`, what a look at the job showed to have ended is a value.
 *
 * @throws whatever `work` threw that is something else.
 */
export async function orEnded<T>(
  work: Promise<T>,
  {
    idempotent,
    ...kill
  }: Pick<AnsweredKill, 'target' | 'unixSignal' | 'rpc' | 'protocol'> & { idempotent: boolean | undefined },
): Promise<T | AlreadyEnded> {
  const startedAt = performance.now();
  try {
    return await work;
  } catch (error) {
    if (idempotent !== true || !isSlurmError(error) || error.outcome !== 'not-sent') throw error;
    const { code, number, peer } = error;
    if (!isEnded(code) || number === undefined || peer === undefined) throw error;
    const elapsedMs = performance.now() - startedAt;
    return { outcome: 'not-sent', ...kill, code, number, peer, authenticated: false, elapsedMs };
  }
}

async function outcomeOfRefusal(
  link: ControllerLink,
  { kind, job, record, look = () => jobRecords(link, job, context) }: Kill,
  number: number,
  protocol: Release,
  context: CallContext,
): Promise<{ outcome: 'refused' | 'unknown'; cause?: unknown }> {
  const { code } = errorMeaning(number, protocol);
  const certainty = refusalCertainty(kind, code, record.signal === UNIX_SIGNALS.SIGKILL);
  if (certainty === 'certain') return { outcome: 'refused' };
  if (certainty === 'uncertain') return { outcome: 'unknown' };
  try {
    const records = await look();
    return { outcome: (await isProof(link, kind, records, code, context)) ? 'refused' : 'unknown' };
  } catch (cause) {
    // Whatever went wrong with the look, it is not what became of the kill.
    return { outcome: 'unknown', cause };
  }
}

/** Whether one number tells of all that the id stands for. */
async function isProof(
  link: ControllerLink,
  kind: KillTarget,
  records: readonly JobRecord[],
  code: string,
  context: CallContext,
): Promise<boolean> {
  const [one, ...others] = records;
  // A record that is gone by now shows nothing, but where the kill itself found none.
  if (one === undefined) return code === 'ESLURM_INVALID_JOB_ID';
  const isHet = records.some(({ hetJobId }) => hetJobId !== 0);
  // The step of one record, but for SIGKILL to a het leader's, which is one to all components.
  if (kind === 'step') return !isHet || (others.length === 0 && isComponent(one));
  // Of an array only where all of it has ended; of a het job also where a part has.
  if (others.length > 0) return code === 'ESLURM_ALREADY_DONE' && !isHet;
  return !isHet || !(await link.clusterFacts(context)).wholeHetJob;
}
