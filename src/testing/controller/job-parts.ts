/** Requests that are answered part by part for an array, and with one number for any other job: suspend, resume, requeue. */
import type { MessageName } from '../../protocol/messages/index.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import type { Job } from '../model/job.js';
import { taskText } from '../model/task-list.js';
import type { WireAnswer } from '../wire-server.js';
import { answer, type ControllerCall, rc, since } from './handler.js';
import { INVALID_JOB_ID, type Target, targetOf } from './targets.js';

/** The target of a message that names a job by text or by number. @returns `null` for a job that is not there. */
export function namedTarget(
  call: ControllerCall<MessageName>,
  {
    jobId,
    jobIdStr,
    stepId,
  }: {
    readonly jobId?: number;
    readonly jobIdStr: string | null;
    readonly stepId?: { readonly jobId: number };
  },
): Target {
  if (jobIdStr !== null) return targetOf(call, jobIdStr);
  const number = since({ own: call.release }, '25.11') ? (stepId?.jobId ?? NO_VAL) : (jobId ?? NO_VAL);
  const job = call.world.jobs.get(number);
  return job === undefined ? { kind: 'none', rc: INVALID_JOB_ID } : { kind: 'job', job };
}

/** Does it to each part of an array; tasks with the same number make one part of the answer. */
export function answerByParts(
  call: ControllerCall<MessageName>,
  arrayJobId: number,
  jobs: readonly (Job | null)[],
  missing: readonly number[],
  act: (job: Job) => number,
): WireAnswer {
  const byCode = new Map<number, number[]>();
  const note = (code: number, tasks: Iterable<number>) =>
    byCode.set(code, [...(byCode.get(code) ?? []), ...tasks]);
  for (const job of jobs) {
    if (job === null) continue;
    const { array } = job;
    const tasks = array?.taskId === null ? [...array.waiting] : [array?.taskId ?? 0];
    note(act(job), tasks);
  }
  if (missing.length > 0) note(INVALID_JOB_ID, missing);
  const show = (tasks: readonly number[]) =>
    since(call, '26.05') ? `${arrayJobId}_[${taskText(tasks)}]` : `${arrayJobId}_${taskText(tasks)}`;
  const inOrder = [...byCode].sort(([, a], [, b]) => Math.min(...a) - Math.min(...b));
  const list = inOrder.map(([errorCode, tasks]) => ({
    errorCode,
    jobArrayId: show(tasks),
    errMsg: null,
  }));
  return answer('RESPONSE_JOB_ARRAY_ERRORS', { list });
}

/** As `answerByParts` for a target that is an array or tasks of one; one number for any other. */
export function answerTarget(
  call: ControllerCall<MessageName>,
  target: Target,
  act: (job: Job) => number,
  other: (target: Exclude<Target, { kind: 'array' | 'tasks' }>) => number,
): WireAnswer {
  // Tasks of what is no array, or is not there at all.
  if (target.kind === 'none' && target.tasks !== undefined)
    return answerByParts(call, target.tasks.jobId, [], target.tasks.tasks, act);
  if (target.kind === 'array')
    return answerByParts(call, target.jobs[0]?.array?.jobId ?? 0, target.jobs, [], act);
  if (target.kind !== 'tasks') return rc(other(target));
  const { meta, waiting, jobs, tasks } = target;
  const records = [...(meta !== null && waiting.length > 0 ? [meta] : []), ...jobs];
  const missing = tasks.filter((_, i) => jobs[i] === null);
  const id = meta?.array?.jobId ?? jobs.find((job) => job !== null)?.array?.jobId ?? 0;
  return answerByParts(call, id, records, missing, act);
}
