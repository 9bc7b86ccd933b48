/**
 * REQUEST_KILL_JOBS (5041) and RESPONSE_KILL_JOBS (5042), 23.11 and newer: signal all jobs that match.
 *
 * One from an unprivileged user has to name that user: `rpc/guard.ts` refuses others, which some controllers do not get over (observed on
 * 24.11 and 26.05).
 *
 * Source: `kill_jobs_msg_t`, `kill_jobs_resp_msg_t`, `slurm_selected_step_t`; checked against bytes of Slurm's own library of every
 * release that has them and replies of live slurmctld.
 */
import { NO_VAL } from '../sentinels.js';
import { stepId } from '../step-id.js';
import { array, bitString, struct, text, u16, u32 } from '../wire-type.js';
import { JOB_STATES } from './job-state.js';

/** Filters must all hold; null is no filter. */
export const killJobsRequest = struct({
  account: text.else(null),
  /** No filter: a text to set on the jobs. Operators only. */
  adminComment: text.since('25.11').else(null),
  /** KILL_* bits, see `kill-flags.ts`. */
  flags: u16.else(0),
  jobName: text.else(null),
  /** Ids; one that cannot be read fails the whole request. `N_*` is none. */
  jobsArray: array(text).else([]),
  partition: text.else(null),
  qos: text.else(null),
  reservation: text.else(null),
  signal: u16,
  /** A base state; JOB_END: any. */
  state: u32.else(JOB_STATES.JOB_END),
  /** Compared only where `userName` is not null. */
  userId: u32.else(NO_VAL),
  /** Switches the filter by user on; the text itself is not compared. */
  userName: text.else(null),
  wckey: text.else(null),
  /** Hostlist expression: jobs with at least one of these nodes. */
  nodelist: text.else(null),
});

export const killJobsResponse = struct({
  /** Failures only, unless KILL_JOBS_VERBOSE was set: an empty list says that all went well, or that nothing matched. */
  jobResponses: array(
    struct({
      /** 0 or a Slurm error number; 2172: filters do not match. */
      errorCode: u32,
      errorMsg: text,
      /** As it was asked for. The sluid is uninitialised memory. */
      id: struct({
        stepId,
        arrayTaskId: u32,
        hetJobOffset: u32,
        /** Array tasks asked for. */
        arrayBitmap: bitString.since('24.11').else(null),
      }),
      /** The job record; NO_VAL where there is none. */
      realJobId: u32,
      /** Federation: the cluster that runs the job. */
      siblingName: text,
    }),
  ),
});
