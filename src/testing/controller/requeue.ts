/** REQUEST_JOB_REQUEUE. */
import { isJobPending, isJobRunning, isJobSuspended } from '../../protocol/messages/job-state.js';
import type { Job } from '../model/job.js';
import type { ControllerHandler } from './handler.js';
import { answerTarget, namedTarget } from './job-parts.js';
import { maySignal } from './rights.js';
import { ACCESS_DENIED, INVALID_JOB_ID } from './targets.js';

const JOB_PENDING = 2024;
const DISABLED = 2037;
const BATCH_ONLY = 2039;
const NOT_HET_JOB_LEADER = 2107;
/** Only if it runs or is suspended; any other is left alone without a word. */
const IF_RUNNING = 1;

export const requeue: ControllerHandler<'REQUEST_JOB_REQUEUE'> = (call) => {
  const { flags, jobIdStr } = call.record;
  const act = (job: Job) => {
    if (!maySignal(call, job)) return ACCESS_DENIED;
    const isActive = isJobRunning(job.state) || isJobSuspended(job.state);
    if ((flags & IF_RUNNING) !== 0 && !isActive) return 0;
    if (isJobPending(job.state)) return JOB_PENDING;
    if (job.spec.script === null && (job.het === null || job.het.offset === 0)) return BATCH_ONLY;
    if (!job.spec.requeue) return DISABLED;
    call.life.requeue(job, flags);
    return 0;
  };
  return answerTarget(call, namedTarget(call, call.record), act, (other) => {
    if (other.kind === 'none') return other.rc;
    if (jobIdStr?.includes('+')) return INVALID_JOB_ID;
    if (other.kind === 'component') return NOT_HET_JOB_LEADER;
    if (other.kind === 'job') return act(other.job);
    return other.jobs.map(act).reduce((all, one) => (one === 0 ? all : one), 0);
  });
};
