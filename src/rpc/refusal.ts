/**
 * How much a refusal says. slurmctld answers a request with one number, also when its target has many parts (an array, a
 * heterogeneous job, a range of tasks): then it is the largest number or the last, and other parts may have got the signal.
 *
 * Source: slurmctld's handling of KILL_JOB and CANCEL_JOB_STEP in 20.11 to 26.05; partly observed (2020 for an array whose
 * running tasks got the signal: 22.05, 24.11, 26.05).
 */
import type { ParsedJobId } from '../protocol/job-id.js';

/**
 * - `certain`: nothing was done.
 * - `certain-if-single`: nothing was done, provided that the id stands for one job record only.
 * - `uncertain`: parts of the target may have been signalled.
 */
export type RefusalCertainty = 'certain' | 'certain-if-single' | 'uncertain';

/** Said before any part of the target is touched. */
const SAID_AT_THE_DOOR: ReadonlySet<string> = new Set([
  'ESLURM_ACCESS_DENIED',
  'ESLURM_USER_ID_MISSING',
  'ESLURM_CANNOT_CANCEL_CRON_JOB',
  'ESLURM_NOT_HET_JOB',
  'ESLURM_NOT_HET_JOB_LEADER',
  'ESLURM_NOT_WHOLE_HET_JOB',
  'ESLURM_IN_STANDBY_MODE',
  'ESLURM_IN_STANDBY_USE_BACKUP',
  'ESLURM_INVALID_SLUID',
  'SLURMCTLD_COMMUNICATIONS_BACKOFF',
  'SLURMCTLD_COMMUNICATIONS_HARD_DROP',
  'EINVAL',
]);

/** What slurmctld says of one job or step that it looked at and left alone. Any other number proves nothing. */
const SAID_OF_ONE_PART: ReadonlySet<string> = new Set([
  'ESLURM_INVALID_JOB_ID',
  'ESLURM_ALREADY_DONE',
  'ESLURM_TRANSITION_STATE_NO_UPDATE',
  'ESLURM_JOB_SCRIPT_MISSING',
  'ESLURM_JOB_PENDING',
]);

/** What the target of a kill is, as far as its id tells; `record`: one job record by its own number, without the rest of its array. */
export type KillTarget = ParsedJobId['kind'] | 'step' | 'record';

/**
 * How sure it is that a refused kill did nothing.
 *
 * @param code name of the error number.
 * @param kills true for SIGKILL, which a step of a het leader shares with the same step of the other components.
 */
export function refusalCertainty(target: KillTarget, code: string, kills: boolean): RefusalCertainty {
  if (SAID_AT_THE_DOOR.has(code)) return 'certain';
  if (!SAID_OF_ONE_PART.has(code)) return 'uncertain';
  const noSuchJob = code === 'ESLURM_INVALID_JOB_ID';
  const allDone = code === 'ESLURM_ALREADY_DONE';
  switch (target) {
    case 'job':
      // A plain number may be an array or a het leader. No record of that number at all: nothing to signal.
      return noSuchJob ? 'certain' : 'certain-if-single';
    case 'whole-array':
      // "Already done" is the answer for an array only when every task has finished. But `N_*` of what is no array is taken for `N`.
      if (allDone) return 'certain-if-single';
      return noSuchJob ? 'certain' : 'uncertain';
    case 'array-task':
      // 2020 is also the answer when this task runs and got the signal, but others of the array are pending.
      return noSuchJob || allDone ? 'certain' : 'uncertain';
    case 'array-tasks':
      return 'uncertain';
    case 'het-component':
      // Offset 0, and any with `whole_hetjob`, stands for all components.
      return noSuchJob ? 'certain' : 'uncertain';
    case 'sluid':
      return noSuchJob ? 'certain' : 'uncertain';
    case 'record':
      return 'certain';
    case 'step':
      return kills ? 'certain-if-single' : 'certain';
  }
}
