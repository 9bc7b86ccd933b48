/** Job records as the controller finds them by what a request names. */
import { isJobFinished, isJobPending } from '../../protocol/messages/job-state.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import type { StepId } from '../../protocol/step-id.js';
import type { Job } from '../model/job.js';
import { type ControllerCall, since } from './handler.js';
import { ACCESS_DENIED, ALREADY_DONE, INVALID_JOB_ID } from './targets.js';
import { maySeeJob } from './visibility.js';

/** ESLURM_JOB_PENDING. */
const JOB_PENDING = 2024;

/** `find_job`: by the sluid where there is one, of which releases before 25.11 know nothing; else by number. */
export function findJob(
  call: Pick<ControllerCall, 'world' | 'own'>,
  { sluid, jobId }: Pick<StepId, 'sluid' | 'jobId'>,
): Job | null {
  const { jobs } = call.world;
  if (sluid !== 0n && since(call, '25.11')) return jobs.withSluid(sluid);
  return jobs.get(jobId) ?? null;
}

/** The component of a heterogeneous job. */
export function findComponent(
  { world }: Pick<ControllerCall, 'world'>,
  hetJobId: number,
  offset: number,
): Job | null {
  const found = world.jobs.get(world.jobs.get(hetJobId)?.het?.jobIds[offset] ?? NO_VAL);
  return found?.het?.jobId === hetJobId ? found : null;
}

/** All components, the leader's first, of a job that is a leader; else `null`. */
export function componentsOf({ world }: Pick<ControllerCall, 'world'>, job: Job): Job[] | null {
  if (job.het?.jobId !== job.jobId) return null;
  return job.het.jobIds.flatMap((id) => world.jobs.get(id) ?? []);
}

/**
 * `job_alloc_info`: a job that has its nodes.
 *
 * @returns the job, or the number that the controller answers.
 */
export function allocatedJob(call: ControllerCall, id: Pick<StepId, 'sluid' | 'jobId'>): Job | number {
  const job = findJob(call, id);
  if (job === null) return INVALID_JOB_ID;
  if (!maySeeJob(call, job)) return ACCESS_DENIED;
  if (isJobPending(job.state)) return JOB_PENDING;
  const parts = componentsOf(call, job) ?? [job];
  return parts.every(({ state }) => isJobFinished(state)) ? ALREADY_DONE : job;
}
