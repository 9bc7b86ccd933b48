/** What slurmctld sends to its slurmds to end or stop a job. Others are refused; from root it acts behind slurmctld's back, as it does for real. */
import { SUSPEND_OPS } from '../../protocol/messages/suspend.js';
import { isAtLeast } from '../../protocol/release.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import { returnCode } from '../wire-server.js';
import type { SlurmdHandler } from './node-daemon.js';

const USER_ID_MISSING = 2010;
const ALREADY_COMPLETE = 4002;
const NOT_SUPPORTED = 2036;

type EndJob =
  | 'REQUEST_TERMINATE_JOB'
  | 'REQUEST_ABORT_JOB'
  | 'REQUEST_KILL_TIMELIMIT'
  | 'REQUEST_KILL_PREEMPTED';

/** @param whenNone answer where there is nothing to end. */
function endJob(whenNone: number): SlurmdHandler<EndJob> {
  return ({ record, uid, world, node, life }) => {
    if (!world.users.isSuper(uid)) return returnCode(USER_ID_MISSING);
    const job = world.jobs.get(record.stepId.jobId);
    const steps = [...(job?.steps.values() ?? [])].filter(({ left }) => left.has(node.name));
    if (job === undefined || steps.length === 0) return returnCode(whenNone);
    for (const { stepId, stepHetComp } of steps)
      life.signalOnNode(job, node.name, { stepId, stepHetComp, flags: 0 }, UNIX_SIGNALS.SIGKILL);
    return returnCode(0);
  };
}

export const terminateJob = endJob(ALREADY_COMPLETE);
export const endJobAtOnce = endJob(0);

export const suspendJob: SlurmdHandler<'REQUEST_SUSPEND_INT'> = ({ record, release, uid, world, life }) => {
  if (!world.users.isSuper(uid)) return returnCode(USER_ID_MISSING);
  const jobId = isAtLeast(release, '25.11') ? record.stepId.jobId : record.jobId;
  const job = world.jobs.get(jobId);
  if (record.op === SUSPEND_OPS.SUSPEND_JOB) {
    if (job !== undefined) life.suspend(job);
  } else if (record.op === SUSPEND_OPS.RESUME_JOB) {
    if (job !== undefined) life.resume(job);
  } else return returnCode(NOT_SUPPORTED);
  return returnCode(0);
};
