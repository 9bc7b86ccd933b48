/**
 * REQUEST_JOB_INFO_SINGLE (2021) and the head of its answer, RESPONSE_JOB_INFO (2004): how many records a job id stands for.
 * One for a plain job; several for an array or the leader of a heterogeneous job.
 *
 * Source: `job_id_msg_t`, `job_info_msg_t`; checked against bytes of Slurm's own library and replies of live daemons.
 */

import { NO_VAL } from '../sentinels.js';
import { NO_STEP_ID, stepId } from '../step-id.js';
import { rest, struct, time, u16, u32 } from '../wire-type.js';

/** Also jobs of hidden partitions. */
export const SHOW_ALL = 0x0001;

export const jobInfoSingleRequest = struct({
  jobId: u32.through('25.05').else(NO_VAL),
  /** The job, with step NO_VAL. */
  stepId: stepId.since('25.11').else(NO_STEP_ID),
  showFlags: u16,
});

export const jobInfo = struct({
  recordCount: u32,
  lastUpdate: time,
  lastBackfill: time.since('21.08').else(0n),
  /** The records, packed. */
  records: rest,
});
