/**
 * REQUEST_SIGNAL_TASKS (6004) and REQUEST_TERMINATE_TASKS (6006), to slurmd: one body for both.
 *
 * Flags stand before signal here; in slurmctld's kill messages it is the other way round. TERMINATE_TASKS ignores the signal
 * (libslurm sends 0xffff) and kills the step's whole container.
 *
 * Source: `signal_tasks_msg_t`, packed alike in 20.11 to 26.11 but for the sluid inside the step id; checked against bytes of Slurm's own
 * library of every release.
 */
import { stepId } from '../step-id.js';
import { struct, u16 } from '../wire-type.js';

export const signalTasks = struct({
  /** `stepHetComp` as in the step's own record: another value is "no such step". */
  stepId,
  /** KILL_* bits, see `kill-flags.ts`: with KILL_JOB_BATCH, KILL_FULL_JOB or KILL_STEPS_ONLY only the job of `stepId` counts. */
  flags: u16.else(0),
  signal: u16,
});
