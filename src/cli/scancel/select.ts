/**
 * Which job records a cancel means, and by which text each is named to the controller.
 *
 * Source: scancel(1) of 22.05 and 26.05, observed. As 26.05 where they differ: 22.05 took a pending task that is named alone for all pending tasks of its
 * array. A het component (`12+1`) is that component here; scancel takes it for the whole job as soon as it looks at records.
 */
import { expandHostlist } from '../../config/index.js';
import type { JobRecord } from '../../protocol/messages/job-record.js';
import { isJobFinished, isJobPending } from '../../protocol/messages/job-state.js';
import { hasTooManyTasks, tasksOf } from '../../rpc/job-filter.js';
import { recordTasks } from '../../rpc/job-lookup.js';
import { isMeta, nameOf } from '../../rpc/kill-jobs-singles.js';
import { nodesSaid } from '../../rpc/nodes-said.js';
import { MAX_OPERANDS, type Operand } from './job-ids.js';
import type { CancelFilter } from './request.js';
import { ScancelTrouble } from './trouble.js';

/** One job or step that was named: of a list of tasks each by itself. */
export interface Wanted {
  /** As it was named: `12`, `12_*`, `12_3`, `12+1`. */
  readonly text: string;
  readonly step: number | null;
  /** A single task, which no more than one record can have. */
  readonly task: number | null;
  /** Its records, in the controller's order. */
  find(records: RecordIndex): readonly JobRecord[];
}

/** @throws ScancelTrouble for more than scancel takes. */
export function wantedOf(operands: readonly Operand[]): Wanted[] {
  let count = operands.length;
  for (const { job } of operands) {
    // Looked at before it is written out.
    if (job.kind !== 'array-tasks') continue;
    count += hasTooManyTasks(job) ? Number.POSITIVE_INFINITY : tasksOf(job).length - 1;
    if (count > MAX_OPERANDS)
      throw new ScancelTrouble(
        `Too many job ids: ${job.text} makes more than ${MAX_OPERANDS}`,
        'Name the array as a whole (12_*), or fewer tasks at a time.',
      );
  }
  return operands.flatMap(({ job, step }): Wanted[] => {
    const { kind, jobId, text } = job;
    switch (kind) {
      case 'array-task':
      case 'array-tasks':
        return tasksOf(job).map((task) => ({
          text: `${jobId}_${task}`,
          step,
          task,
          find: (records) => records.ofTask(jobId, task),
        }));
      case 'whole-array':
        return [{ text, step, task: null, find: (records) => records.ofArray(jobId) }];
      case 'het-component':
        return [
          {
            text,
            step,
            task: null,
            find: (records) =>
              records.ofHetJob(jobId).filter(({ hetJobOffset }) => `${jobId}+${hetJobOffset}` === text),
          },
        ];
      case 'job':
        return [
          {
            text,
            step,
            task: null,
            find: (records) => records.ofJob(jobId, step === null),
          },
        ];
      default: // a sluid is not in the records, and asked for as it stands
        return [];
    }
  });
}

export interface Found extends Wanted {
  /** Its records. */
  readonly jobs: readonly JobRecord[];
  readonly isPending: boolean;
}

/** Records by what names them: thousands of tasks may be named of a queue of thousands. */
export class RecordIndex {
  readonly #order = new Map<JobRecord, number>();
  readonly #byJob = new Map<number, JobRecord[]>();
  readonly #byArray = new Map<number, JobRecord[]>();
  readonly #byHetJob = new Map<number, JobRecord[]>();
  readonly #byTask = new Map<number, Map<number, JobRecord[]>>();

  constructor(records: readonly JobRecord[]) {
    for (const [index, job] of records.entries()) {
      this.#order.set(job, index);
      add(this.#byJob, job.jobId, job);
      add(this.#byArray, job.arrayJobId, job);
      add(this.#byHetJob, job.hetJobId, job);
    }
  }

  /** The record with this number; and, for a whole array too, all of it. */
  ofJob(jobId: number, orArray: boolean): readonly JobRecord[] {
    const own = this.#byJob.get(jobId) ?? [];
    if (!orArray) return own;
    const both = [...new Set([...own, ...this.ofArray(jobId)])];
    return both.sort((one, other) => (this.#order.get(one) ?? 0) - (this.#order.get(other) ?? 0));
  }

  ofArray(arrayJobId: number): readonly JobRecord[] {
    return this.#byArray.get(arrayJobId) ?? [];
  }

  ofTask(arrayJobId: number, task: number): readonly JobRecord[] {
    let tasks = this.#byTask.get(arrayJobId);
    if (tasks === undefined) {
      tasks = new Map();
      for (const job of this.ofArray(arrayJobId)) for (const one of recordTasks(job)) add(tasks, one, job);
      this.#byTask.set(arrayJobId, tasks);
    }
    return tasks.get(task) ?? [];
  }

  ofHetJob(hetJobId: number): readonly JobRecord[] {
    return this.#byHetJob.get(hetJobId) ?? [];
  }
}

function add<K>(map: Map<K, JobRecord[]>, key: K, job: JobRecord): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [job]);
  else known.push(job);
}

/** What records and wishes come to. */
export interface Selection {
  /** Records that are meant, in the controller's order. */
  readonly jobs: readonly JobRecord[];
  /** What was named and is there. */
  readonly found: readonly Found[];
  /** What was named and is not. */
  readonly missing: readonly Wanted[];
}

export function select(
  records: readonly JobRecord[],
  wanted: readonly Wanted[],
  filter: CancelFilter,
  hasFilter: boolean,
): Selection {
  const alive = records.filter((job) => !isJobFinished(job.jobState));
  const index = new RecordIndex(alive);
  const matches = wanted.map((one) => ({ one, jobs: one.find(index) }));
  const named = new Set(matches.flatMap(({ jobs }) => jobs));
  const jobs = wanted.length === 0 ? alive : alive.filter((job) => named.has(job));
  return {
    jobs: hasFilter ? filtered(jobs, filter) : jobs,
    found: matches.flatMap(({ one, jobs: own }) =>
      own.length === 0
        ? []
        : [{ ...one, jobs: own, isPending: own.some(({ jobState }) => isJobPending(jobState)) }],
    ),
    missing: matches.filter(({ jobs: own }) => own.length === 0).map(({ one }) => one),
  };
}

/** What names a record to the controller. */
export function textOf(job: JobRecord): string {
  return job.arrayJobId !== 0 ? nameOf(job) : String(job.jobId);
}

/** True for the record of pending tasks that the controller did not name: its number would be the running ones too. */
export function isUntold(job: JobRecord): boolean {
  return isMeta(job) && recordTasks(job).length === 0;
}

/** A component is not asked for beside its leader, which reaches it. */
function filtered(jobs: readonly JobRecord[], filter: CancelFilter): JobRecord[] {
  const fitting = jobs.filter((job) => fits(job, filter));
  const leaders = new Set(fitting.filter((job) => job.hetJobId === job.jobId).map(({ jobId }) => jobId));
  return fitting.filter(({ jobId, hetJobId }) => hetJobId === jobId || !leaders.has(hetJobId));
}

function fits(job: JobRecord, filter: CancelFilter): boolean {
  const { account, name, nodelist, partition, qos, reservation, state, user, wckey } = filter;
  if (account !== undefined && job.account !== account) return false;
  if (name !== undefined && job.name !== name) return false;
  if (partition !== undefined && job.partition !== partition) return false;
  if (qos !== undefined && job.qos !== qos) return false;
  if (reservation !== undefined && job.resvName !== reservation) return false;
  if (state !== undefined && (job.jobState & 0xff) !== state.number) return false;
  if (user !== undefined && job.userId !== user.uid) return false;
  if (nodelist !== undefined && !haveCommon(job.nodes ?? '', nodelist)) return false;
  return wckey === undefined || isWckey(job.wckey, wckey);
}

function haveCommon(own: string, wanted: string): boolean {
  const names = new Set(nodesSaid(own));
  return expandHostlist(wanted).some((name) => names.has(name));
}

/** The mark `*` of a default key is looked at only where it was given. */
function isWckey(own: string | null, wanted: string): boolean {
  if (own === null) return false;
  return own === wanted || (!wanted.startsWith('*') && own.startsWith('*') && own.slice(1) === wanted);
}
