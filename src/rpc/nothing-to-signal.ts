import { errorMeaning, errorNumber } from '../protocol/error-meaning.js';
import { SlurmServerError } from '../protocol/slurm-error.js';
import type { ControllerLink } from './controller-link.js';

/**
 * Told by this library from what the controller knows, with the number the controller or a slurmd would have answered: no signal was sent.
 *
 * @param what a clause: `job 7 has finished`.
 * @param told `peer`: who said so.
 */
export function nothingToSignal(
  what: string,
  code:
    | 'ESLURM_INVALID_JOB_ID'
    | 'ESLURM_ALREADY_DONE'
    | 'ESLURM_JOB_PENDING'
    | 'ESLURM_JOB_SCRIPT_MISSING'
    | 'ESLURM_TRANSITION_STATE_NO_UPDATE'
    | 'ESLURM_CANNOT_CANCEL_CRON_JOB',
  { setup: { release } }: ControllerLink,
  told: { readonly peer?: string | undefined; readonly hint?: string | undefined } = {},
): SlurmServerError {
  const number = errorNumber(code) ?? -1;
  const { errno, retryable } = errorMeaning(number, release);
  return new SlurmServerError(`Nothing was signalled: ${what}.`, {
    code,
    number,
    errno: code === 'ESLURM_JOB_SCRIPT_MISSING' ? 'ESRCH' : errno,
    retryable,
    outcome: 'not-sent',
    protocol: release,
    phase: 'wait',
    ...told,
  });
}
