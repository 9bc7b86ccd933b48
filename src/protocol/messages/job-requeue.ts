/**
 * REQUEST_JOB_REQUEUE (5023), to slurmctld. An array is answered with RESPONSE_JOB_ARRAY_ERRORS.
 *
 * Source: `requeue_msg_t`; checked against bytes of Slurm's own library of every release.
 */
import { struct, text, u32 } from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';

export const jobRequeue = struct({
  stepId: stepIdSince2511,
  /** NO_VAL where the job is named by text. */
  jobId: jobIdUntil2505,
  /** Id text as in REQUEST_KILL_JOB, or null. */
  jobIdStr: text.else(null),
  /** JOB_REQUEUE_HOLD, JOB_SPECIAL_EXIT or JOB_RECONFIG_FAIL of `job-state.ts`; 1: only if the job runs or is suspended. */
  flags: u32.else(0),
});
