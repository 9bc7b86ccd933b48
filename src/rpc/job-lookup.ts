/** What the controller knows of a job: reads without side effect. Its steps: `step-lookup.ts`. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import {
  isSlurmError,
  restate,
  type SlurmError,
  SlurmProtocolError,
  SlurmTimeoutError,
} from '../protocol/slurm-error.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import type { ControllerCall, ControllerLink } from './controller-link.js';
import type { Reply } from './reply.js';

/**
 * The job records an id stands for: one for a plain job, several for an array or a het leader; those that the id names, for a task,
 * a range or a component. Empty where the controller knows none.
 */
export async function jobRecords(
  link: ControllerLink,
  job: ParsedJobId,
  context: CallContext,
): Promise<JobRecord[]> {
  return (await lookAtJob(link, job, context)).records;
}

/** Job records, and the answer they stood in. */
export interface FoundJobs {
  readonly records: JobRecord[];
  readonly reply: Reply;
}

/** {@link jobRecords}, and the answer they stood in. */
export async function lookAtJob(
  link: ControllerLink,
  job: ParsedJobId,
  context: CallContext,
): Promise<FoundJobs> {
  const reply = await lookUp(link, lookFor(job), context);
  if (reply.name === 'RESPONSE_JOB_INFO') {
    return { records: reply.record.jobs.filter((found) => isMeant(found, job)), reply };
  }
  if (refusalOf(reply)?.code === 'ESLURM_INVALID_JOB_ID') return { records: [], reply };
  throw lookupFailed(reply, 'REQUEST_JOB_INFO_SINGLE', job.text);
}

/** The message that asks for a job's records. */
export function lookFor({ jobId, sluid }: ParsedJobId): ControllerCall<'REQUEST_JOB_INFO_SINGLE'> {
  const showFlags = SHOW_FLAGS.SHOW_ALL;
  const record = sluid === undefined ? { jobId, showFlags } : { stepId: { ...NO_STEP_ID, sluid }, showFlags };
  return { name: 'REQUEST_JOB_INFO_SINGLE', record, repeatable: true };
}

/** The job record with this very number; `undefined` where the controller knows none. */
export async function jobNumbered(
  link: ControllerLink,
  jobId: number,
  context: CallContext,
): Promise<JobRecord | undefined> {
  return (await jobRecords(link, parseJobId(jobId), context)).find((found) => found.jobId === jobId);
}

/**
 * A read on the way to something else. However it fails, nothing of that has been sent.
 *
 * @throws SlurmError, always with outcome `not-sent`.
 */
export async function lookUp<N extends MessageName>(
  link: ControllerLink,
  call: ControllerCall<N>,
  context: CallContext,
): Promise<Reply> {
  return asLookup(link.call(call, context));
}

/** What {@link lookUp} says of a call, said of any work that is no more than a question. */
export async function asLookup<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isSlurmError(error) || error.outcome === 'not-sent') throw error;
    // The hint of a deadline is about a request that may have been acted on.
    const hint = error instanceof SlurmTimeoutError ? undefined : error.hint;
    const summary = `the lookup failed, and nothing else was sent: ${error.summary}`;
    throw restate(error, summary, { outcome: 'not-sent', hint });
  }
}

/** The error a reply carries, or `null` for a reply that is none. */
export function refusalOf(reply: Reply): { number: number; code: string } | null {
  if (reply.name !== 'RESPONSE_SLURM_RC' && reply.name !== 'RESPONSE_SLURM_RC_MSG') return null;
  const number = signedReturnCode(reply.record.returnCode);
  return { number, code: errorMeaning(number, reply.protocol).code };
}

/**
 * For lookups that make do without an answer: a refusal that passes is none to go by.
 *
 * @throws SlurmError, outcome `not-sent`, retryable.
 */
export function refuseIfPassing(reply: Reply, rpc: MessageName, target: string): void {
  const refusal = refusalOf(reply);
  if (refusal !== null && errorMeaning(refusal.number, reply.protocol).retryable)
    throw lookupFailed(reply, rpc, target);
}

/** True for a record that the id stands for. */
export function isMeant(found: JobRecord, { kind, jobId, text }: ParsedJobId): boolean {
  switch (kind) {
    case 'job':
      return found.jobId === jobId || found.arrayJobId === jobId || found.hetJobId === jobId;
    case 'whole-array':
      return found.arrayJobId === jobId;
    case 'sluid':
      return true;
    case 'array-task':
    case 'array-tasks':
      return found.arrayJobId === jobId && tasksMeant(found, text).length > 0;
    case 'het-component':
      return found.hetJobId === jobId && `${jobId}+${found.hetJobOffset}` === text;
  }
}

/** Those of a record's array tasks that the text `N_T` or `N_[T-U]` names. */
export function tasksMeant(found: JobRecord, text: string): number[] {
  const ranges = text.slice(text.indexOf('_') + 1).replace(/^\[|\]$/g, '');
  return recordTasks(found).filter((task) => isInRanges(task, ranges));
}

/** The array tasks a record stands for: its own, or those that have not been split off yet and are all pending. */
export function recordTasks({ arrayTaskId, arrayTaskStr }: JobRecord): number[] {
  if (arrayTaskId !== NO_VAL) return [arrayTaskId];
  // A mask on the wire: bit n is task n, the last digit has the lowest four.
  const digits = /^0x([0-9a-f]+)$/i.exec(arrayTaskStr ?? '')?.[1] ?? '';
  return [...digits].reverse().flatMap((digit, index) => {
    const bits = Number.parseInt(digit, 16);
    return [0, 1, 2, 3].filter((bit) => (bits >> bit) & 1).map((bit) => 4 * index + bit);
  });
}

/** True when `1-3,7,10-20:5` names the task. */
function isInRanges(task: number, ranges: string): boolean {
  return ranges.split(',').some((range) => {
    const [span = '', step = '1'] = range.split(':');
    const [low = '', high = low] = span.split('-');
    return task >= Number(low) && task <= Number(high) && (task - Number(low)) % Number(step) === 0;
  });
}

/**
 * The error of a lookup that was answered with something else.
 *
 * @param target what was asked about: `peer does not tell about ${target}`.
 */
export function lookupFailed(reply: Reply, rpc: MessageName, target: string): SlurmError {
  const { peer, protocol } = reply;
  const refusal = refusalOf(reply);
  if (refusal === null || refusal.number === 0) {
    return new SlurmProtocolError(`the reply to ${rpc} is a ${reply.name}`, {
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      errno: 'EPROTO',
      outcome: 'not-sent', // a lookup changes nothing, and nothing else was sent
      peer,
      rpc,
      protocol,
      phase: 'decode',
    });
  }
  const { text } = errorMeaning(refusal.number, protocol);
  return serverError(`${peer} does not tell about ${target}: ${text}`, refusal.number, protocol, {
    outcome: 'not-sent',
    peer,
    rpc,
    phase: 'wait',
  });
}
