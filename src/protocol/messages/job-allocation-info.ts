/**
 * REQUEST_JOB_ALLOCATION_INFO (4014) and RESPONSE_JOB_ALLOCATION_INFO (4015): the nodes of a running job. REQUEST_HET_JOB_ALLOC_INFO
 * (4027) and RESPONSE_HET_JOB_ALLOCATION (4026): the same for every component of a het job, or for a plain job as its only one.
 *
 * Source: `job_alloc_info_msg_t`, `resource_allocation_response_msg_t`; checked against bytes of Slurm's own library of every release and
 * replies of live slurmctld.
 */
import { address } from '../address.js';
import { array, optional, struct, text, u16, u32, u64 } from '../wire-type.js';
import { clusterRec } from './cluster-rec.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';
import { selectJobinfo } from './select-jobinfo.js';

export const jobAllocationInfoRequest = struct({
  jobId: jobIdUntil2505,
  /** 26.11, het form: `stepId.stepId` may carry the id of an array task. */
  stepId: stepIdSince2511,
  /** The caller's cluster. Another name than the controller's draws `workingClusterRec` and, until 23.02, `nodeAddr`. */
  reqCluster: text.else(null),
});

const hasCpuGroups = (own: Record<string, unknown>) => (own.numCpuGroups as number) > 0;

export const jobAllocationInfo = struct({
  account: text,
  /** `node:address:host,…` of dynamic nodes, `TBD`, or null; always null since 23.11. */
  aliasList: text.through('24.11').else(null),
  /** Node that runs the batch script. */
  batchHost: text.since('22.05').else(null),
  environment: array(text),
  errorCode: u32,
  gid: u32.since('23.02').else(0),
  groupName: text.since('23.02').else(null),
  jobSubmitUserMsg: text,
  jobId: jobIdUntil2505,
  nodeCnt: u32,
  /** In the order of `nodeList`; always null since 23.11. */
  nodeAddr: optional(array(address)).through('24.11').else(null),
  /** Hostlist expression. */
  nodeList: text,
  ntasksPerBoard: u16,
  ntasksPerCore: u16,
  ntasksPerTres: u16,
  ntasksPerSocket: u16,
  /** 0: the two fields that follow are null. */
  numCpuGroups: u32,
  cpusPerNode: array(u16).when(hasCpuGroups).elseNull(),
  /** Run lengths of `cpusPerNode`. */
  cpuCountReps: array(u32).when(hasCpuGroups).elseNull(),
  partition: text,
  pnMinMemory: u64,
  qos: text,
  resvName: text,
  selectJobinfo: selectJobinfo.through('22.05').elseNull(),
  segmentSize: u16.since('25.11').else(0),
  /** 0 in practice: take the node record's `version`. */
  startProtocolVer: u16.since('25.11').else(0),
  stepId: stepIdSince2511,
  tresPerNode: text.since('23.02').else(null),
  tresPerTask: text.since('25.05').else(null),
  uid: u32.since('23.02').else(0),
  userName: text.since('23.02').else(null),
  workingClusterRec: optional(clusterRec),
});

export const hetJobAllocation = struct({ list: array(jobAllocationInfo, 'u16') });
