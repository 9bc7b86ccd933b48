/** REQUEST_KILL_JOBS, 23.11 and newer: ids and filters, answered job by job. */
import { expandHostlist } from '../../config/index.js';
import { errorMeaning } from '../../protocol/error-meaning.js';
import { type ParsedJobId, parseJobId } from '../../protocol/job-id.js';
import { KILL_FLAGS } from '../../protocol/kill-flags.js';
import type { MessageInput } from '../../protocol/messages/index.js';
import { isJobFinished, isJobPending, JOB_STATES } from '../../protocol/messages/job-state.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { NO_STEP_ID } from '../../protocol/step-id.js';
import type { Job } from '../model/job.js';
import { MAX_ARRAY_SIZE } from '../model/submit-options.js';
import { tasksOf } from '../model/task-list.js';
import type { World } from '../model/world.js';
import { answer, type ControllerCall, type ControllerHandler, rc, since } from './handler.js';
import { cancelWaiting } from './kill-job.js';
import { maySignal } from './rights.js';
import { signalJob } from './signal-job.js';
import { ACCESS_DENIED, ALREADY_DONE, INVALID_JOB_ID } from './targets.js';

type Call = ControllerCall<'REQUEST_KILL_JOBS'>;
type Entry = MessageInput<'RESPONSE_KILL_JOBS'>['jobResponses'][number];

const USER_ID_MISSING = 2010;
const JOB_SIGNAL_FAILED = 2172;
const SIGNAL_JOBS_INVALID = 2173;
const JOB_BASE_STATE = 0xff;

export const killJobs: ControllerHandler<'REQUEST_KILL_JOBS'> = (call) => {
  const { record, world, uid } = call;
  if (record.adminComment !== null && !world.users.isSuper(uid)) return rc(USER_ID_MISSING);
  const isFiltered = FILTERS.some((name) => record[name] !== null) || record.state !== JOB_STATES.JOB_END;
  if (!isFiltered && record.jobsArray.length === 0) return rc(SIGNAL_JOBS_INVALID);
  const asked: Asked[] = [];
  for (const text of record.jobsArray) {
    const target = text === null ? UNREADABLE : askedOf(call, text);
    if (typeof target === 'number') return rc(target);
    asked.push(target);
  }
  const parts =
    asked.length > 0 ? asked.flatMap((one) => partsOf(world, one)) : [...world.jobs.values()].map(wholeOf);
  const fits = filterOf(call);
  // Real daemons of all releases wait for ever for a lock that they hold.
  const isStranger = (part: Part) => part.job !== null && !isJobFinished(part.job.state) && fits(part.job);
  const stranger = world.users.isSuper(uid)
    ? undefined
    : parts.find((part) => isStranger(part) && part.job?.user.uid !== uid);
  if (stranger !== undefined)
    return { harm: `KILL_JOBS of uid ${uid} reaching job ${stranger.job?.jobId} of somebody else` };
  const isVerbose = (record.flags & KILL_FLAGS.KILL_JOBS_VERBOSE.bit) !== 0;
  const refused = parts.flatMap((part): Entry[] => {
    const code = refusalOf(part, fits);
    // Of jobs that nobody asked for by their ids nothing is said.
    return code === 0 || part.asked === null ? [] : [entryOf(call, part, code)];
  });
  const meant = withoutComponents(parts.filter((part) => refusalOf(part, fits) === 0));
  const signalled = inOrder(meant).flatMap((part): Entry[] => {
    const code = signalPart(call, part);
    return code === 0 && !isVerbose ? [] : [entryOf(call, part, code)];
  });
  return answer('RESPONSE_KILL_JOBS', { jobResponses: [...refused, ...signalled] });
};

/** Why a part is not signalled at all, or 0. */
function refusalOf({ job }: Part, fits: (job: Job) => boolean): number {
  if (job === null) return INVALID_JOB_ID;
  if (isJobFinished(job.state)) return ALREADY_DONE;
  return fits(job) ? 0 : JOB_SIGNAL_FAILED;
}

/** A component whose leader came before it is the leader's affair. */
function withoutComponents(parts: readonly Part[]): Part[] {
  let leader: number | null = null;
  return parts.filter(({ job }) => {
    if (job?.het?.offset === 0) leader = job.jobId;
    return job === null || job.het === null || job.het.offset === 0 || job.het.jobId !== leader;
  });
}

const FILTERS = [
  'account',
  'jobName',
  'partition',
  'qos',
  'reservation',
  'userName',
  'wckey',
  'nodelist',
] as const;

/** What an id of the request names. */
interface Asked {
  readonly jobId: number;
  readonly tasks: readonly number[] | null;
  /** A single task, named as such and not in brackets. */
  readonly task: number | null;
}

/** A record with what of it is meant. */
interface Part {
  readonly asked: Asked | null;
  readonly job: Job | null;
  /** Waiting tasks of an array that are meant; `null`: all there is. */
  readonly waiting: readonly number[] | null;
}

function wholeOf(job: Job): Part {
  return { asked: null, job, waiting: null };
}

/** @returns a number where the text cannot be read, by which the whole request is refused. */
function askedOf({ own, world }: Call, text: string): Asked | number {
  const plain = text.replace(/\.\w+$/, '');
  let parsed: ParsedJobId;
  try {
    parsed = parseJobId(plain);
  } catch {
    return UNREADABLE;
  }
  const asked = (jobId: number, tasks: readonly number[] | null = null): Asked => ({
    jobId,
    tasks,
    task: parsed.kind === 'array-task' ? (tasks?.[0] ?? null) : null,
  });
  switch (parsed.kind) {
    case 'whole-array':
      return UNREADABLE_TASKS;
    case 'array-task':
    case 'array-tasks': {
      const tasks = tasksOf(plain.slice(plain.indexOf('_') + 1).replace(/^\[|\]$/g, ''), MAX_ARRAY_SIZE);
      return tasks === null ? UNREADABLE_TASKS : asked(parsed.jobId, tasks);
    }
    // Not a component: the sum.
    case 'het-component':
      return asked(parsed.jobId + Number(plain.slice(plain.indexOf('+') + 1)));
    case 'sluid': {
      if (!since({ own }, '25.11')) return UNREADABLE;
      return asked(world.jobs.withSluid(parsed.sluid ?? 0n)?.jobId ?? NO_VAL);
    }
    default:
      return asked(parsed.jobId);
  }
}

/** ESLURM_INVALID_JOB_ID_NON_NUMERIC, ESLURM_EMPTY_JOB_ARRAY_… of those seen live. */
const UNREADABLE = 2137;
const UNREADABLE_TASKS = 2144;

function partsOf(world: World, asked: Asked): Part[] {
  const { jobId, tasks } = asked;
  const job = world.jobs.get(jobId) ?? null;
  const records = world.jobs.ofArray(jobId);
  if (tasks === null) {
    if (records.length > 0) return records.map((one) => ({ asked, job: one, waiting: null }));
    if (job?.het?.offset === 0)
      return job.het.jobIds.flatMap((id) => ({ asked, job: world.jobs.get(id) ?? null, waiting: null }));
    return [{ asked, job, waiting: null }];
  }
  const meta = records.find(({ array }) => array?.taskId === null);
  const waiting = tasks.filter((task) => meta?.array?.waiting.has(task));
  const own = records.filter(({ array }) => array?.taskId !== null && tasks.includes(array?.taskId ?? -1));
  const isThere = (task: number) => waiting.includes(task) || own.some(({ array }) => array?.taskId === task);
  const missing = tasks.filter((task) => !isThere(task));
  return [
    ...(meta !== undefined && waiting.length > 0 ? [{ asked, job: meta, waiting }] : []),
    ...own.map((one) => ({ asked, job: one, waiting: null })),
    ...(missing.length > 0 ? [{ asked: { ...asked, tasks: missing }, job: null, waiting: null }] : []),
  ];
}

/** Records of waiting tasks first, then other pending jobs, then the rest. */
function inOrder(parts: readonly Part[]): Part[] {
  const rank = ({ job }: Part) =>
    job === null ? 3 : job.array?.taskId === null ? 0 : isJobPending(job.state) ? 1 : 2;
  return [...parts].sort((a, b) => rank(a) - rank(b));
}

function signalPart(call: Call, { job, waiting }: Part): number {
  const { signal, flags, adminComment } = call.record;
  if (job === null) return INVALID_JOB_ID;
  if (adminComment !== null) job.adminComment = adminComment;
  if (job.het?.offset === 0) {
    // One number for all components.
    const codes = call.life.components(job).map((one) => signalJob(call, one, signal, flags));
    return codes.reduce((all, one) => (one === 0 ? all : one), 0);
  }
  if (waiting === null) return signalJob(call, job, signal, flags);
  return maySignal(call, job) ? cancelWaiting(call, job, waiting, signal) : ACCESS_DENIED;
}

function filterOf({ record }: Call): (job: Job) => boolean {
  const { account, jobName, partition, qos, reservation, state, userId, userName, wckey } = record;
  const nodes = record.nodelist === null ? null : new Set(hosts(record.nodelist));
  const is = (wanted: string | null, value: string | null) => wanted === null || wanted === value;
  return ({ spec, user, state: own, nodes: has }) =>
    is(account, spec.account) &&
    is(jobName, spec.name) &&
    (partition === null || spec.partition.split(',').includes(partition)) &&
    is(qos, spec.qos) &&
    is(reservation, spec.reservation) &&
    is(wckey, wckey?.startsWith('*') ? spec.wckey : (spec.wckey?.replace(/^\*/, '') ?? null)) &&
    (state === JOB_STATES.JOB_END || (own & JOB_BASE_STATE) === state) &&
    (userName === null || userId === user.uid) &&
    (nodes === null || has.some((node) => nodes.has(node)));
}

/** One that cannot be read matches nothing. */
function hosts(text: string): string[] {
  try {
    return expandHostlist(text);
  } catch {
    return [];
  }
}

function entryOf({ own }: Call, { asked, job, waiting }: Part, errorCode: number): Entry {
  const array = job?.array ?? null;
  const jobId = asked?.jobId ?? array?.jobId ?? job?.jobId ?? NO_VAL;
  const task = asked?.task ?? array?.taskId ?? NO_VAL;
  const bits = waiting ?? (job === null && asked?.task === null ? asked.tasks : null);
  return {
    errorCode,
    errorMsg: errorCode === 0 ? null : errorMeaning(errorCode, own).text,
    id: {
      stepId: { ...NO_STEP_ID, jobId, sluid: since({ own }, '25.11') ? (job?.sluid ?? 0n) : 0n },
      arrayTaskId: task,
      hetJobOffset: NO_VAL,
      arrayBitmap: bits === null || !since({ own }, '24.11') ? null : { size: MAX_ARRAY_SIZE, set: bits },
    },
    realJobId: job?.jobId ?? NO_VAL,
    siblingName: null,
  };
}
