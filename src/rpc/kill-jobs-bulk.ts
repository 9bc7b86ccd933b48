/** `killJobs` by one REQUEST_KILL_JOBS, and what its answer says of each job. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { MessageInput, MessageRecord } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import { type SlurmError, showValue } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import { verdict } from './answer.js';
import type { ControllerLink } from './controller-link.js';
import { type CheckedFilter, nodelistOf, showTasks } from './job-filter.js';
import { answeredJob, type KilledJob } from './kill-jobs-result.js';
import { allJobs, type Signalling } from './kill-jobs-singles.js';
import { killFlags } from './kill-options.js';
import { refusalCertainty } from './refusal.js';
import type { Reply, ReplyOf } from './reply.js';

const RPC = 'REQUEST_KILL_JOBS';

/** Whose jobs alone are meant: the wire wants both, though only the number is compared. */
export interface KillJobsUser {
  readonly name: string;
  readonly uid: number;
}

type KillJobsReply = ReplyOf<'RESPONSE_KILL_JOBS'>;
type Response = MessageRecord<'RESPONSE_KILL_JOBS'>['jobResponses'][number];

/**
 * Sends one KILL_JOBS.
 *
 * @throws SlurmError of `serverError` when the request was refused as a whole, or of the exchange.
 */
export async function askForAll(
  link: ControllerLink,
  filter: CheckedFilter,
  user: KillJobsUser | null,
  { signal, options, adminComment }: Signalling,
  context: CallContext,
): Promise<KillJobsReply> {
  const { SIGKILL } = UNIX_SIGNALS;
  // By a filter, a repeat could end jobs that were submitted meanwhile.
  const repeatable =
    filter.ids !== null && signal === SIGKILL && options.batch !== true && options.stepsOnly !== true;
  const record: MessageInput<typeof RPC> = {
    account: filter.account,
    ...(adminComment === undefined ? {} : { adminComment }),
    flags: killFlags(options, link.setup.release) | KILL_FLAGS.KILL_JOBS_VERBOSE.bit,
    jobName: filter.name,
    jobsArray: filter.ids?.map(({ text }) => text) ?? [],
    partition: filter.partition,
    qos: filter.qos,
    reservation: filter.reservation,
    signal,
    ...(filter.state === null ? {} : { state: filter.state }),
    ...(user === null ? {} : { userId: user.uid, userName: user.name }),
    wckey: filter.wckey,
    nodelist: nodelistOf(filter),
  };
  const reply = await link.call({ name: RPC, record, repeatable }, context);
  if (reply.name === 'RESPONSE_KILL_JOBS') return reply;
  const { number, message } = verdict(reply, { rpc: RPC, repeatable });
  throw refusedAsWhole(number, message, reply, repeatable);
}

/** The entries of an answer, and the ids of jobs that are none of the user's. */
export interface BulkEntries {
  readonly jobs: KilledJob[];
  /** Ids that the user filter alone kept out: they have no entry in `jobs`. */
  readonly foreign: readonly ParsedJobId[];
}

/**
 * @param ids what was named.
 * @param isOursAlone the only filter was one by user, which this library added: what it kept out is still to be asked for.
 */
export async function entriesOf(
  link: ControllerLink,
  { record, protocol, doubt }: KillJobsReply,
  ids: readonly ParsedJobId[],
  isOursAlone: boolean,
  context: CallContext,
): Promise<BulkEntries> {
  const responses = record.jobResponses;
  const named = responsesByNumber(responses);
  const of = ({ jobId }: ParsedJobId) => named.get(jobId) ?? [];
  const foreign = isOursAlone
    ? ids.filter((id) => of(id).some(({ errorCode }) => errorCode === FILTER_MISMATCH))
    : [];
  const notOurs = new Set(foreign.flatMap(of));
  const own = responses.filter((one) => !notOurs.has(one));
  const silent = ids.filter((id) => of(id).length === 0);
  const known = await look(
    link,
    [
      ...own.filter((one) => needsLook(one, protocol)).map(({ realJobId }) => realJobId),
      ...silent.map(({ jobId }) => jobId),
    ],
    context,
  );
  const jobs = own.map((response) => toEntry(response, known, protocol));
  for (const id of silent) jobs.push(silentEntry(id, named, known, protocol));
  // What is refused now may have been done by the request before.
  const told = doubt === null ? jobs : jobs.map(unlessAccepted);
  return { jobs: told, foreign };
}

function unlessAccepted(job: KilledJob): KilledJob {
  return job.outcome === 'accepted' ? job : { ...job, outcome: 'unknown' };
}

/** The responses about each job number, as it was asked for or as the record has it. */
function responsesByNumber(responses: readonly Response[]): ReadonlyMap<number, readonly Response[]> {
  const byNumber = new Map<number, Response[]>();
  const add = (number: number, response: Response) => {
    const known = byNumber.get(number);
    if (known === undefined) byNumber.set(number, [response]);
    else known.push(response);
  };
  for (const response of responses) {
    const { jobId } = response.id.stepId;
    add(jobId, response);
    if (response.realJobId !== jobId) add(response.realJobId, response);
  }
  return byNumber;
}

/** ESLURM_JOB_SIGNAL_FAILED. */
const FILTER_MISMATCH = 2172;

function toEntry(response: Response, known: ReadonlyMap<number, JobRecord>, protocol: Release): KilledJob {
  const { errorCode, errorMsg, realJobId, siblingName } = response;
  const number = signedReturnCode(errorCode);
  const target = nameOf(response);
  const jobId = realJobId === NO_VAL ? null : realJobId;
  if (siblingName !== null) {
    const message = `It belongs to cluster ${showValue(siblingName)}: ask the controller of that one.`;
    return {
      target,
      jobId,
      outcome: 'unknown',
      number,
      errno: 'EREMOTE',
      code: 'SLURMWIRE_REROUTED',
      message,
    };
  }
  if (number === 0) return answeredJob(target, jobId, 0, 'accepted', protocol);
  const isRefused = number === FILTER_MISMATCH || isCertain(response, known, protocol);
  return answeredJob(target, jobId, number, isRefused ? 'refused' : 'unknown', protocol, errorMsg);
}

/**
 * The answer for a het leader is one number for all components: 2021 although the running ones got the signal, since another has ended
 * (observed: 24.11, 26.05). Every other record answers for itself.
 */
function isCertain(response: Response, known: ReadonlyMap<number, JobRecord>, protocol: Release): boolean {
  switch (certaintyOf(response, protocol)) {
    case 'certain':
      return true;
    case 'uncertain':
      return false;
    case 'certain-if-single':
      return isPart(response) || known.get(response.realJobId)?.hetJobId === 0;
  }
}

function certaintyOf({ errorCode }: Response, protocol: Release) {
  return refusalCertainty('job', errorMeaning(signedReturnCode(errorCode), protocol).code, false);
}

/** True for an array task, tasks of an array, a component: what cannot be a het leader. */
function isPart({ id }: Response): boolean {
  return (
    id.arrayTaskId !== NO_VAL ||
    id.arrayBitmap !== null ||
    (id.hetJobOffset !== NO_VAL && id.hetJobOffset !== 0)
  );
}

function needsLook(response: Response, protocol: Release): boolean {
  const { errorCode, realJobId } = response;
  if (errorCode === 0 || realJobId === NO_VAL || isPart(response)) return false;
  return certaintyOf(response, protocol) === 'certain-if-single';
}

/** The records of those numbers: what can be found. A look that fails shows nothing, and makes nothing worse. */
async function look(
  link: ControllerLink,
  numbers: readonly number[],
  context: CallContext,
): Promise<ReadonlyMap<number, JobRecord>> {
  if (numbers.length === 0) return new Map();
  try {
    const { records } = await allJobs(link, { jobIds: [...new Set(numbers)] }, context);
    return new Map(records.map((job) => [job.jobId, job]));
  } catch {
    return new Map();
  }
}

/** An id that the answer does not mention: a component whose leader was named too has none of its own. */
function silentEntry(
  { text, jobId }: ParsedJobId,
  responses: ReadonlyMap<number, readonly Response[]>,
  known: ReadonlyMap<number, JobRecord>,
  protocol: Release,
): KilledJob {
  const leaderId = known.get(jobId)?.hetJobId ?? 0;
  const leader = responses.get(leaderId)?.find(({ realJobId }) => realJobId === leaderId);
  if (leader !== undefined) return { ...toEntry(leader, known, protocol), target: text, jobId };
  const message = 'The controller took the request and did not say what became of it.';
  const code = 'SLURM_COMMUNICATIONS_RECEIVE_ERROR';
  return { target: text, jobId: null, outcome: 'unknown', number: null, errno: 'EIO', code, message };
}

function nameOf({ id }: Response): string {
  const { jobId } = id.stepId;
  if (id.hetJobOffset !== NO_VAL && id.hetJobOffset !== 0) return `${jobId}+${id.hetJobOffset}`;
  if (id.arrayTaskId !== NO_VAL) return `${jobId}_${id.arrayTaskId}`;
  return id.arrayBitmap === null ? String(jobId) : `${jobId}_[${showTasks(id.arrayBitmap.set)}]`;
}

/** Said before any job is looked at: an id that cannot be read, nothing that limits it. */
const BAD_REQUEST =
  /^ESLURM_(?:EMPTY|INVALID)_(?:JOB|HET)_|^ESLURM_SIGNAL_JOBS_INVALID$|^ESLURM_INVALID_SLUID$/;

function refusedAsWhole(
  number: number,
  serverMessage: string | null,
  { peer, protocol, doubt }: Pick<Reply, 'peer' | 'protocol' | 'doubt'>,
  repeatable: boolean,
): SlurmError {
  const { code, errno, text, retryable } = errorMeaning(number, protocol);
  const isBad = BAD_REQUEST.test(code);
  const isRefused = doubt === null && (isBad || refusalCertainty('job', code, false) === 'certain');
  return serverError(
    `${RPC} was ${isRefused ? 'refused' : `answered with ${code}`} by ${peer}: ${text}`,
    number,
    protocol,
    {
      errno: isBad ? 'EINVAL' : errno,
      outcome: isRefused ? 'refused' : 'unknown',
      peer,
      rpc: RPC,
      phase: 'wait',
      retryable: isRefused ? retryable : repeatable,
      serverMessage,
      cause: doubt ?? undefined,
    },
  );
}
