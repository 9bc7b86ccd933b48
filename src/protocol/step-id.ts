/**
 * How a step is named on the wire.
 *
 * Source: `slurm_step_id_t` and its packing in each release; special ids observed on 22.05, 24.11 and 26.05. The sluid
 * stands first since 24.11; requests send 0 (a wrong one with a right job id is "unknown job" on slurmctld 25.11 and newer).
 */
import { NO_VAL } from './sentinels.js';
import { type Decoded, struct, u32, u64 } from './wire-type.js';

export const stepId = struct({
  sluid: u64.since('24.11').else(0n),
  jobId: u32,
  stepId: u32,
  /** Component of a het *step* (not of a het job); NO_VAL for every ordinary step. */
  stepHetComp: u32,
});

/** A step as it is named on the wire, or with step NO_VAL a job. */
export type StepId = Decoded<typeof stepId>;

/** Step numbers with a meaning of their own. */
export const SPECIAL_STEP_IDS = {
  /** Not started yet. */
  SLURM_PENDING_STEP: 0xfffffffd,
  SLURM_EXTERN_CONT: 0xfffffffc,
  SLURM_BATCH_SCRIPT: 0xfffffffb,
  SLURM_INTERACTIVE_STEP: 0xfffffffa,
} as const;

/** The largest number of an ordinary step. */
export const SLURM_MAX_NORMAL_STEP_ID = 0xfffffff0;

/** "No step at all", as KILL_JOB carries it: the target is in the text. */
export const NO_STEP_ID: StepId = { sluid: 0n, jobId: NO_VAL, stepId: NO_VAL, stepHetComp: NO_VAL };
