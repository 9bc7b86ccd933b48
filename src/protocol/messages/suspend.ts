/**
 * REQUEST_SUSPEND (5014), to slurmctld, and REQUEST_SUSPEND_INT (5031), slurmctld's own to slurmd.
 *
 * slurmctld answers an unknown job of REQUEST_SUSPEND by closing the connection (observed on 22.05, 24.11, 26.05), and an array named by
 * text with RESPONSE_JOB_ARRAY_ERRORS.
 *
 * Source: `suspend_msg_t`, `suspend_int_msg_t`; checked against bytes of Slurm's own library of every release.
 */
import { struct, text, u8, u16 } from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';

/** Any other value is answered with 0 and does nothing. */
export const SUSPEND_OPS = { SUSPEND_JOB: 0, RESUME_JOB: 1 } as const;

export const suspend = struct({
  stepId: stepIdSince2511,
  /** See {@link SUSPEND_OPS}. */
  op: u16,
  /** NO_VAL where the job is named by text. */
  jobId: jobIdUntil2505,
  /** Id text as in REQUEST_KILL_JOB, or null. */
  jobIdStr: text.else(null),
});

export const suspendInt = struct({
  stepId: stepIdSince2511,
  indfSusp: u8.through('23.02').else(0),
  jobCoreSpec: u16.through('23.02').else(0),
  jobId: jobIdUntil2505,
  op: u16,
});
