/** What Slurm's own commands say for an error number: scripts look for these words. */
import { errorMeaning } from '../../protocol/error-meaning.js';
import { errorNumber } from '../../protocol/error-number.js';
import type { Release } from '../../protocol/release.js';
import type { SlurmError } from '../../protocol/slurm-error.js';

/** `slurm_strerror()` of what a cancel can meet; the same words in 20.11 to 26.05 where a release has the error at all. */
const TEXTS: Readonly<Record<string, string>> = {
  SLURM_ERROR: 'Unspecified error',
  SLURM_PROTOCOL_VERSION_ERROR: 'Incompatible versions of client and server code',
  SLURM_PROTOCOL_AUTHENTICATION_ERROR: 'Protocol authentication error',
  SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT: 'Socket timed out on send/recv operation',
  SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT: 'Zero Bytes were transmitted or received',
  SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR: 'Unable to contact slurm controller (connect failure)',
  SLURMCTLD_COMMUNICATIONS_SEND_ERROR: 'Unable to contact slurm controller (send failure)',
  SLURMCTLD_COMMUNICATIONS_RECEIVE_ERROR: 'Unable to contact slurm controller (receive failure)',
  SLURMCTLD_COMMUNICATIONS_BACKOFF: 'Rate limit exceeded, please retry momentarily',
  SLURMCTLD_COMMUNICATIONS_HARD_DROP: 'Rate limit exceeded, please retry later',
  ESLURM_ACCESS_DENIED: 'Access/permission denied',
  ESLURM_USER_ID_MISSING: 'Invalid user id',
  ESLURM_INVALID_JOB_ID: 'Invalid job id specified',
  ESLURM_TRANSITION_STATE_NO_UPDATE: 'Job can not be altered now, try again later',
  ESLURM_ALREADY_DONE: 'Job/step already completing or completed',
  ESLURM_JOB_PENDING: 'Job is pending execution',
  ESLURM_IN_STANDBY_MODE: 'Slurm backup controller in standby mode',
  ESLURM_DISABLED: 'Requested operation is presently disabled',
  ESLURM_JOB_NOT_RUNNING: 'Job is not running',
  ESLURM_CANNOT_CANCEL_CRON_JOB: 'Cannot cancel scrontab jobs without --cron flag.',
  ESLURM_NOT_WHOLE_HET_JOB: 'Operation not permitted on individual component of heterogeneous job',
  ESLURM_IN_STANDBY_USE_BACKUP: 'Controller is in standby mode, try a different controller',
  ESLURM_JOB_SIGNAL_FAILED: 'Cannot signal job',
  ESLURM_INVALID_SLUID: 'SLUID is invalid',
  ESLURM_INVALID_CLUSTER_NAME: 'Invalid cluster name',
  ESLURM_JOB_NOT_FEDERATED: 'Not a valid federated job',
  ESLURM_FED_JOB_LOCK: 'Job locked by another sibling',
  ESLURMD_KILL_TASK_FAILED: 'Kill task failed',
  ESLURMD_STEP_SUSPENDED: 'Job step is suspended',
  ESLURM_AUTH_CRED_INVALID: 'Invalid authentication credential',
  ESLURM_AUTH_EXPIRED: 'Authentication credential expired',
};

/** Slurm's own text for a code, or ours where a cancel does not usually meet it. */
export function slurmText(code: string, otherwise: string): string {
  return TEXTS[asOfController(code)] ?? otherwise;
}

/** The text for a number that a controller answered. */
export function textOfNumber(number: number, release: Release): string {
  const { code, text } = errorMeaning(number, release);
  return slurmText(code, text);
}

/** The text for a failed call. */
export function textOfError({ code, summary, message }: SlurmError): string {
  return slurmText(code, summary ?? message);
}

/** The number that libslurm would have set `errno` to; 1, SLURM_ERROR's exit code, where Slurm has none. */
export function numberOfError({ code, number }: SlurmError): number {
  return errorNumber(asOfController(code)) ?? number ?? 1;
}

/** libslurm has names of its own for the connection to a controller. */
function asOfController(code: string): string {
  const own = code.replace(/^SLURM_COMM/, 'SLURMCTLD_COMM');
  return errorNumber(own) === null ? code : own;
}
