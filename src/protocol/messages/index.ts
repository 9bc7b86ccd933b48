/**
 * The messages this library has a description of, by upstream's name. Both directions of each: the recorder, the player and
 * the embedded cluster live on the daemons' half.
 */

import { messageTypeName } from '../message-type.js';
import type { Release } from '../release.js';
import type { Decoded, Encodable, WireType } from '../wire-type.js';
import { buildInfo, buildInfoRequest } from './build-info.js';
import { configRequest, configResponse } from './config.js';
import { controlStatus } from './control-status.js';
import { empty } from './empty.js';
import { fedInfo } from './fed-info.js';
import { hetJobAllocation, jobAllocationInfo, jobAllocationInfoRequest } from './job-allocation-info.js';
import { jobArrayErrors } from './job-array-errors.js';
import { jobIdRequest, jobIdResponse } from './job-id.js';
import { jobInfo, jobInfoRequest, jobInfoSingleRequest, jobUserInfoRequest } from './job-info.js';
import { jobNotify } from './job-notify.js';
import { jobRequeue } from './job-requeue.js';
import { jobStateRequest, jobStateResponse } from './job-state.js';
import { jobStepInfo, jobStepInfoRequest } from './job-step-info.js';
import { jobStepKill } from './kill-job.js';
import { killJobsRequest, killJobsResponse } from './kill-jobs.js';
import { nodeAliasAddrsRequest, nodeAliasAddrsResponse } from './node-alias-addrs.js';
import { nodeInfo, nodeInfoRequest, nodeInfoSingleRequest } from './node-info.js';
import { partitionInfo, partitionInfoRequest } from './partition-info.js';
import { pingSlurmd } from './ping-slurmd.js';
import { reroute } from './reroute.js';
import { reservationInfo, reservationInfoRequest } from './reservation-info.js';
import { returnCode, returnCodeMsg } from './return-code.js';
import { signalTasks } from './signal-tasks.js';
import { stepLayout, stepLayoutRequest } from './step-layout.js';
import { suspend, suspendInt } from './suspend.js';
import { terminateJob } from './terminate-job.js';
import { updateJobStep } from './update-job-step.js';

/** The declaration of every message this library describes, by upstream's name. docs/messages.md shows them field by field. */
export const MESSAGES = {
  REQUEST_PING: empty,
  RESPONSE_PING_SLURMD: pingSlurmd,
  REQUEST_CONTROL_STATUS: empty,
  RESPONSE_CONTROL_STATUS: controlStatus,
  REQUEST_FED_INFO: empty,
  RESPONSE_FED_INFO: fedInfo,
  REQUEST_BUILD_INFO: buildInfoRequest,
  RESPONSE_BUILD_INFO: buildInfo,
  REQUEST_CONFIG: configRequest,
  RESPONSE_CONFIG: configResponse,

  REQUEST_JOB_INFO: jobInfoRequest,
  REQUEST_JOB_INFO_SINGLE: jobInfoSingleRequest,
  REQUEST_JOB_USER_INFO: jobUserInfoRequest,
  RESPONSE_JOB_INFO: jobInfo,
  REQUEST_JOB_STATE: jobStateRequest,
  RESPONSE_JOB_STATE: jobStateResponse,
  REQUEST_JOB_ID: jobIdRequest,
  RESPONSE_JOB_ID: jobIdResponse,
  REQUEST_JOB_STEP_INFO: jobStepInfoRequest,
  RESPONSE_JOB_STEP_INFO: jobStepInfo,
  REQUEST_STEP_LAYOUT: stepLayoutRequest,
  RESPONSE_STEP_LAYOUT: stepLayout,
  REQUEST_JOB_ALLOCATION_INFO: jobAllocationInfoRequest,
  RESPONSE_JOB_ALLOCATION_INFO: jobAllocationInfo,
  REQUEST_HET_JOB_ALLOC_INFO: jobAllocationInfoRequest,
  RESPONSE_HET_JOB_ALLOCATION: hetJobAllocation,
  REQUEST_NODE_INFO: nodeInfoRequest,
  REQUEST_NODE_INFO_SINGLE: nodeInfoSingleRequest,
  RESPONSE_NODE_INFO: nodeInfo,
  REQUEST_PARTITION_INFO: partitionInfoRequest,
  RESPONSE_PARTITION_INFO: partitionInfo,
  REQUEST_RESERVATION_INFO: reservationInfoRequest,
  RESPONSE_RESERVATION_INFO: reservationInfo,
  REQUEST_NODE_ALIAS_ADDRS: nodeAliasAddrsRequest,
  RESPONSE_NODE_ALIAS_ADDRS: nodeAliasAddrsResponse,

  REQUEST_KILL_JOB: jobStepKill,
  REQUEST_CANCEL_JOB_STEP: jobStepKill,
  REQUEST_KILL_JOBS: killJobsRequest,
  RESPONSE_KILL_JOBS: killJobsResponse,
  REQUEST_SUSPEND: suspend,
  REQUEST_JOB_REQUEUE: jobRequeue,
  REQUEST_JOB_NOTIFY: jobNotify,
  REQUEST_UPDATE_JOB_STEP: updateJobStep,
  RESPONSE_JOB_ARRAY_ERRORS: jobArrayErrors,
  REQUEST_SIGNAL_TASKS: signalTasks,
  REQUEST_TERMINATE_TASKS: signalTasks,
  REQUEST_TERMINATE_JOB: terminateJob,
  REQUEST_ABORT_JOB: terminateJob,
  REQUEST_KILL_TIMELIMIT: terminateJob,
  REQUEST_KILL_PREEMPTED: terminateJob,
  REQUEST_SUSPEND_INT: suspendInt,

  RESPONSE_SLURM_RC: returnCode,
  RESPONSE_SLURM_RC_MSG: returnCodeMsg,
  RESPONSE_SLURM_REROUTE_MSG: reroute,
  RESPONSE_FORWARD_FAILED: empty,
} as const;

/** Upstream's name of a message that is described here. */
export type MessageName = keyof typeof MESSAGES;

/** What decoding a message gives. */
export type MessageRecord<N extends MessageName> = Decoded<(typeof MESSAGES)[N]>;

/** What encoding a message takes: fields with a stated default may be left out. */
export type MessageInput<N extends MessageName> = Encodable<(typeof MESSAGES)[N]>;

/** True for the name of a message that is described here. */
export function isMessageName(name: unknown): name is MessageName {
  return typeof name === 'string' && Object.hasOwn(MESSAGES, name);
}

/** The described message with this number in this release, or `null`. */
export function messageNameOf(type: number, release: Release): MessageName | null {
  const name = messageTypeName(type, release);
  return isMessageName(name) ? name : null;
}

/** The description of a message, untyped: for walkers. */
export function messageType(name: MessageName): WireType<unknown, unknown> {
  return MESSAGES[name] as WireType<unknown, unknown>;
}
