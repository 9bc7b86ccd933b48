/**
 * REQUEST_JOB_INFO (2003), REQUEST_JOB_INFO_SINGLE (2021), REQUEST_JOB_USER_INFO (2039) and their answer, RESPONSE_JOB_INFO (2004).
 *
 * A single job id may stand for several records: those of an array, or of the components of a het job.
 *
 * Source: `job_info_request_msg_t`, `job_id_msg_t`, `job_user_id_msg_t`, `job_info_msg_t`; requests checked against bytes of Slurm's own
 * library of every release, answers against replies of live slurmctld in every version from 20.11 to 26.11.
 */
import { counted, countOf, list, struct, time, u16, u32 } from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';
import { jobRecord } from './job-record.js';

export const jobInfoRequest = struct({
  /** Jobs as of this time are known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
  /** See `show-flags.ts`. */
  showFlags: u16,
  /** Null: all jobs. Unknown ones are left out of the answer. */
  jobIds: list(u32).else(null),
});

export const jobInfoSingleRequest = struct({
  jobId: jobIdUntil2505,
  /** Since 25.11 slurmctld looks for the job by the sluid if that is not 0. */
  stepId: stepIdSince2511,
  showFlags: u16,
});

export const jobUserInfoRequest = struct({ userId: u32, showFlags: u16 });

export const jobInfo = struct({
  /** Length of `jobs`. */
  recordCount: countOf('jobs'),
  lastUpdate: time,
  lastBackfill: time.since('21.08').else(0n),
  /** `job_array` upstream, which has nothing to do with job arrays. */
  jobs: counted(jobRecord, 'recordCount'),
});
