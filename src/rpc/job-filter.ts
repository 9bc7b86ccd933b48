/** What `killJobs` is told: which jobs are meant, checked, and compared with job records as slurmctld compares them. */
import { compressHostlist, expandHostlist } from '../config/index.js';
import { type JobId, type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { JOB_STATES } from '../protocol/messages/job-state.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { badOption, checkOptions, checkUid } from './check-options.js';
import { nodesSaid } from './nodes-said.js';

/**
 * Which jobs are meant: those that fit **all** that is given. At least one must be given, and none may be `undefined`: what is left out
 * by mistake would widen what is killed.
 *
 * Found by a filter are only jobs that have not ended; named ones (`ids`) that have ended are listed as such. A heterogeneous job is
 * found by its leader.
 */
export interface JobFilter {
  /** Only these jobs. An empty list means no job at all. Beside other filters neither sluids nor het components. */
  readonly ids?: readonly JobId[];
  /**
   * Only jobs of this user: a name this host knows, or a uid. Left out, a caller who is neither root nor SlurmUser means own jobs only,
   * unless nothing but `ids` is given.
   */
  readonly user?: string | number;
  /** In lower case, as accounting has it; other spellings are made so, as `scancel` does. */
  readonly account?: string;
  /** A pending job in several partitions fits by any of them. */
  readonly partition?: string;
  /** As `account`. */
  readonly qos?: string;
  /** The job's name. */
  readonly name?: string;
  readonly state?: JobStateFilter;
  /** Only jobs with at least one of these nodes: a hostlist expression or a list of such. */
  readonly nodes?: string | readonly string[];
  readonly reservation?: string;
  /** The mark `*` of a default key is not looked at unless it is given here. */
  readonly wckey?: string;
}

/** The states in which a job can be signalled. */
export type JobStateFilter = 'PENDING' | 'RUNNING' | 'SUSPENDED';

const STATES: Readonly<Record<JobStateFilter, number>> = {
  PENDING: JOB_STATES.JOB_PENDING,
  RUNNING: JOB_STATES.JOB_RUNNING,
  SUSPENDED: JOB_STATES.JOB_SUSPENDED,
};

/** A filter that was checked; `null` is no such filter. */
export interface CheckedFilter {
  /** Each once. */
  readonly ids: readonly ParsedJobId[] | null;
  readonly user: string | number | null;
  readonly account: string | null;
  readonly partition: string | null;
  readonly qos: string | null;
  readonly name: string | null;
  /** The number of a base state. */
  readonly state: number | null;
  /** Node names, each once. */
  readonly nodes: readonly string[] | null;
  readonly reservation: string | null;
  readonly wckey: string | null;
}

const FIELDS = [
  'ids',
  'user',
  'account',
  'partition',
  'qos',
  'name',
  'state',
  'nodes',
  'reservation',
  'wckey',
] as const satisfies (keyof JobFilter)[];

/**
 * Reads a filter or a list of ids.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`, `SLURMWIRE_BAD_JOB_ID`, `SLURMWIRE_BAD_HOSTLIST`, which names the field.
 */
export function parseFilter(given: JobFilter | readonly JobId[]): CheckedFilter {
  const asked: JobFilter = isList(given) ? { ids: given } : given;
  checkOptions('killJobs', asked, FIELDS);
  const named = FIELDS.filter((field) => Object.hasOwn(asked, field));
  if (named.length === 0) {
    throw badOption('filter', asked, 'does not say which jobs', `It takes ${FIELDS.join(', ')}.`);
  }
  // Read once: a field that were gone at a second look would be a filter less.
  const filter: JobFilter = Object.fromEntries(named.map((field) => [field, asked[field]]));
  const missing = named.find((field) => filter[field] === undefined);
  if (missing !== undefined) {
    throw badOption(missing, undefined, 'is undefined', 'Leave it out if any will do.');
  }
  const checked = {
    ids: idsOf(filter),
    user: userOf(filter),
    account: textOf(filter, 'account')?.toLowerCase() ?? null,
    partition: textOf(filter, 'partition'),
    qos: textOf(filter, 'qos')?.toLowerCase() ?? null,
    name: textOf(filter, 'name'),
    state: stateOf(filter),
    nodes: nodesOf(filter),
    reservation: textOf(filter, 'reservation'),
    wckey: textOf(filter, 'wckey'),
  };
  const odd = checked.ids?.find(({ kind }) => kind === 'sluid' || kind === 'het-component');
  if (odd !== undefined && !isIdsOnly(checked)) {
    throw badOption('ids', odd.text, 'has a sluid or a het component, which no filter can stand beside');
  }
  return checked;
}

function isList(given: JobFilter | readonly JobId[]): given is readonly JobId[] {
  return Array.isArray(given);
}

/** True where jobs are named and nothing else is asked of them. */
export function isIdsOnly(filter: CheckedFilter): boolean {
  return filter.ids !== null && FIELDS.every((field) => field === 'ids' || filter[field] === null);
}

/** True for a record that fits all filters but `ids`. */
export function fits(job: JobRecord, filter: CheckedFilter, uid: number | null): boolean {
  const { account, partition, qos, name, state, nodes, reservation, wckey } = filter;
  if (uid !== null && job.userId !== uid) return false;
  if (account !== null && job.account !== account) return false;
  if (partition !== null && !(job.partition ?? '').split(',').includes(partition)) return false;
  if (qos !== null && job.qos !== qos) return false;
  if (name !== null && job.name !== name) return false;
  if (state !== null && (job.jobState & 0xff) !== state) return false;
  if (reservation !== null && job.resvName !== reservation) return false;
  if (wckey !== null && !isWckey(job.wckey, wckey)) return false;
  return nodes === null || hasAnyOf(job.nodes, nodes);
}

function isWckey(own: string | null, wanted: string): boolean {
  if (own === null) return false;
  return own === wanted || (own.startsWith('*') && !wanted.startsWith('*') && own.slice(1) === wanted);
}

function hasAnyOf(allocated: string | null, wanted: readonly string[]): boolean {
  const own = new Set(nodesSaid(allocated));
  return wanted.some((node) => own.has(node));
}

/** The nodes of a filter as one hostlist expression. */
export function nodelistOf({ nodes }: CheckedFilter): string | null {
  return nodes === null ? null : compressHostlist(nodes);
}

function idsOf({ ids }: JobFilter): ParsedJobId[] | null {
  if (ids === undefined) return null;
  if (!Array.isArray(ids)) throw badOption('ids', ids, 'is not a list of jobs');
  const parsed = Array.from(ids, (id, index) => plainArray(parseJobId(id as JobId, `ids[${index}]`)));
  for (const id of parsed) if (hasTasks(id)) checkTasks(id);
  return mergeTasks([...new Map(parsed.map((id) => [id.text, id])).values()]);
}

/** `N_*` is `N`, which every message takes. */
function plainArray(id: ParsedJobId): ParsedJobId {
  if (id.kind === 'whole-array') return { kind: 'job', jobId: id.jobId, text: String(id.jobId) };
  return id;
}

/** One id per array: a task named twice would be signalled twice. */
function mergeTasks(ids: ParsedJobId[]): ParsedJobId[] {
  if (!ids.some(hasTasks)) return ids;
  const whole = new Set(ids.filter(({ kind }) => kind === 'job').map(({ jobId }) => jobId));
  const tasks = new Map<number, ParsedJobId[]>();
  for (const id of ids) {
    if (!hasTasks(id) || whole.has(id.jobId)) continue;
    const known = tasks.get(id.jobId);
    if (known === undefined) tasks.set(id.jobId, [id]);
    else known.push(id);
  }
  return ids.flatMap((id) => {
    if (!hasTasks(id)) return [id];
    const parts = tasks.get(id.jobId);
    tasks.delete(id.jobId);
    if (parts === undefined) return [];
    return parts.length === 1 ? [id] : [taskId(id.jobId, parts.flatMap(tasksOf))];
  });
}

export function hasTasks({ kind }: ParsedJobId): boolean {
  return kind === 'array-task' || kind === 'array-tasks';
}

/** The id of some tasks of an array. */
export function taskId(jobId: number, tasks: readonly number[]): ParsedJobId {
  const [only, ...more] = tasks;
  if (only !== undefined && more.length === 0) return { kind: 'array-task', jobId, text: `${jobId}_${only}` };
  return { kind: 'array-tasks', jobId, text: `${jobId}_[${showTasks(tasks)}]` };
}

/** MAX_ARRAY upstream: no array has a task number from here on. */
const MAX_TASKS = 4_000_001;

/** The tasks an id names, in order, each once. */
export function tasksOf(id: ParsedJobId): number[] {
  const tasks = new Set<number>();
  for (const [low, high, step] of rangesOf(id))
    for (let task = low; task <= high; task += step) tasks.add(task);
  return [...tasks].sort((a, b) => a - b);
}

function checkTasks(id: ParsedJobId): void {
  if (hasTooManyTasks(id)) throw tooManyTasks(id.text);
}

/** True for tasks that no array has. Ranges that overlap are counted each: what is refused is the work, before any of it is done. */
export function hasTooManyTasks(id: ParsedJobId): boolean {
  let count = 0;
  return rangesOf(id).some(([low, high, step]) => {
    count += Math.floor((high - low) / step) + 1;
    return high >= MAX_TASKS || count > MAX_TASKS;
  });
}

function rangesOf({ text }: ParsedJobId): (readonly [low: number, high: number, step: number])[] {
  const ranges = text.slice(text.indexOf('_') + 1).replace(/^\[|\]$/g, '');
  return ranges.split(',').map((range) => {
    const [span = '', step = '1'] = range.split(':');
    const [low = '', high = low] = span.split('-');
    return [Number(low), Number(high), Number(step)];
  });
}

/** `1-3,7` for 1, 2, 3, 7. Takes them in any order. */
export function showTasks(tasks: readonly number[]): string {
  const ranges: [low: number, high: number][] = [];
  for (const task of [...new Set(tasks)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === task - 1) last[1] = task;
    else ranges.push([task, task]);
  }
  return ranges.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(',');
}

function tooManyTasks(text: string): SlurmUsageError {
  return new SlurmUsageError(`ids: ${text.slice(0, 60)} names tasks that no array has.`, {
    code: 'SLURMWIRE_BAD_JOB_ID',
    field: 'ids',
    value: text,
  });
}

function userOf({ user }: JobFilter): string | number | null {
  if (user === undefined) return null;
  if (typeof user === 'string' && user !== '') return user;
  if (typeof user !== 'number') throw badOption('user', user, 'is neither a name nor a uid');
  checkUid('user', user);
  return user;
}

type TextField = 'account' | 'partition' | 'qos' | 'name' | 'reservation' | 'wckey';

function textOf(filter: JobFilter, field: TextField): string | null {
  const value = filter[field];
  if (value === undefined) return null;
  if (typeof value === 'string' && value !== '') return value;
  throw badOption(field, value, 'is not a text with something in it');
}

function stateOf({ state }: JobFilter): number | null {
  if (state === undefined) return null;
  if (typeof state === 'string' && Object.hasOwn(STATES, state)) return STATES[state];
  throw badOption('state', state, `is none of ${Object.keys(STATES).join(', ')}`);
}

function nodesOf({ nodes }: JobFilter): string[] | null {
  if (nodes === undefined) return null;
  const texts = typeof nodes === 'string' ? [nodes] : nodes;
  if (!Array.isArray(texts)) throw badOption('nodes', nodes, 'is neither a hostlist nor a list of them');
  // slurmctld takes a hostlist it cannot read for one without nodes (observed: 24.11, 26.05).
  const names = texts.flatMap((text) => expandHostlist(text, { field: 'nodes' }));
  if (names.length === 0) throw badOption('nodes', nodes, 'names no node');
  return [...new Set(names)];
}
