/** REQUEST_SIGNAL_TASKS and REQUEST_TERMINATE_TASKS: signals to the steps on this node. */
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import { returnCode } from '../wire-server.js';
import type { SlurmdCall, SlurmdHandler } from './node-daemon.js';

const NO_SUCH_STEP = 2017;
const USER_ID_MISSING = 2010;

export const signalTasks: SlurmdHandler<'REQUEST_SIGNAL_TASKS'> = (call) =>
  returnCode(signal(call, call.record.signal, call.record.flags));

/** Its signal is not looked at, nor are flags. */
export const terminateTasks: SlurmdHandler<'REQUEST_TERMINATE_TASKS'> = (call) =>
  returnCode(signal(call, UNIX_SIGNALS.SIGKILL, 0));

function signal(
  {
    record,
    uid,
    node,
    world,
    life,
  }: Pick<SlurmdCall<'REQUEST_SIGNAL_TASKS'>, 'record' | 'uid' | 'node' | 'world' | 'life'>,
  unixSignal: number,
  flags: number,
): number {
  const { jobId, stepId, stepHetComp } = record.stepId;
  const job = world.jobs.get(jobId);
  // What a slurmd knows of a job it has from its slurmstepds.
  const isHere = [...(job?.steps.values() ?? [])].some(({ left }) => left.has(node.name));
  if (job === undefined || !isHere) return NO_SUCH_STEP;
  if (job.user.uid !== uid && !world.users.isSuper(uid)) return USER_ID_MISSING;
  return life.signalOnNode(job, node.name, { stepId, stepHetComp, flags }, unixSignal);
}
