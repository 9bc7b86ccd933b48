/**
 * REQUEST_KILL_JOB (5032) and REQUEST_CANCEL_JOB_STEP (5005): one body for both.
 *
 * KILL_JOB names its target by text (`sjobId`) and leaves the step id unset; CANCEL_JOB_STEP names it by step id and leaves the
 * text null. Signal stands before flags here; in slurmd's messages it is the other way round.
 *
 * Source: `job_step_kill_msg_t`, packed alike in 20.11 to 26.11 but for the sluid inside the step id; checked against bytes
 * of Slurm's own library of every release.
 */
import { stepId } from '../step-id.js';
import { struct, text, u16 } from '../wire-type.js';

export const jobStepKill = struct({
  stepId,
  /** Id text of the job. Never null in a KILL_JOB that is sent: `rpc/guard.ts` refuses that. */
  sjobId: text,
  /** Federation: name of the sibling cluster whose copy is removed. */
  sibling: text.else(null),
  signal: u16,
  /** KILL_* bits, see `kill-flags.ts`. */
  flags: u16.else(0),
});
