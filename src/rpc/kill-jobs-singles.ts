/** `killJobs` by lookup: the controller says which jobs there are, and each is asked for by a request of its own. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorNumber } from '../protocol/error-number.js';
import { type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobFinished, isJobPending } from '../protocol/messages/job-state.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { isSlurmError, restate } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import { isComponent } from './aim.js';
import type { ControllerCall, ControllerLink } from './controller-link.js';
import { type CheckedFilter, fits, hasTasks, isIdsOnly, showTasks, taskId, tasksOf } from './job-filter.js';
import { lookupFailed, recordTasks } from './job-lookup.js';
import { killByText, killJob, killRecord } from './kill.js';
import { answeredJob, failedJob, type KilledJob, unsentJob } from './kill-jobs-result.js';
import type { KillJobOptions } from './kill-options.js';
import type { Accepted, AlreadyEnded } from './kill-request.js';
import type { Limiter } from './limiter.js';
import { plannedAnew } from './planned-anew.js';
import type { Reply } from './reply.js';
import { whereItBelongs } from './reroute.js';

/** What all jobs of one call are asked with. */
export interface Signalling {
  readonly signal: number;
  /** What `killJob` takes; nothing about the call itself. */
  readonly options: KillJobOptions;
  /** Goes with a KILL_JOBS only. */
  readonly adminComment?: string | undefined;
  readonly limiter: Limiter;
}

/**
 * `text`: a KILL_JOB, the record having been looked at. `record`: the record of that number alone. `named`: as `killJob` would find out, for ids
 * whose record is not known and components, which may mean more than they say.
 */
type How =
  | { readonly by: 'text' | 'named'; readonly id: ParsedJobId }
  | { readonly by: 'record'; readonly jobId: number };

/** A job to ask for, or what is known of it without asking. */
type Plan =
  | {
      readonly ask: true;
      readonly target: string;
      readonly jobId: number | null;
      readonly how: How;
      /** Number of the het leader that was named too: what it is asked for reaches this component, which would get the signal twice. */
      readonly leader?: number;
    }
  | { readonly ask: false; readonly entry: KilledJob };

/** Entries of the jobs this call has asked for before, by the numbers of their records. */
export type Answered = ReadonlyMap<number, KilledJob>;

const NOTHING_ANSWERED: Answered = new Map();

/**
 * Looks up which jobs there are and signals those that fit, pending ones first: they could start in the place of the others.
 *
 * @throws SlurmError of the lookup: nothing was signalled then.
 */
export async function killByLookup(
  link: ControllerLink,
  filter: CheckedFilter,
  uid: number | null,
  signalling: Signalling,
  context: CallContext,
  answered = NOTHING_ANSWERED,
): Promise<{ jobs: KilledJob[]; reply: Reply }> {
  // Of a user, that user's jobs are all that is asked for. Ids may be anybody's, and those that do not fit have an entry.
  const which = filter.ids === null && uid !== null ? { userId: uid } : null;
  const { reply, records } = await allJobs(link, which, context).catch(nothingDone);
  const planner = new Planner(filter, uid, signalling, link.setup.release, answered);
  const plans = planner.plan(records);
  return { jobs: await carryOut(link, plans, signalling, context, answered), reply };
}

/** Signals ids as they are, each by one KILL_JOB. */
export function killAsNamed(
  link: ControllerLink,
  ids: readonly ParsedJobId[],
  signalling: Signalling,
  context: CallContext,
): Promise<KilledJob[]> {
  return carryOut(link, ids.map(asNamed), signalling, context, NOTHING_ANSWERED);
}

/** Job records: those with these numbers, those of a user, or all. */
export async function allJobs(
  link: ControllerLink,
  which: { readonly jobIds: readonly number[] } | { readonly userId: number } | null,
  context: CallContext,
): Promise<{ reply: Reply; records: readonly JobRecord[] }> {
  const showFlags = SHOW_FLAGS.SHOW_ALL;
  const lookup =
    which !== null && 'userId' in which
      ? ({ name: 'REQUEST_JOB_USER_INFO', record: { userId: which.userId, showFlags } } as const)
      : ({ name: 'REQUEST_JOB_INFO', record: { showFlags, jobIds: which && [...which.jobIds] } } as const);
  const reply = await link.call(
    { ...lookup, repeatable: true } as ControllerCall<typeof lookup.name>,
    context,
  );
  if (reply.name === 'RESPONSE_JOB_INFO') return { reply, records: reply.record.jobs };
  throw lookupFailed(reply, lookup.name, 'its jobs');
}

/** Whatever became of a lookup: it is no signal. */
function nothingDone(error: unknown): never {
  if (!isSlurmError(error) || error.outcome === 'not-sent' || error.outcome === 'refused') throw error;
  const summary = `no job was signalled, since the lookup failed: ${error.summary}`;
  throw restate(error, summary, { outcome: 'not-sent' });
}

function carryOut(
  link: ControllerLink,
  plans: readonly Plan[],
  signalling: Signalling,
  context: CallContext,
  answered: Answered,
): Promise<KilledJob[]> {
  const asked = plans.map((plan) =>
    plan.ask && plan.leader === undefined ? askFor(link, plan, signalling, context) : undefined,
  );
  const byNumber = new Map(
    plans.flatMap((plan, index) =>
      plan.ask && asked[index] !== undefined ? [[plan.jobId, asked[index]] as const] : [],
    ),
  );
  return Promise.all(
    plans.map(async (plan, index) => {
      if (!plan.ask) return plan.entry;
      if (plan.leader === undefined) return asked[index] as Promise<KilledJob>;
      const leader = await (byNumber.get(plan.leader) ?? answered.get(plan.leader));
      if (leader === undefined) return askFor(link, plan, signalling, context);
      return { ...leader, target: plan.target, jobId: plan.jobId };
    }),
  );
}

function askFor(
  link: ControllerLink,
  { target, jobId, how }: Plan & { ask: true },
  { signal, options, limiter }: Signalling,
  context: CallContext,
): Promise<KilledJob> {
  return limiter.run(async () => {
    if (context.signal.aborted) return unsentJob(target, jobId, context.signal.reason);
    try {
      await plannedAnew(() =>
        whereItBelongs(link, context, (at, isHome) =>
          // What was found out for the plan is about this cluster's jobs.
          isHome
            ? send(at, target, how, signal, options, context)
            : killJob(at, target, signal, options, context),
        ),
      );
      return answeredJob(target, jobId, 0, 'accepted', link.setup.release);
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      return failedJob(target, jobId, error);
    }
  });
}

function send(
  link: ControllerLink,
  target: string,
  how: How,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  switch (how.by) {
    case 'text':
      return killByText(link, how.id, signal, options, context);
    case 'record':
      return killRecord(link, { jobId: how.jobId, target }, signal, options, context);
    case 'named':
      return killJob(link, how.id.text, signal, options, context);
  }
}

function asNamed(id: ParsedJobId): Plan {
  const { kind, jobId, text } = id;
  return { ask: true, target: text, jobId: kind === 'job' ? jobId : null, how: { by: 'named', id } };
}

/** Goes through the records once for each id, or once for the filter. */
class Planner {
  readonly #filter: CheckedFilter;
  readonly #uid: number | null;
  readonly #kills: boolean;
  readonly #cron: boolean;
  readonly #protocol: Release;
  /** Numbers of the jobs that are named whole, and of those that `N+0` names, which of a het job is all of it too. */
  readonly #named: ReadonlySet<number>;
  readonly #namedByPart: ReadonlySet<number>;

  constructor(
    filter: CheckedFilter,
    uid: number | null,
    { signal, options }: Signalling,
    protocol: Release,
    answered: Answered,
  ) {
    const ids = filter.ids ?? [];
    const numbers = (named: readonly ParsedJobId[]) => named.map(({ jobId }) => jobId);
    this.#named = new Set([...numbers(ids.filter(({ kind }) => kind === 'job')), ...answered.keys()]);
    // Otherwise the leader alone is refused.
    const isWhole = options.wholeHetJob === true;
    this.#namedByPart = new Set(numbers(ids.filter(({ jobId, text }) => isWhole && text === `${jobId}+0`)));
    this.#filter = filter;
    this.#uid = uid;
    this.#kills = signal === UNIX_SIGNALS.SIGKILL && options.batch !== true && options.stepsOnly !== true;
    this.#cron = options.cron === true;
    this.#protocol = protocol;
  }

  plan(records: readonly JobRecord[]): Plan[] {
    const { ids } = this.#filter;
    if (ids !== null) return this.#planIds(ids, records);
    const found = records.filter((job) => !isJobFinished(job.jobState) && fits(job, this.#filter, this.#uid));
    const leaders = new Set(found.filter((job) => job.hetJobId === job.jobId).map(({ jobId }) => jobId));
    return pendingFirst(found)
      .filter((job) => !isComponent(job) || !leaders.has(job.hetJobId))
      .map((job) => this.#planRecord(job, job, null));
  }

  #planIds(ids: readonly ParsedJobId[], records: readonly JobRecord[]): Plan[] {
    const byNumber = new Map<number, JobRecord[]>();
    for (const job of records) {
      for (const number of new Set([job.jobId, job.arrayJobId, job.hetJobId])) {
        if (number === 0) continue; // of no array, of no het job
        const known = byNumber.get(number);
        if (known === undefined) byNumber.set(number, [job]);
        else known.push(job);
      }
    }
    const seen = new Set<JobRecord>();
    const fresh = (job: JobRecord) => !seen.has(job) && seen.add(job) !== undefined;
    return ids.flatMap((id) => {
      const near = id.kind === 'sluid' ? [] : (byNumber.get(id.jobId) ?? []);
      if (id.kind === 'sluid' || (near.length === 0 && isIdsOnly(this.#filter))) return [asNamed(id)];
      if (hasTasks(id)) return this.#planTasks(id, near, fresh);
      return this.#planJob(id, near, fresh);
    });
  }

  #planJob(id: ParsedJobId, near: readonly JobRecord[], fresh: (job: JobRecord) => boolean): Plan[] {
    const { kind, jobId, text } = id;
    if (kind === 'het-component') {
      const own = near.find((job) => job.hetJobId === jobId && `${jobId}+${job.hetJobOffset}` === text);
      if (own === undefined) return [asNamed(id)];
      return [this.#planPart(own, text)];
    }
    const array = near.filter((job) => job.arrayJobId === jobId);
    if (array.length > 0) {
      return pendingFirst(array)
        .filter(fresh)
        .map((job) => this.#planRecord(job, job, null));
    }
    const own = near.find((job) => job.jobId === jobId);
    if (own === undefined) return [this.#unknown(text)];
    if (!fresh(own)) return [];
    if (isComponent(own)) return [this.#planPart(own, text)];
    if (own.hetJobId === 0) return [this.#planRecord(own, own, null)];
    // The leader stands for all: as long as a part of it goes on there is something to ask for.
    const part = near.find((job) => job.hetJobId === jobId && !isJobFinished(job.jobState)) ?? own;
    return [this.#planRecord(own, part, null)];
  }

  /** A component, or a leader as one of them. */
  #planPart(job: JobRecord, text: string): Plan {
    const plan = this.#planRecord(job, job, text);
    const { hetJobId: leader } = job;
    const isReached = this.#named.has(leader) || (isComponent(job) && this.#namedByPart.has(leader));
    return plan.ask && isReached ? { ...plan, leader } : plan;
  }

  #planTasks(id: ParsedJobId, near: readonly JobRecord[], fresh: (job: JobRecord) => boolean): Plan[] {
    const { jobId } = id;
    const wanted = new Set(tasksOf(id));
    const plans: Plan[] = [];
    const array = pendingFirst(near.filter((one) => one.arrayJobId === jobId));
    for (const job of array) {
      const tasks = recordTasks(job).filter((task) => wanted.delete(task));
      if (tasks.length === 0 || !fresh(job)) continue;
      plans.push(this.#planRecord(job, job, isMeta(job) ? taskId(jobId, tasks).text : null));
    }
    if (wanted.size === 0) return plans;
    const { text } = taskId(jobId, [...wanted]);
    // They may be among pending ones that the controller did not tell.
    const untold = array.find((job) => isMeta(job) && recordTasks(job).length === 0);
    plans.push(untold === undefined ? this.#unknown(text) : { ask: false, entry: tasksNotTold(text, null) });
    return plans;
  }

  /** @param text what to name it by; `null`: by its own name. */
  #planRecord(job: JobRecord, state: JobRecord, text: string | null): Plan {
    const target = text ?? nameOf(job);
    const refused = (code: string): Plan => ({ ask: false, entry: this.#refused(target, job.jobId, code) });
    // Finished comes first, as it does in slurmctld.
    if (isJobFinished(state.jobState)) return refused('ESLURM_ALREADY_DONE');
    if (!fits(job, this.#filter, this.#uid)) return refused('ESLURM_JOB_SIGNAL_FAILED');
    // Any signal would switch the user's scrontab line off.
    if (job.cronspec !== null && !this.#cron) return refused('ESLURM_CANNOT_CANCEL_CRON_JOB');
    // Pending tasks take nothing but SIGKILL; asked for in a range, their answer would not show what running ones got.
    if (isMeta(job) && !this.#kills) return refused('ESLURM_TRANSITION_STATE_NO_UPDATE');
    // Without its tasks the array's number is all there is, and that would be the running ones too.
    if (isMeta(job) && recordTasks(job).length === 0)
      return { ask: false, entry: tasksNotTold(target, job.jobId) };
    const { jobId } = job;
    // By N_T the answer would be that of the whole array (observed: 22.05, 24.11, 26.05), and KILL_JOB of 20.11 and 22.05 does not know the
    // number of a task's own record (2017, observed).
    if (job.arrayJobId !== 0 && !isMeta(job))
      return { ask: true, target, jobId, how: { by: 'record', jobId } };
    const by = job.hetJobId === 0 ? 'text' : 'named';
    return { ask: true, target, jobId, how: { by, id: parseJobId(target) } };
  }

  #unknown(target: string): Plan {
    return { ask: false, entry: this.#refused(target, null, 'ESLURM_INVALID_JOB_ID') };
  }

  #refused(target: string, jobId: number | null, code: string): KilledJob {
    return answeredJob(target, jobId, errorNumber(code) ?? -1, 'refused', this.#protocol);
  }
}

/** True for the record of an array's pending tasks. */
export function isMeta(job: JobRecord): boolean {
  return job.arrayJobId !== 0 && job.arrayTaskId === NO_VAL;
}

/** The name of a record as Slurm writes it. */
export function nameOf(job: JobRecord): string {
  if (isMeta(job)) {
    const tasks = recordTasks(job);
    return tasks.length === 0 ? String(job.arrayJobId) : `${job.arrayJobId}_[${showTasks(tasks)}]`;
  }
  if (job.arrayJobId !== 0) return `${job.arrayJobId}_${job.arrayTaskId}`;
  return isComponent(job) ? `${job.hetJobId}+${job.hetJobOffset}` : String(job.jobId);
}

function pendingFirst(records: readonly JobRecord[]): JobRecord[] {
  const isPending = ({ jobState }: JobRecord) => isJobPending(jobState);
  return [...records.filter(isPending), ...records.filter((job) => !isPending(job))];
}

function tasksNotTold(target: string, jobId: number | null): KilledJob {
  const message = 'Not sent: the controller did not tell which tasks are pending.';
  const code = 'SLURM_UNEXPECTED_MSG_ERROR';
  return { target, jobId, outcome: 'not-sent', number: null, errno: 'EPROTO', code, message };
}
