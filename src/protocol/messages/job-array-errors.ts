/**
 * RESPONSE_JOB_ARRAY_ERRORS (5034): how each part of an array fared.
 *
 * Source: `job_array_resp_msg_t`; checked against bytes of Slurm's own library of every release and replies of live slurmctld.
 */
import { array, struct, text, u32 } from '../wire-type.js';

export const jobArrayErrors = struct({
  list: array(
    struct({
      /** 0 or a Slurm error number. */
      errorCode: u32,
      /** The tasks this is about: `2_1`, `2_2-3`; 26.05 writes `2_[1]`. */
      jobArrayId: text,
      /** Text for people; null for many errors too. */
      errMsg: text.since('23.02').else(null),
    }),
  ),
});
