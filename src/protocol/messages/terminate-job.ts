/**
 * REQUEST_TERMINATE_JOB (6011), REQUEST_ABORT_JOB (6013), REQUEST_KILL_TIMELIMIT (6009) and REQUEST_KILL_PREEMPTED (6016), to
 * slurmd: one body for all. slurmctld's own: from a client they would remove a job behind slurmctld's back.
 *
 * Source: `kill_job_msg_t`; checked against bytes of Slurm's own library of every release, but for generic resources (from reading:
 * `gres_prep_pack` and its predecessor) and the job credential, which is not described.
 */
import { stepId } from '../step-id.js';
import {
  array,
  bitString,
  counted,
  countOf,
  list,
  optional,
  struct,
  text,
  time,
  u32,
  u64,
  undescribed,
  versions,
} from '../wire-type.js';
import { selectJobinfo } from './select-jobinfo.js';

const gres = struct({
  /** 0x438a34d4. */
  magic: u32,
  pluginId: u32,
  /** Length of `gresBitAlloc` where that is given. */
  nodeCnt: countOf('gresBitAlloc'),
  gresCntNodeAlloc: optional(array(u64)),
  /** One per node of `nodeCnt`. */
  gresBitAlloc: optional(counted(bitString, 'nodeCnt')),
});

export const terminateJob = struct({
  cred: optional(undescribed('a job credential')).since('22.05').else(null),
  /** Text for the log. */
  details: text.since('22.05').else(null),
  derivedEc: u32.since('22.05').else(0),
  exitCode: u32.since('22.05').else(0),
  /** Null only since 25.05. */
  jobGres: versions({ '20.11': array(gres, 'u16'), '25.05': list(gres) }),
  /** The job; step NO_VAL. */
  stepId,
  hetJobId: u32.else(0),
  /** The state to report, see `job-state.ts`. */
  jobState: u32,
  jobUid: u32,
  jobGid: u32,
  nodes: text,
  selectJobinfo: selectJobinfo.through('22.05').elseNull(),
  spankJobEnv: array(text).else([]),
  startTime: time,
  /** Now. */
  time,
  workDir: text.since('21.08').else(null),
});
