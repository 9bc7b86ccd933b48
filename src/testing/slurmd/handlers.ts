/** Every request that the embedded slurmd serves. */
import type { MessageInput, MessageName } from '../../protocol/messages/index.js';
import { isAtLeast } from '../../protocol/release.js';
import { returnCode } from '../wire-server.js';
import { endJobAtOnce, suspendJob, terminateJob } from './end-job.js';
import { managedStepInfo, managedStepLayout } from './managed-steps.js';
import type { SlurmdHandler } from './node-daemon.js';
import { signalTasks, terminateTasks } from './signal-tasks.js';

/** ESLURM_USER_ID_MISSING: a slurmd tells only root and SlurmUser whether it is there. */
const USER_ID_MISSING = 2010;

const ping: SlurmdHandler<'REQUEST_PING'> = ({ uid, world, life, node, release }) => {
  if (!world.users.isSuper(uid)) return returnCode(USER_ID_MISSING);
  const record: MessageInput<'RESPONSE_PING_SLURMD'> = {
    cpuLoad: 100 * life.cpusTaken(node.name),
    freeMem: BigInt(node.memory),
    ...(isAtLeast(release, '26.05') ? { nodeName: node.name } : {}),
  };
  return { name: 'RESPONSE_PING_SLURMD', record };
};

export const SLURMD_HANDLERS: { readonly [N in MessageName]?: SlurmdHandler<N> } = {
  REQUEST_PING: ping,
  REQUEST_SIGNAL_TASKS: signalTasks,
  REQUEST_TERMINATE_TASKS: terminateTasks,
  REQUEST_TERMINATE_JOB: terminateJob,
  REQUEST_ABORT_JOB: endJobAtOnce,
  REQUEST_KILL_TIMELIMIT: endJobAtOnce,
  REQUEST_KILL_PREEMPTED: endJobAtOnce,
  REQUEST_SUSPEND_INT: suspendJob,
  REQUEST_JOB_STEP_INFO: managedStepInfo,
  REQUEST_STEP_LAYOUT: managedStepLayout,
};
