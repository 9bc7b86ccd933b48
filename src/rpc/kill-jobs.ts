/**
 * `killJobs`: many jobs in one call, and one entry for each of them.
 *
 * Where the release has REQUEST_KILL_JOBS that is one request; else, and for what KILL_JOBS would get wrong, the jobs are looked up and
 * signalled one by one. Two things it gets wrong (observed: 24.11, 26.05): the id text `N+K` is taken for the job numbered N + K, so het
 * components are always asked for one by one; and an unprivileged caller's request for somebody else's job can hang slurmctld, so
 * it always carries the caller's own user as a filter, and what that keeps out is asked for one by one.
 */
import { userInfo } from 'node:os';
import { resolveUser } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import { isAtLeast } from '../protocol/release.js';
import { isSlurmError, SlurmUsageError } from '../protocol/slurm-error.js';
import { type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { sluidTooOld } from './answer.js';
import { badOption } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { type CheckedFilter, isIdsOnly } from './job-filter.js';
import { askForAll, entriesOf, type KillJobsUser } from './kill-jobs-bulk.js';
import { certainUid, type Identity, isPrivileged } from './kill-jobs-identity.js';
import { type KilledJob, type KilledJobs, perhapsSignalled, summary } from './kill-jobs-result.js';
import { type Answered, killAsNamed, killByLookup, type Signalling } from './kill-jobs-singles.js';
import { checkKillOptions, KILL_JOB_OPTIONS, type KillJobOptions, killFlags } from './kill-options.js';
import { Limiter } from './limiter.js';
import type { Reply } from './reply.js';

/** Options of `killJobs`. */
export interface KillJobsOptions extends Omit<KillJobOptions, 'idempotent' | 'cron'> {
  /** Jobs that have ended or are not known (any more) do not count against `outcome`. Their entries stay. Default false. */
  readonly idempotent?: boolean | undefined;
  /**
   * Yes, scrontab jobs are meant as well. Any signal to one switches the user's scrontab line off. Without this they are left alone and
   * listed as refused; on a cluster with scrontab but without `ScronParameters=explicit_scancel` that takes a lookup in place of the one
   * request for all.
   */
  readonly cron?: boolean | undefined;
  /**
   * AdminComment to leave on the jobs; administrators only, 25.11 and newer, and only where one request for all can be made: jobs by id
   * that are somebody else's are then refused, unless root or SlurmUser asks. Slurm leaves it on jobs that refuse the signal too.
   */
  readonly adminComment?: string | undefined;
  /** How many jobs are asked for at a time where each is asked for by itself, 1 to 64. Default 8. */
  readonly concurrency?: number | undefined;
}

export const KILL_JOBS_OPTIONS = [
  ...KILL_JOB_OPTIONS,
  'adminComment',
  'concurrency',
] as const satisfies (keyof KillJobsOptions)[];

/** Exchanges one after the other that the default time limit is made for: contact, request, look, lookup, and some rounds of singles. */
export const KILL_JOBS_EXCHANGES = 12;

const DEFAULT_CONCURRENCY = 8;
const MAX_CONCURRENCY = 64;

export async function killJobs(
  shared: ControllerLink,
  filter: CheckedFilter,
  unixSignal: UnixSignal,
  options: KillJobsOptions,
  context: CallContext,
): Promise<KilledJobs> {
  const startedAt = performance.now();
  const signalling = signallingOf(unixSignal, options);
  const link = await shared.counted().settle(context);
  const { release } = link.setup;
  killFlags(options, release);
  const tooNew = filter.ids?.find(({ kind }) => kind === 'sluid');
  if (tooNew !== undefined && !isAtLeast(release, '26.05')) throw sluidTooOld(tooNew.text, release);
  const identity = await link.identity(context);
  const userId = await userIdOf(filter, identity, context);
  const { jobs, rpc, reply } = await carryOut(link, { filter, userId, identity, signalling }, context);
  return {
    ...summary(jobs, options.idempotent === true),
    jobs,
    unixSignal: signalling.signal,
    rpc,
    userId,
    peer: reply?.peer ?? null,
    protocol: release,
    rpcs: link.exchanges,
    backoffs: link.backoffs,
    elapsedMs: performance.now() - startedAt,
  };
}

/** What one call is about. */
interface Task {
  readonly filter: CheckedFilter;
  /** Whose jobs alone are meant; `null`: anybody's. */
  readonly userId: number | null;
  readonly identity: Identity;
  readonly signalling: Signalling;
}

interface Done {
  readonly jobs: KilledJob[];
  readonly rpc: KilledJobs['rpc'];
  readonly reply: Reply | null;
}

async function carryOut(link: ControllerLink, task: Task, context: CallContext): Promise<Done> {
  const { filter, userId, signalling } = task;
  if (filter.ids?.length === 0) return { jobs: [], rpc: null, reply: null };
  // KILL_JOBS would switch the lines of scrontab jobs off: they have to be looked for.
  const isCronSafe = signalling.options.cron === true || (await mayForgetCron(link, context));
  if (signalling.adminComment !== undefined) checkComment(link, task, isCronSafe);
  if (!isCronSafe || !mayAskForAll(link, task)) {
    const { jobs, reply } = await killByLookup(link, filter, userId, signalling, context);
    return { jobs, rpc: 'REQUEST_KILL_JOB', reply };
  }
  const odd = filter.ids?.filter(isOdd) ?? [];
  const plain = filter.ids?.filter((id) => !isOdd(id)) ?? null;
  if (plain?.length === 0) {
    const { jobs, reply } = await killByLookup(link, filter, userId, signalling, context);
    return { jobs, rpc: 'REQUEST_KILL_JOB', reply };
  }
  const user = userFilter(task);
  const reply = await askForAll(link, { ...filter, ids: plain }, user, signalling, context);
  // Only where the user filter is not the caller's wish does it stand between an id and its true answer. No KILL_JOB has a comment with it.
  const isOurs =
    isIdsOnly(filter) && userId === null && user !== null && signalling.adminComment === undefined;
  const { jobs, foreign } = await entriesOf(link, reply, plain ?? [], isOurs, context);
  // That nothing fits any more may be the work of the request before, whose answer did not come.
  if (jobs.length === 0 && plain === null && reply.doubt !== null) throw reply.doubt;
  const rest = [...foreign, ...odd];
  if (rest.length === 0) return { jobs, rpc: 'REQUEST_KILL_JOBS', reply };
  const named = new Set(plain?.filter(({ kind }) => kind === 'job').map(({ jobId }) => jobId));
  const answered = new Map(
    jobs.flatMap((job) => (named.has(job.jobId ?? -1) ? [[job.jobId as number, job]] : [])),
  );
  const singles = await killOneByOne(link, rest, signalling, answered, context);
  return { jobs: [...jobs, ...singles], rpc: 'REQUEST_KILL_JOBS', reply };
}

/** Where there are no scrontab jobs, or the controller leaves those alone that are not meant. */
async function mayForgetCron(link: ControllerLink, context: CallContext): Promise<boolean> {
  return (await link.clusterFacts(context)).scrontab !== 'open';
}

/** Whether one KILL_JOBS can do it: known to the release, able to carry the options, and let through by the guard. */
function mayAskForAll(link: ControllerLink, { identity, userId, signalling }: Task): boolean {
  if (messageTypeNumber('REQUEST_KILL_JOBS', link.setup.release) === null) return false;
  if (signalling.options.sibling !== undefined || certainUid(identity) === null) return false;
  return isPrivileged(identity) || userId === null || userId === identity.uid;
}

/** Nothing but KILL_JOBS carries a comment: better none is killed than some without it. */
function checkComment(link: ControllerLink, task: Task, isCronSafe: boolean): void {
  const { adminComment } = task.signalling;
  if (!isAtLeast(link.setup.release, '25.11')) {
    throw new SlurmUsageError(`adminComment cannot be sent in protocol ${link.setup.release}.`, {
      code: 'SLURMWIRE_NOT_IN_RELEASE',
      field: 'adminComment',
      value: adminComment,
      hint: 'Slurm has it from 25.11 on.',
    });
  }
  if (!isCronSafe || !mayAskForAll(link, task) || task.filter.ids?.some(isOdd) === true)
    throw badOption('adminComment', adminComment, 'cannot be sent where jobs are asked for one by one');
}

/** What KILL_JOBS takes for another job, or cannot be matched with its answer. */
function isOdd({ kind }: ParsedJobId): boolean {
  return kind === 'het-component' || kind === 'sluid';
}

/** The user filter on the wire. An unprivileged request never goes without. */
function userFilter({ identity, userId }: Task): KillJobsUser | null {
  const uid = userId ?? (isPrivileged(identity) ? null : identity.uid);
  // slurmctld compares the number only, but only where there is a name.
  return uid === null ? null : { uid, name: nameOfUid(uid, identity) };
}

function nameOfUid(uid: number, identity: Identity): string {
  if (uid !== identity.uid) return String(uid);
  return identity.name === undefined ? ownName(uid) : (identity.name ?? String(uid));
}

function ownName(uid: number): string {
  try {
    return userInfo().username || String(uid);
  } catch {
    return String(uid); // a uid without a passwd entry
  }
}

/** Each by a KILL_JOB, and never a rejection: others of this call have been signalled already. */
async function killOneByOne(
  link: ControllerLink,
  ids: readonly ParsedJobId[],
  signalling: Signalling,
  answered: Answered,
  context: CallContext,
): Promise<KilledJob[]> {
  if (ids.length === 0) return [];
  try {
    const filter = { ...NO_FILTER, ids };
    return (await killByLookup(link, filter, null, signalling, context, answered)).jobs;
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    // Without a lookup it is not known whether a component's leader, which was asked for already, reached it.
    const isCovered = ({ kind, jobId }: ParsedJobId) => kind === 'het-component' && answered.has(jobId);
    const entries = ids.filter(isCovered).map(({ text }) => perhapsSignalled(text, error));
    const rest = ids.filter((id) => !isCovered(id));
    return [...entries, ...(await killAsNamed(link, rest, signalling, context))];
  }
}

const NO_FILTER: CheckedFilter = {
  ids: null,
  user: null,
  account: null,
  partition: null,
  qos: null,
  name: null,
  state: null,
  nodes: null,
  reservation: null,
  wckey: null,
};

/** Checks what all jobs are asked with. */
function signallingOf(unixSignal: UnixSignal, given: KillJobsOptions): Signalling {
  const { timeoutMs: _t, signal: _s, idempotent: _i, ...rest } = given;
  const { adminComment, concurrency = DEFAULT_CONCURRENCY, ...options } = rest;
  if (adminComment !== undefined && (typeof adminComment !== 'string' || adminComment === ''))
    throw badOption('adminComment', adminComment, 'is not a text with something in it');
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw badOption('concurrency', concurrency, `is not a number from 1 to ${MAX_CONCURRENCY}`);
  }
  checkKillOptions(given);
  const limiter = new Limiter(concurrency);
  return { signal: unixSignalNumber(unixSignal), options, adminComment, limiter };
}

/** Whose jobs a filter means: without `user`, an unprivileged caller's own, but for jobs that are named and nothing else. */
async function userIdOf(
  filter: CheckedFilter,
  identity: Identity,
  context: CallContext,
): Promise<number | null> {
  const { user } = filter;
  if (typeof user === 'number') return user;
  if (typeof user === 'string') return uidOf(user, context);
  if (isIdsOnly(filter) || isPrivileged(identity)) return null;
  if (identity.uid !== null) return identity.uid;
  throw badOption('user', undefined, 'is missing, and who the caller is to the cluster is not known');
}

async function uidOf(user: string, context: CallContext): Promise<number> {
  try {
    return await resolveUser(user, { signal: context.signal });
  } catch (error) {
    if (context.signal.aborted) throw error;
    throw badOption('user', user, 'is not known on this host', 'Give the uid.');
  }
}
