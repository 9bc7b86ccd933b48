/**
 * REQUEST_JOB_STATE (23.11 and newer). PrivateData plays no part in it (observed: 24.11, 26.05).
 *
 * Source: `dump_job_state`, which is not told who asks, and `foreach_job_by_id_ro` of 24.11.5 and 26.05.3; order as observed on these.
 */
import { NO_VAL } from '../../protocol/sentinels.js';
import type { Job } from '../model/job.js';
import { componentsOf, findComponent } from './find-jobs.js';
import { answer, type ControllerCall, type ControllerHandler, rc, since } from './handler.js';

type JobStateCall = ControllerCall<'REQUEST_JOB_STATE'>;
type Asked = JobStateCall['record']['jobIds'][number];

export const jobState: ControllerHandler<'REQUEST_JOB_STATE'> = (call) => {
  // A message type that older ones have never heard of.
  if (!since(call, '23.11')) return rc(NOT_SERVED);
  const { world, record } = call;
  const jobs =
    record.jobIds.length === 0 ? [...world.jobs.values()] : record.jobIds.flatMap((id) => asked(call, id));
  return answer('RESPONSE_JOB_STATE', { jobs: jobs.map((job) => stateOf(job, call)) });
};

/** EINVAL. */
const NOT_SERVED = 22;

function asked(call: JobStateCall, { jobId, arrayTaskId, hetJobOffset }: Asked): readonly Job[] {
  const { jobs } = call.world;
  if (jobId === NO_VAL) return [...jobs.values()];
  if (arrayTaskId !== NO_VAL)
    return jobs
      .ofArray(jobId)
      .filter(({ array }) => array?.taskId === arrayTaskId || array?.waiting.has(arrayTaskId))
      .slice(0, 1);
  if (hetJobOffset !== NO_VAL) {
    const component = findComponent(call, jobId, hetJobOffset);
    return component === null ? [] : [component];
  }
  const job = jobs.get(jobId);
  const array = jobs.ofArray(jobId);
  if (array.length > 0) return [...array].reverse();
  return job === undefined ? [] : (componentsOf(call, job) ?? [job]);
}

function stateOf({ jobId, array, het, state }: Job, { world }: JobStateCall) {
  if (array === null) return { jobId, arrayJobId: 0, hetJobId: het?.jobId ?? 0, state };
  const { taskId, waiting } = array;
  const isMeta = taskId === null && waiting.size > 0;
  return {
    jobId,
    arrayJobId: array.jobId,
    arrayTaskId: taskId ?? NO_VAL,
    arrayTaskIdBitmap: isMeta ? taskBits(waiting, world.jobs.ofArray(array.jobId)) : null,
    state,
  };
}

function taskBits(waiting: ReadonlySet<number>, records: readonly Job[]) {
  const highest = Math.max(...waiting, ...records.map(({ array }) => array?.taskId ?? 0));
  return { size: highest + 1, set: [...waiting].sort((a, b) => a - b) };
}
