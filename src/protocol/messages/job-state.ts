/**
 * The states of jobs, and REQUEST_JOB_STATE (2057) and RESPONSE_JOB_STATE (2058), 23.11 and newer, which ask for them alone.
 *
 * Source: `enum job_states` of each release's `slurm/slurm.h`; `job_state_request_msg_t`, `job_state_response_msg_t`, checked against
 * bytes of Slurm's own library of every release that has them and replies of live slurmctld.
 */
import { NO_VAL } from '../sentinels.js';
import { array, bitString, struct, u32 } from '../wire-type.js';

/** The base state: the low 8 bits of a job's state. Those above JOB_SUSPENDED are final. */
export const JOB_STATES = {
  JOB_PENDING: 0,
  JOB_RUNNING: 1,
  JOB_SUSPENDED: 2,
  JOB_COMPLETE: 3,
  JOB_CANCELLED: 4,
  JOB_FAILED: 5,
  JOB_TIMEOUT: 6,
  JOB_NODE_FAIL: 7,
  JOB_PREEMPTED: 8,
  JOB_BOOT_FAIL: 9,
  JOB_DEADLINE: 10,
  JOB_OOM: 11,
  /** No state: one more than the last. */
  JOB_END: 12,
} as const;

/** What a job's state says besides the base state. */
export const JOB_STATE_FLAGS = {
  JOB_LAUNCH_FAILED: 0x100,
  /** 26.11. */
  JOB_GETENV_FAILED: 0x200,
  JOB_REQUEUE: 0x400,
  JOB_REQUEUE_HOLD: 0x800,
  JOB_SPECIAL_EXIT: 0x1000,
  JOB_RESIZING: 0x2000,
  /** Has its nodes, which are still booting. */
  JOB_CONFIGURING: 0x4000,
  /** Its processes are being ended. */
  JOB_COMPLETING: 0x8000,
  JOB_STOPPED: 0x10000,
  JOB_RECONFIG_FAIL: 0x20000,
  JOB_POWER_UP_NODE: 0x40000,
  JOB_REVOKED: 0x80000,
  JOB_REQUEUE_FED: 0x100000,
  JOB_RESV_DEL_HOLD: 0x200000,
  /** A SIGSTOP or SIGCONT is on its way. */
  JOB_SIGNALING: 0x400000,
  JOB_STAGE_OUT: 0x800000,
  /** 26.11. */
  JOB_EXPEDITING: 0x1000000,
} as const;

const JOB_STATE_BASE = 0xff;

/** As Slurm's tools write it, which is not always the constant's name. */
const WRITTEN: Readonly<Record<string, string>> = { JOB_COMPLETE: 'COMPLETED', JOB_OOM: 'OUT_OF_MEMORY' };

/** The base state in the words of Slurm's tools, such as `CANCELLED`; an unknown one as `UNKNOWN(13)`. */
export function jobStateName(jobState: number): string {
  const base = jobState & JOB_STATE_BASE;
  const name = Object.entries(JOB_STATES).find(([, value]) => value === base)?.[0];
  if (name === undefined || name === 'JOB_END') return `UNKNOWN(${base})`;
  return WRITTEN[name] ?? name.slice('JOB_'.length);
}

/** The flags of a state by upstream's names, such as `['JOB_COMPLETING']`. Bits without a name are left out. */
export function jobStateFlags(jobState: number): (keyof typeof JOB_STATE_FLAGS)[] {
  const names = Object.keys(JOB_STATE_FLAGS) as (keyof typeof JOB_STATE_FLAGS)[];
  return names.filter((name) => (jobState & JOB_STATE_FLAGS[name]) !== 0);
}

/** True when the job has ended. It may still be completing, and requeued jobs go back to pending. */
export function isJobFinished(jobState: number): boolean {
  return (jobState & JOB_STATE_BASE) > JOB_STATES.JOB_SUSPENDED;
}

/** True while it waits for nodes, also for its next run after a requeue. */
export function isJobPending(jobState: number): boolean {
  return (jobState & JOB_STATE_BASE) === JOB_STATES.JOB_PENDING;
}

/** True while it has its nodes and is not suspended; they may still be booting. */
export function isJobRunning(jobState: number): boolean {
  return (jobState & JOB_STATE_BASE) === JOB_STATES.JOB_RUNNING;
}

/** True while its processes are stopped and its CPUs given to others. */
export function isJobSuspended(jobState: number): boolean {
  return (jobState & JOB_STATE_BASE) === JOB_STATES.JOB_SUSPENDED;
}

export const jobStateRequest = struct({
  /** Empty: all jobs. */
  jobIds: array(struct({ jobId: u32, arrayTaskId: u32.else(NO_VAL), hetJobOffset: u32.else(NO_VAL) })).else(
    [],
  ),
});

const isArrayTask = (own: Record<string, unknown>) => own.arrayJobId !== 0;

export const jobStateResponse = struct({
  jobs: array(
    struct({
      jobId: u32,
      /** 0: not of an array. */
      arrayJobId: u32,
      arrayTaskId: u32.when(isArrayTask).else(NO_VAL),
      /** Of the record that stands for the pending tasks: which these are. */
      arrayTaskIdBitmap: bitString.when(isArrayTask).else(null),
      /** Only of jobs outside of arrays. 0: not of a het job. */
      hetJobId: u32.when((own) => !isArrayTask(own)).else(0),
      /** A base state and flags. */
      state: u32,
    }),
  ),
});
