/**
 * REQUEST_JOB_ALLOCATION_INFO and REQUEST_HET_JOB_ALLOC_INFO.
 *
 * Source: `_slurm_rpc_job_alloc_info`, `_slurm_rpc_het_job_alloc_info` of 24.11.5.
 */
import { allocatedJob, componentsOf } from './find-jobs.js';
import { answer, type ControllerHandler, rc } from './handler.js';
import { allocationOf } from './records/allocation-record.js';
import { contextOf } from './records/record-context.js';

/** ESLURM_NOT_HET_JOB_LEADER. */
const NOT_HET_JOB_LEADER = 2107;

export const jobAllocationInfo: ControllerHandler<'REQUEST_JOB_ALLOCATION_INFO'> = (call) => {
  const job = allocatedJob(call, call.record.stepId);
  // 0 for a job that has lost its nodes.
  if (typeof job === 'number' || job.nodes.length === 0) return rc(typeof job === 'number' ? job : 0);
  return answer('RESPONSE_JOB_ALLOCATION_INFO', allocationOf(job, call.record.reqCluster, contextOf(call)));
};

export const hetJobAllocInfo: ControllerHandler<'REQUEST_HET_JOB_ALLOC_INFO'> = (call) => {
  const job = allocatedJob(call, call.record.stepId);
  if (typeof job === 'number') return rc(job);
  const components = componentsOf(call, job);
  if (job.het !== null && components === null) return rc(NOT_HET_JOB_LEADER);
  if (job.nodes.length === 0) return rc(0);
  const context = contextOf(call);
  const list = (components ?? [job]).map((one) => allocationOf(one, call.record.reqCluster, context));
  return answer('RESPONSE_HET_JOB_ALLOCATION', { list });
};
