/** `killJobs` by lookup: the controller says which jobs there are, and each is asked for by a request of its own. */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, errorNumber } from '../protocol/error-meaning.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobFinished, JOB_STATES } from '../protocol/messages/job-state.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { serverError } from '../protocol/server-error.js';
import { isSlurmError, restate, SlurmProtocolError } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import type { ControllerLink } from './controller-link.js';
import { type CheckedFilter, fits, hasTasks, isIdsOnly, showTasks, taskId, tasksOf } from './job-filter.js';
import { refusalOf } from './job-lookup.js';
import { killJob, killRecord } from './kill.js';
import { paced } from './kill-jobs-pace.js';
import { answeredJob, failedJob, type KilledJob, unsentJob } from './kill-jobs-result.js';
import type { KillJobOptions } from './kill-options.js';
import type { Limiter } from './limiter.js';
import type { Reply } from './reply.js';

/** What all jobs of one call are asked with. */
export interface Signalling {
  readonly signal: number;
  /** What `killJob` takes; nothing about the call itself. */
  readonly options: KillJobOptions;
  readonly limiter: Limiter;
}

/** A job to ask for, or what is known of it without asking. */
type Plan =
  | { readonly ask: true; readonly target: string; readonly jobId: number | null; readonly by: 'text' }
  | { readonly ask: true; readonly target: string; readonly jobId: number; readonly by: 'record' }
  | { readonly ask: false; readonly entry: KilledJob };

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
): Promise<{ jobs: KilledJob[]; reply: Reply }> {
  const { reply, records } = await paced(() => allJobs(link, null, context), context).catch(nothingDone);
  const planner = new Planner(filter, uid, signalling, link.setup.release);
  const plans = planner.plan(records);
  return { jobs: await carryOut(link, plans, signalling, context), reply };
}

/** Signals ids as they are, each by one KILL_JOB. */
export function killByText(
  link: ControllerLink,
  ids: readonly ParsedJobId[],
  signalling: Signalling,
  context: CallContext,
): Promise<KilledJob[]> {
  return carryOut(link, ids.map(asNamed), signalling, context);
}

/** Job records: those with these numbers, or all. */
export async function allJobs(
  link: ControllerLink,
  jobIds: readonly number[] | null,
  context: CallContext,
): Promise<{ reply: Reply; records: readonly JobRecord[] }> {
  const name = 'REQUEST_JOB_INFO';
  const record = {
    lastUpdate: 0n,
    showFlags: SHOW_FLAGS.SHOW_ALL,
    jobIds: jobIds === null ? null : [...jobIds],
  };
  const reply = await link.call({ name, record, repeatable: true }, context);
  if (reply.name === 'RESPONSE_JOB_INFO') return { reply, records: reply.record.jobs };
  throw lookupFailed(reply, name);
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
): Promise<KilledJob[]> {
  return Promise.all(plans.map((plan) => (plan.ask ? askFor(link, plan, signalling, context) : plan.entry)));
}

function askFor(
  link: ControllerLink,
  plan: Plan & { ask: true },
  { signal, options, limiter }: Signalling,
  context: CallContext,
): Promise<KilledJob> {
  const { target, jobId } = plan;
  const kill = () =>
    plan.by === 'record'
      ? killRecord(link, plan, signal, options, context)
      : killJob(link, target, signal, options, context);
  return limiter.run(async () => {
    if (context.signal.aborted) return unsentJob(target, jobId, context.signal.reason);
    try {
      await paced(kill, context);
      return answeredJob(target, jobId, 0, 'accepted', link.setup.release);
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      return failedJob(target, jobId, error);
    }
  });
}

function asNamed({ text, kind, jobId }: ParsedJobId): Plan {
  return { ask: true, target: text, jobId: kind === 'job' ? jobId : null, by: 'text' };
}

/** Goes through the records once for each id, or once for the filter. */
class Planner {
  readonly #filter: CheckedFilter;
  readonly #uid: number | null;
  readonly #kills: boolean;
  readonly #cron: boolean;
  readonly #protocol: Release;

  constructor(filter: CheckedFilter, uid: number | null, { signal, options }: Signalling, protocol: Release) {
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
      return [this.#planRecord(own, own, text)];
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
    if (own.hetJobId !== own.jobId) return [this.#planRecord(own, own, isComponent(own) ? text : null)];
    // The leader stands for all: as long as a part of it goes on there is something to ask for.
    const part = near.find((job) => job.hetJobId === jobId && !isJobFinished(job.jobState)) ?? own;
    return [this.#planRecord(own, part, null)];
  }

  #planTasks(id: ParsedJobId, near: readonly JobRecord[], fresh: (job: JobRecord) => boolean): Plan[] {
    const { jobId } = id;
    const wanted = new Set(tasksOf(id));
    const plans: Plan[] = [];
    for (const job of pendingFirst(near.filter((one) => one.arrayJobId === jobId))) {
      const tasks = tasksIn(job).filter((task) => wanted.delete(task));
      if (tasks.length === 0 || !fresh(job)) continue;
      plans.push(this.#planRecord(job, job, isMeta(job) ? taskId(jobId, tasks).text : null));
    }
    if (wanted.size > 0) plans.push(this.#unknown(taskId(jobId, [...wanted]).text));
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
    if (isMeta(job) && tasksIn(job).length === 0)
      return { ask: false, entry: tasksNotTold(target, job.jobId) };
    // By N_T the answer would be that of the whole array (observed: 22.05, 24.11, 26.05), by its own number 2017 (22.05).
    const isTask = job.arrayJobId !== 0 && !isMeta(job);
    return { ask: true, target, jobId: job.jobId, by: isTask ? 'record' : 'text' };
  }

  #unknown(target: string): Plan {
    return { ask: false, entry: this.#refused(target, null, 'ESLURM_INVALID_JOB_ID') };
  }

  #refused(target: string, jobId: number | null, code: string): KilledJob {
    return answeredJob(target, jobId, errorNumber(code) ?? -1, 'refused', this.#protocol);
  }
}

function isComponent(job: JobRecord): boolean {
  return job.hetJobId !== 0 && job.hetJobId !== job.jobId;
}

/** True for the record of an array's pending tasks. */
export function isMeta(job: JobRecord): boolean {
  return job.arrayJobId !== 0 && job.arrayTaskId === NO_VAL;
}

/** The name of a record as Slurm writes it. */
export function nameOf(job: JobRecord): string {
  if (isMeta(job)) {
    const tasks = tasksIn(job);
    return tasks.length === 0 ? String(job.arrayJobId) : `${job.arrayJobId}_[${showTasks(tasks)}]`;
  }
  if (job.arrayJobId !== 0) return `${job.arrayJobId}_${job.arrayTaskId}`;
  return isComponent(job) ? `${job.hetJobId}+${job.hetJobOffset}` : String(job.jobId);
}

/** The tasks a record stands for. */
export function tasksIn(job: JobRecord): number[] {
  if (!isMeta(job)) return [job.arrayTaskId];
  const mask = /^0x([0-9A-Fa-f]+)$/.exec(job.arrayTaskStr ?? '')?.[1] ?? '';
  const tasks: number[] = [];
  for (let at = mask.length - 1, bit = 0; at >= 0; at--, bit += 4) {
    const nibble = Number.parseInt(mask[at] as string, 16);
    for (let k = 0; k < 4; k++) if ((nibble & (1 << k)) !== 0) tasks.push(bit + k);
  }
  return tasks;
}

function pendingFirst(records: readonly JobRecord[]): JobRecord[] {
  const isPending = (job: JobRecord) => (job.jobState & 0xff) === JOB_STATES.JOB_PENDING;
  return [...records.filter(isPending), ...records.filter((job) => !isPending(job))];
}

function tasksNotTold(target: string, jobId: number): KilledJob {
  const message = 'Not sent: the controller did not tell which tasks are pending.';
  const code = 'SLURM_UNEXPECTED_MSG_ERROR';
  return { target, jobId, outcome: 'not-sent', number: null, errno: 'EPROTO', code, message };
}

function lookupFailed(reply: Reply, rpc: string): Error {
  const { peer, protocol } = reply;
  const refusal = refusalOf(reply);
  const details = { outcome: 'not-sent', peer, rpc } as const;
  if (refusal === null || refusal.number === 0) {
    const code = 'SLURM_UNEXPECTED_MSG_ERROR';
    const summary = `the reply to ${rpc} is a ${reply.name}`;
    return new SlurmProtocolError(summary, { ...details, protocol, code, errno: 'EPROTO', phase: 'decode' });
  }
  const { text } = errorMeaning(refusal.number, protocol);
  const summary = `${peer} does not tell which jobs there are: ${text}`;
  return serverError(summary, refusal.number, protocol, { ...details, phase: 'wait' });
}
