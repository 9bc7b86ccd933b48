import { errorNumber } from '../protocol/error-number.js';
import { serverError } from '../protocol/server-error.js';
import type { SlurmError } from '../protocol/slurm-error.js';
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
): SlurmError {
  return serverError(`Nothing was signalled: ${what}.`, errorNumber(code) ?? -1, release, {
    ...(code === 'ESLURM_JOB_SCRIPT_MISSING' ? { errno: 'ESRCH' } : {}),
    outcome: 'not-sent',
    phase: 'wait',
    ...told,
  });
}
