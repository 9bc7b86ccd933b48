/** REQUEST_JOB_NOTIFY. */
import { isJobFinished, isJobPending, isJobSuspended } from '../../protocol/messages/job-state.js';
import { type ControllerHandler, rc } from './handler.js';
import { ALREADY_DONE, INVALID_JOB_ID } from './targets.js';

const USER_ID_MISSING = 2010;
const DISABLED = 2037;
/** Bytes of a message that are shown. */
const MAX_SHOWN = 8191;

export const notify: ControllerHandler<'REQUEST_JOB_NOTIFY'> = ({ record, world, uid, life }) => {
  const job = world.jobs.get(record.stepId.jobId);
  if (job === undefined) return rc(INVALID_JOB_ID);
  if (job.user.uid !== uid && !world.users.isSuper(uid)) return rc(USER_ID_MISSING);
  if (isJobFinished(job.state) || isJobSuspended(job.state)) return rc(ALREADY_DONE);
  if (isJobPending(job.state)) return rc(DISABLED);
  life.write(job, (record.message ?? '').slice(0, MAX_SHOWN));
  return rc(0);
};
