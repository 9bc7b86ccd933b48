/** Which job records an id text stands for, and what is refused before any of them is looked at. */
import { type ParsedJobId, parseJobId } from '../../protocol/job-id.js';
import { isJobPending } from '../../protocol/messages/job-state.js';
import type { Job } from '../model/job.js';
import { MAX_ARRAY_SIZE } from '../model/submit-options.js';
import { tasksOf } from '../model/task-list.js';
import type { World } from '../model/world.js';
import type { ControllerCall } from './handler.js';
import { since } from './handler.js';

export const INVALID_JOB_ID = 2017;
export const ACCESS_DENIED = 2002;
export const ALREADY_DONE = 2021;
export const NOT_HET_JOB = 2106;
export const NOT_WHOLE_HET_JOB = 2108;

/** What a text names. */
export type Target =
  | { readonly kind: 'job'; readonly job: Job }
  /** All components, the leader's first. */
  | { readonly kind: 'het'; readonly jobs: readonly Job[] }
  /** One component that is named as such. */
  | { readonly kind: 'component'; readonly job: Job }
  /** All records of an array, that of the waiting tasks first. */
  | { readonly kind: 'array'; readonly jobs: readonly Job[] }
  /** Some tasks of an array, of which `null` are not there. */
  | {
      readonly kind: 'tasks';
      readonly meta: Job | null;
      readonly waiting: readonly number[];
      /** Those asked for that do not wait, each with its record in `jobs`. */
      readonly tasks: readonly number[];
      readonly jobs: readonly (Job | null)[];
    }
  /** `tasks`: those named, of a job that is no array. */
  | {
      readonly kind: 'none';
      readonly rc: number;
      readonly tasks?: { readonly jobId: number; readonly tasks: readonly number[] };
    };

/** Reads an id text as REQUEST_KILL_JOB does. */
export function targetOf(call: Pick<ControllerCall, 'world' | 'own' | 'life'>, text: string): Target {
  const { world, life } = call;
  const parsed = parsedOrNull(text);
  if (parsed === null) return { kind: 'none', rc: INVALID_JOB_ID };
  if (parsed.kind === 'sluid') return sluidTarget(call, parsed);
  const job = world.jobs.get(parsed.jobId);
  switch (parsed.kind) {
    case 'het-component': {
      const offset = Number(text.slice(text.indexOf('+') + 1));
      const component =
        job === undefined ? undefined : life.components(job).find(({ het }) => (het?.offset ?? 0) === offset);
      // 20.11 and 21.08 take it for one that has ended.
      const unknown = since(call, '22.05') ? INVALID_JOB_ID : ALREADY_DONE;
      if (
        job === undefined ||
        component === undefined ||
        job.het?.jobId !== (job.het === null ? undefined : job.jobId)
      )
        return { kind: 'none', rc: unknown };
      if (component.het === null) return { kind: 'none', rc: NOT_HET_JOB };
      if (offset === 0 || isWholeHetJob(world)) return { kind: 'het', jobs: life.components(job) };
      return { kind: 'component', job: component };
    }
    case 'array-task':
    case 'array-tasks':
      return tasksTarget(world, parsed);
    default:
      if (job === undefined) return { kind: 'none', rc: INVALID_JOB_ID };
      if (job.het !== null && (job.het.offset === 0 || isWholeHetJob(world)))
        return { kind: 'het', jobs: life.components(job) };
      if (job.het !== null) return { kind: 'component', job };
      if (job.array === null) return { kind: 'job', job };
      if (job.array.jobId === job.jobId) return { kind: 'array', jobs: world.jobs.ofArray(job.jobId) };
      // A task by the number of its own record is looked for among the arrays by releases before 23.02.
      return since(call, '23.02') ? { kind: 'job', job } : { kind: 'none', rc: INVALID_JOB_ID };
  }
}

function parsedOrNull(text: string): ParsedJobId | null {
  try {
    return parseJobId(text);
  } catch {
    return null;
  }
}

/** SchedulerParameters: components are signalled together only. */
function isWholeHetJob({ settings }: World): boolean {
  return /(^|,)whole_(hetjob|pack)(,|$)/.test(settings.parameters.SchedulerParameters ?? '');
}

function sluidTarget({ world, own }: Pick<ControllerCall, 'world' | 'own'>, { sluid }: ParsedJobId): Target {
  const job = since({ own }, '26.05')
    ? sluid === undefined
      ? undefined
      : world.jobs.withSluid(sluid)
    : undefined;
  return job === undefined || job === null ? { kind: 'none', rc: INVALID_JOB_ID } : { kind: 'job', job };
}

function tasksTarget(world: World, { jobId, text }: ParsedJobId): Target {
  const records = world.jobs.ofArray(jobId);
  const expression = text.slice(text.indexOf('_') + 1).replace(/^\[|\]$/g, '');
  const tasks = tasksOf(expression, MAX_ARRAY_SIZE);
  if (tasks === null) return { kind: 'none', rc: INVALID_JOB_ID };
  if (records.length === 0) return { kind: 'none', rc: INVALID_JOB_ID, tasks: { jobId, tasks } };
  const meta = records.find(({ array }) => array?.taskId === null) ?? null;
  const byTask = new Map(records.map((job) => [job.array?.taskId, job]));
  const waiting = tasks.filter((task) => meta?.array?.waiting.has(task));
  const others = tasks.filter((task) => !waiting.includes(task));
  return {
    kind: 'tasks',
    meta,
    waiting,
    tasks: others,
    jobs: others.map((task) => byTask.get(task) ?? null),
  };
}

/** True for a component that cannot be signalled by itself: one of a job that waits. */
export function isBound(job: Job): boolean {
  return job.het !== null && isJobPending(job.state);
}
