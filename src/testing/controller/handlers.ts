/** Every request that the embedded slurmctld serves. What is not here is answered as by a daemon that knows the message and does not serve it. */
import { cancelJobStep } from './cancel-job-step.js';
import { buildInfo, config, controlStatus, fedInfo } from './configuration.js';
import type { ControllerHandlers } from './handler.js';
import { hetJobAllocInfo, jobAllocationInfo } from './job-allocation.js';
import { jobInfo, jobInfoSingle, jobUserInfo } from './job-info.js';
import { jobState } from './job-state.js';
import { jobStepInfo } from './job-step-info.js';
import { killJob } from './kill-job.js';
import { killJobs } from './kill-jobs.js';
import { nodeAliasAddrs } from './node-alias-addrs.js';
import { nodeInfo, nodeInfoSingle, partitionInfo, reservationInfo } from './node-info.js';
import { notify } from './notify.js';
import { ping } from './ping.js';
import { requeue } from './requeue.js';
import { stepLayout } from './step-layout.js';
import { suspend } from './suspend.js';

export const CONTROLLER_HANDLERS: ControllerHandlers = {
  REQUEST_PING: ping,
  REQUEST_CONTROL_STATUS: controlStatus,
  REQUEST_FED_INFO: fedInfo,
  REQUEST_BUILD_INFO: buildInfo,
  REQUEST_CONFIG: config,

  REQUEST_JOB_INFO: jobInfo,
  REQUEST_JOB_INFO_SINGLE: jobInfoSingle,
  REQUEST_JOB_USER_INFO: jobUserInfo,
  REQUEST_JOB_STATE: jobState,
  REQUEST_JOB_STEP_INFO: jobStepInfo,
  REQUEST_STEP_LAYOUT: stepLayout,
  REQUEST_JOB_ALLOCATION_INFO: jobAllocationInfo,
  REQUEST_HET_JOB_ALLOC_INFO: hetJobAllocInfo,
  REQUEST_NODE_INFO: nodeInfo,
  REQUEST_NODE_INFO_SINGLE: nodeInfoSingle,
  REQUEST_NODE_ALIAS_ADDRS: nodeAliasAddrs,
  REQUEST_PARTITION_INFO: partitionInfo,
  REQUEST_RESERVATION_INFO: reservationInfo,

  REQUEST_KILL_JOB: killJob,
  REQUEST_CANCEL_JOB_STEP: cancelJobStep,
  REQUEST_KILL_JOBS: killJobs,
  REQUEST_SUSPEND: suspend,
  REQUEST_JOB_REQUEUE: requeue,
  REQUEST_JOB_NOTIFY: notify,
};
