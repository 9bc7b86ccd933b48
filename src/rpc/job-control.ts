/**
 * `suspend`, `resume`, `requeue`, `notify`: one request to the controller each, and an outcome that is never wrong.
 *
 * Source: slurmctld's answers to SUSPEND, JOB_REQUEUE and JOB_NOTIFY, observed on 20.11, 22.05, 24.11 and 26.05: `docs/daemons.md`.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { type JobId, type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import type { MessageInput } from '../protocol/messages/index.js';
import { SUSPEND_OPS } from '../protocol/messages/suspend.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import {
  isSlurmError,
  type JobPart,
  SlurmProtocolError,
  SlurmUsageError,
  showValue,
} from '../protocol/slurm-error.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { type Answered, sluidTooOld, UNCERTAIN, verdict } from './answer.js';
import { checkBoolean } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { showPassedOver } from './in-charge.js';
import {
  checkNotifyText,
  type JobControlOptions,
  type RequeueOptions,
  requeueFlags,
} from './job-control-options.js';
import { jobRecords, lookAtJob } from './job-lookup.js';
import { type RefusalCertainty, refusalCertainty } from './refusal.js';
import type { Reply, ReplyOf } from './reply.js';
import { whereItBelongs } from './reroute.js';

type JobControlRpc = 'REQUEST_SUSPEND' | 'REQUEST_JOB_REQUEUE' | 'REQUEST_JOB_NOTIFY';

/** What a job control request that was answered says of itself. */
interface AnsweredControl extends Answered {
  readonly rpc: JobControlRpc;
  /** How each part of an array fared; empty where the controller answered with one number. */
  readonly parts: readonly JobPart[];
}

/** The controller took the request. What the nodes have to do for it, they do afterwards. */
export interface JobControlAccepted extends AnsweredControl {
  readonly outcome: 'accepted';
  /** Text the controller sent along, usually `null`. */
  readonly message: string | null;
}

/** With `idempotent`: the job was already as asked, or is gone. `code` says which. */
export interface NothingToDo extends AnsweredControl {
  readonly outcome: 'refused' | 'unknown';
  /** Slurm's name, such as `ESLURM_JOB_NOT_SUSPENDED`. */
  readonly code: string;
  readonly number: number;
}

/** First contact, the request, and after a close without an answer a PING and a look whether there is such a job. */
export const SUSPEND_EXCHANGES = 4;
/** First contact, the request, a look at what a refusal means. */
export const REQUEUE_EXCHANGES = 3;
export const NOTIFY_EXCHANGES = 2;

export async function suspendOrResume(
  shared: ControllerLink,
  verb: 'suspend' | 'resume',
  job: JobId,
  options: JobControlOptions,
  context: CallContext,
): Promise<JobControlAccepted | NothingToDo> {
  checkBoolean('idempotent', options.idempotent);
  const id = parseJobId(job);
  return whereItBelongs(shared, context, (link) => sendSuspend(link, verb, id, options, context));
}

async function sendSuspend(
  link: ControllerLink,
  verb: 'suspend' | 'resume',
  id: ParsedJobId,
  options: JobControlOptions,
  context: CallContext,
): Promise<JobControlAccepted | NothingToDo> {
  const parsed = checkTarget(id, link.setup.release);
  const op = verb === 'suspend' ? SUSPEND_OPS.SUSPEND_JOB : SUSPEND_OPS.RESUME_JOB;
  // It does not read `N_*`; the number alone stands for the whole array.
  const jobIdStr = parsed.kind === 'whole-array' ? String(parsed.jobId) : parsed.text;
  const call = {
    name: 'REQUEST_SUSPEND',
    record: { op, jobId: NO_VAL, jobIdStr },
    repeatable: false,
  } as const;
  const order = {
    verb,
    rpc: call.name,
    target: parsed.text,
    kind: parsed.kind,
    jobId: parsed.jobId,
  } as const;
  let reply: Reply;
  try {
    reply = await link.call(call, context);
  } catch (error) {
    const look = await unknownJob(link, order, error, context);
    if (look === null) throw error;
    reply = look;
  }
  return outcomeOf(link, order, reply, options.idempotent === true ? DONE[verb] : NONE, context);
}

export async function requeue(
  shared: ControllerLink,
  job: JobId,
  options: RequeueOptions,
  context: CallContext,
): Promise<JobControlAccepted | NothingToDo> {
  checkBoolean('idempotent', options.idempotent);
  const flags = requeueFlags(options);
  const id = parseJobId(job);
  return whereItBelongs(shared, context, (link) => sendRequeue(link, id, flags, options, context));
}

async function sendRequeue(
  link: ControllerLink,
  id: ParsedJobId,
  flags: number,
  options: RequeueOptions,
  context: CallContext,
): Promise<JobControlAccepted | NothingToDo> {
  const { text, kind, jobId } = checkTarget(id, link.setup.release);
  const record = { jobId: NO_VAL, jobIdStr: text, flags };
  const order = { verb: 'requeue', rpc: 'REQUEST_JOB_REQUEUE', target: text, kind, jobId } as const;
  const reply = await link.call({ name: order.rpc, record, repeatable: false }, context);
  const isHeld = options.hold === true || options.specialExit === true;
  return outcomeOf(link, order, reply, options.idempotent === true && !isHeld ? DONE.requeue : NONE, context);
}

export async function notify(
  shared: ControllerLink,
  job: JobId,
  message: string,
  context: CallContext,
): Promise<JobControlAccepted> {
  checkNotifyText(message);
  const { kind, jobId, text } = parseJobId(job);
  if (kind !== 'job') throw needsOwnNumber(text, job);
  const record: MessageInput<'REQUEST_JOB_NOTIFY'> = { stepId: { ...NO_STEP_ID, jobId }, message };
  const order = { verb: 'notify', rpc: 'REQUEST_JOB_NOTIFY', target: text, kind: 'record', jobId } as const;
  return whereItBelongs(shared, context, async (link) => {
    const reply = await link.call({ name: order.rpc, record, repeatable: false }, context);
    return (await outcomeOf(link, order, reply, NONE, context)) as JobControlAccepted;
  });
}

/** One request and whom it was for. */
interface Order {
  readonly verb: 'suspend' | 'resume' | 'requeue' | 'notify';
  readonly rpc: JobControlRpc;
  readonly target: string;
  /** `record`: one job record and no other. */
  readonly kind: ParsedJobId['kind'] | 'record';
  /** 0 for a sluid. */
  readonly jobId: number;
}

/** The refusals that `idempotent` turns into values: what a repeat of a request that was carried out may meet. */
const NONE: ReadonlySet<string> = new Set();
const DONE = {
  suspend: new Set(['ESLURM_ALREADY_DONE', 'ESLURM_INVALID_JOB_ID']),
  resume: new Set(['ESLURM_JOB_NOT_SUSPENDED', 'ESLURM_ALREADY_DONE', 'ESLURM_INVALID_JOB_ID']),
  requeue: new Set(['ESLURM_JOB_PENDING']),
} as const;

function checkTarget(parsed: ParsedJobId, release: Release): ParsedJobId {
  if (parsed.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(parsed.text, release);
  return parsed;
}

/**
 * slurmctld answers REQUEST_SUSPEND for a job it does not know by closing the connection. So may many other troubles end: it is believed
 * only if the same controller says when asked that it knows no such job, which then is the answer.
 *
 * @returns that answer, or `null` where what was thrown stays what is known.
 */
async function unknownJob(
  link: ControllerLink,
  { jobId }: Order,
  thrown: unknown,
  context: CallContext,
): Promise<Reply | null> {
  if (!isSlurmError(thrown) || thrown.code !== 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT') return null;
  // EPIPE: a clean end of file after the request; a reset is no way to answer. A look for a sluid is not made.
  if (thrown.outcome !== 'unknown' || thrown.errno !== 'EPIPE' || jobId === 0) return null;
  try {
    const { reply } = await lookAtJob(link, parseJobId(jobId), context);
    if (reply.name !== 'RESPONSE_SLURM_RC' || reply.peer !== thrown.peer) return null;
    return codeOf(reply.record.returnCode, reply.protocol) === 'ESLURM_INVALID_JOB_ID' ? reply : null;
  } catch {
    // Whatever went wrong with the look, it is not what became of the request.
    return null;
  }
}

async function outcomeOf(
  link: ControllerLink,
  order: Order,
  reply: Reply,
  done: ReadonlySet<string>,
  context: CallContext,
): Promise<JobControlAccepted | NothingToDo> {
  if (reply.name === 'RESPONSE_JOB_ARRAY_ERRORS' && order.rpc !== 'REQUEST_JOB_NOTIFY')
    return settleParts(order, reply, done);
  const { number, message } = verdict(reply, { rpc: order.rpc, repeatable: false });
  const answered = { ...answeredBy(order, reply), parts: [] };
  if (number === 0) return { outcome: 'accepted', ...answered, message };

  const { outcome, cause } =
    reply.doubt === null
      ? await outcomeOfRefusal(link, order, number, reply.protocol, context)
      : { outcome: 'unknown' as const, cause: reply.doubt };
  const { code, text, retryable } = errorMeaning(number, reply.protocol);
  if (done.has(code)) return { outcome, ...answered, code, number };
  const answer = outcome === 'refused' ? 'refused' : `answered with ${code}`;
  const said = message === null ? '' : ` It said ${showValue(message)}.`;
  throw serverError(
    `${order.verb} of ${order.target} was ${answer} by ${reply.peer}: ${text}${said}${before(reply)}`,
    number,
    reply.protocol,
    {
      outcome,
      peer: reply.peer,
      rpc: order.rpc,
      phase: 'wait',
      retryable: outcome === 'refused' && retryable,
      serverMessage: message,
      hint: outcome === 'refused' ? hintFor(order, code) : UNCERTAIN,
      cause,
    },
  );
}

/** An array is answered part by part: nothing has to be guessed. */
function settleParts(
  order: Order,
  reply: ReplyOf<'RESPONSE_JOB_ARRAY_ERRORS'>,
  done: ReadonlySet<string>,
): JobControlAccepted | NothingToDo {
  const { peer, protocol } = reply;
  const { rpc, verb, target } = order;
  const parts = reply.record.list.map(({ errorCode, jobArrayId, errMsg }): JobPart => {
    const number = signedReturnCode(errorCode);
    const { code, text } = errorMeaning(number, protocol);
    return { target: partTarget(jobArrayId) ?? target, number, code, message: errMsg ?? text };
  });
  const [first] = parts;
  if (first === undefined) {
    throw new SlurmProtocolError(`the reply to ${rpc} for ${target} lists no part of the array`, {
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      errno: 'EPROTO',
      outcome: 'unknown',
      peer,
      rpc,
      protocol,
      phase: 'decode',
    });
  }
  const answered = { ...answeredBy(order, reply), parts };
  const taken = parts.filter(({ number }) => number === 0);
  const refused = parts.filter(({ number, code }) => number !== 0 && !done.has(code));
  const [worst] = refused;
  if (worst === undefined) {
    if (taken.length > 0) return { outcome: 'accepted', ...answered, message: null };
    return { outcome: 'refused', ...answered, code: first.code, number: first.number };
  }
  const isCertain = refused.every(({ code }) => saysNothingWasDone(code));
  const outcome = taken.length > 0 ? 'partial' : isCertain ? 'refused' : 'unknown';
  const accepted = taken.length > 0 ? `taken for ${showTargets(taken)} and ` : '';
  const why = [...new Set(refused.map(({ message }) => message))].slice(0, 3).join(' ');
  throw serverError(
    `${verb} of ${target} was ${accepted}refused for ${showTargets(refused)} by ${peer}: ${why}${before(reply)}`,
    worst.number,
    protocol,
    {
      outcome,
      peer,
      rpc,
      phase: 'wait',
      retryable:
        outcome === 'refused' && refused.every(({ number }) => errorMeaning(number, protocol).retryable),
      hint: outcome === 'unknown' ? UNCERTAIN : hintFor(order, worst.code),
      parts,
    },
  );
}

function answeredBy({ target, rpc }: Order, { peer, protocol, authenticated, elapsedMs }: Reply) {
  return { target, rpc, peer, protocol, authenticated, elapsedMs };
}

/** As the verbs take it, whatever the release writes: `2_1`, `2_2-3`, `2_[1]`. */
function partTarget(jobArrayId: string | null): string | null {
  if (jobArrayId === null) return null;
  try {
    const { text } = parseJobId(jobArrayId);
    return text.replace(/\[(\d+)\]$/, '$1');
  } catch {
    return jobArrayId;
  }
}

const SHOWN_PARTS = 5;

function showTargets(parts: readonly JobPart[]): string {
  const shown = parts.slice(0, SHOWN_PARTS).map(({ target }) => target);
  const more = parts.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

function before({ passedOver }: Reply): string {
  return passedOver.length === 0 ? '' : ` ${showPassedOver(passedOver)}`;
}

/** Said of one job record that was looked at and left alone, beside what `refusal.ts` knows. */
const SAID_OF_ONE_JOB: ReadonlySet<string> = new Set([
  'ESLURM_DISABLED',
  'ESLURM_NOT_SUPPORTED',
  'ESLURM_BATCH_ONLY',
  'ESLURM_JOB_NOT_RUNNING',
  'ESLURM_JOB_NOT_SUSPENDED',
]);

function saysNothingWasDone(code: string): boolean {
  return refusalCertainty('job', code, false) !== 'uncertain' || SAID_OF_ONE_JOB.has(code);
}

/** How sure it is that a request answered with one number did nothing. */
function certaintyOf(kind: Order['kind'], code: string): RefusalCertainty {
  if (!saysNothingWasDone(code)) return 'uncertain';
  if (refusalCertainty('job', code, false) === 'certain') return 'certain';
  switch (kind) {
    case 'record':
      return 'certain';
    case 'array-task':
    case 'array-tasks':
      // Had any task been looked at, the answer would list the parts.
      return 'certain';
    case 'job':
    case 'whole-array':
      // A het leader stands for its components, and the number is the last of theirs: 2021 though the leader was suspended (observed).
      return 'certain-if-single';
    case 'het-component':
    case 'sluid':
      return 'uncertain';
  }
}

async function outcomeOfRefusal(
  link: ControllerLink,
  { kind, jobId }: Order,
  number: number,
  protocol: Release,
  context: CallContext,
): Promise<{ outcome: 'refused' | 'unknown'; cause?: unknown }> {
  const certainty = certaintyOf(kind, codeOf(number, protocol));
  if (certainty === 'certain') return { outcome: 'refused' };
  if (certainty === 'uncertain') return { outcome: 'unknown' };
  try {
    const records = await jobRecords(link, parseJobId(jobId), context);
    return { outcome: records.length === 1 ? 'refused' : 'unknown' };
  } catch (cause) {
    // Whatever went wrong with the look, it is not what became of the request.
    return { outcome: 'unknown', cause };
  }
}

function codeOf(returnCode: number, protocol: Release): string {
  return errorMeaning(signedReturnCode(returnCode), protocol).code;
}

const WHOLE_HET_JOB = 'Slurm does this to heterogeneous jobs as a whole: give the number of the leader.';
const WHO_MAY =
  'Up to Slurm 25.11 only operators (from 24.05 on coordinators of the account too) suspend and resume, from 26.05 on also the owner.';

const HINTS: Readonly<Record<string, string>> = {
  'suspend ESLURM_ACCESS_DENIED': WHO_MAY,
  'resume ESLURM_ACCESS_DENIED': WHO_MAY,
  'suspend ESLURM_NOT_WHOLE_HET_JOB': WHOLE_HET_JOB,
  'resume ESLURM_NOT_WHOLE_HET_JOB': WHOLE_HET_JOB,
  'requeue ESLURM_NOT_HET_JOB_LEADER': WHOLE_HET_JOB,
  'requeue ESLURM_DISABLED': 'It was submitted with --no-requeue, or the cluster has JobRequeue=0.',
  'notify ESLURM_DISABLED': 'Only running jobs can be notified; this one is pending.',
  'notify ESLURM_ALREADY_DONE': 'Suspended jobs are answered like this too.',
};

function hintFor({ verb, kind }: Order, code: string): string | undefined {
  // It does not read `N+K` at all and finds no such job.
  if (verb === 'requeue' && kind === 'het-component' && code === 'ESLURM_INVALID_JOB_ID')
    return WHOLE_HET_JOB;
  return HINTS[`${verb} ${code}`];
}

function needsOwnNumber(text: string, value: unknown): SlurmUsageError {
  return new SlurmUsageError(`job ${text} is not named by the number of its own record.`, {
    code: 'SLURMWIRE_BAD_JOB_ID',
    field: 'job',
    value,
    hint: 'A message goes to one job record: give the number of the task\'s or component\'s own (%A of squeue -o "%i %A").',
  });
}
