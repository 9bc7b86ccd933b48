/** REQUEST_SUSPEND: suspend and resume. */
import {
  isJobFinished,
  isJobPending,
  isJobRunning,
  isJobSuspended,
} from '../../protocol/messages/job-state.js';
import { SUSPEND_OPS } from '../../protocol/messages/suspend.js';
import type { Job } from '../model/job.js';
import { type ControllerHandler, rc } from './handler.js';
import { answerTarget, namedTarget } from './job-parts.js';
import { maySuspend } from './rights.js';
import { ACCESS_DENIED, ALREADY_DONE, INVALID_JOB_ID, NOT_WHOLE_HET_JOB } from './targets.js';

const JOB_PENDING = 2024;
const JOB_NOT_RUNNING = 2085;
const JOB_NOT_SUSPENDED = 2087;

export const suspend: ControllerHandler<'REQUEST_SUSPEND'> = (call) => {
  const { op, jobIdStr } = call.record;
  if (op !== SUSPEND_OPS.SUSPEND_JOB && op !== SUSPEND_OPS.RESUME_JOB) return rc(0);
  const target = namedTarget(call, call.record);
  // Seen on all releases: a job that is not there is no answer at all.
  if (target.kind === 'none' && (target.tasks === undefined || !call.world.jobs.has(target.tasks.jobId)))
    return null;
  if (jobIdStr?.endsWith('_*')) return rc(INVALID_JOB_ID);
  const first = target.kind === 'array' ? target.jobs[0] : target.kind === 'tasks' ? target.meta : null;
  if (first !== null && first !== undefined && !maySuspend(call, first)) return rc(ACCESS_DENIED);
  const act = (job: Job) => {
    if (!maySuspend(call, job)) return ACCESS_DENIED;
    if (isJobFinished(job.state)) return ALREADY_DONE;
    if (isJobPending(job.state)) return JOB_PENDING;
    if (op === SUSPEND_OPS.RESUME_JOB) {
      if (!isJobSuspended(job.state)) return JOB_NOT_SUSPENDED;
      call.life.resume(job);
    } else if (!isJobSuspended(job.state)) {
      if (!isJobRunning(job.state)) return JOB_NOT_RUNNING;
      call.life.suspend(job);
    }
    return 0;
  };
  return answerTarget(call, target, act, (other) => {
    if (other.kind === 'none') return other.rc;
    if (other.kind === 'component') return NOT_WHOLE_HET_JOB;
    if (other.kind === 'job') return act(other.job);
    if (jobIdStr?.includes('+')) return NOT_WHOLE_HET_JOB;
    return other.jobs.map(act).reduce((all, one) => (one === 0 ? all : one), 0);
  });
};
