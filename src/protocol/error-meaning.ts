/**
 * What Slurm's error numbers mean to a caller: name, POSIX errno, whether the same call may succeed later, a sentence.
 *
 * Numbers and names come from the generated table; the meanings are our own reading of what each daemon does with them.
 */
import { ERROR_ROWS } from './generated/error-rows.js';
import { LINUX_ERRNO } from './linux-errno.js';
import type { Release } from './release.js';
import { rowIn, rowsBy } from './versioned-table.js';

const byNumber = rowsBy(ERROR_ROWS, 0);
const byName = rowsBy(ERROR_ROWS, 1);

export interface ErrorMeaning {
  /** Upstream's name, or `SLURM_ERROR_<number>` for a number newer than the table. */
  readonly code: string;
  /** POSIX name. */
  readonly errno: string;
  /** The same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** One sentence, with its full stop. */
  readonly text: string;
}

type Meaning = readonly [errno: string, text: string, retryable?: 'retryable'];

/** By name, so that reused numbers keep their own meaning. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  SLURM_SUCCESS: ['OK', 'No error.'],
  SLURM_ERROR: ['EIO', 'The daemon reported a failure without saying which; its log has the reason.'],
  SLURM_UNEXPECTED_MSG_ERROR: ['EPROTO', 'The daemon got a message it did not expect there.'],
  SLURM_PROTOCOL_VERSION_ERROR: ['EPROTO', 'The daemon does not speak this protocol version.'],
  SLURM_PROTOCOL_AUTHENTICATION_ERROR: ['EACCES', 'The daemon did not accept the credential.'],
  SLURMCTLD_COMMUNICATIONS_BACKOFF: [
    'EAGAIN',
    'The controller limits the rate of requests of this user.',
    'retryable',
  ],
  SLURMCTLD_COMMUNICATIONS_HARD_DROP: [
    'EBUSY',
    'The controller is overloaded and dropped the request.',
    'retryable',
  ],
  ESLURM_ACCESS_DENIED: ['EPERM', 'The job belongs to somebody else and the caller is no operator.'],
  ESLURM_USER_ID_MISSING: ['EPERM', 'The caller may not do this.'],
  ESLURM_JOB_SCRIPT_MISSING: ['EINVAL', 'The job has no batch script that could get the signal.'],
  ESLURM_INVALID_JOB_ID: [
    'ESRCH',
    'There is no such job or step (finished jobs are forgotten after MinJobAge).',
  ],
  ESLURM_INVALID_NODE_NAME: ['EINVAL', 'A node name is not known.'],
  ESLURM_TRANSITION_STATE_NO_UPDATE: [
    'EAGAIN',
    'The job is not in a state to take this signal (pending, suspended, or another signal on its way).',
    'retryable',
  ],
  ESLURM_ALREADY_DONE: ['ESRCH', 'The job has finished already.'],
  ESLURM_DISABLED: ['ENOTSUP', 'This is switched off or not possible for this job.'],
  ESLURM_NOT_SUPPORTED: ['ENOTSUP', 'The cluster does not support this.'],
  ESLURM_JOB_PENDING: ['EAGAIN', 'The job has not started yet.', 'retryable'],
  ESLURM_IN_STANDBY_MODE: ['EAGAIN', 'This controller is a backup that is not in charge.', 'retryable'],
  ESLURM_IN_STANDBY_USE_BACKUP: ['EAGAIN', 'This controller has handed over to its backup.', 'retryable'],
  ESLURM_PROLOG_RUNNING: ['EAGAIN', 'The prolog of the job still runs.', 'retryable'],
  ESLURM_NODE_NOT_AVAIL: ['EHOSTDOWN', 'A node of the job is not available.'],
  ESLURM_CANNOT_CANCEL_CRON_JOB: ['EPERM', 'A scrontab job is cancelled only with { cron: true }.'],
  ESLURM_NOT_HET_JOB: ['EINVAL', 'The job has no heterogeneous components.'],
  ESLURM_NOT_HET_JOB_LEADER: ['EINVAL', 'This is not the leader of the heterogeneous job.'],
  ESLURM_NOT_WHOLE_HET_JOB: ['EINVAL', 'A component of this heterogeneous job cannot be addressed alone.'],
  ESLURM_JOB_NOT_SUSPENDED: ['EINVAL', 'The job is not suspended.'],
  ESLURM_JOB_SUSPENDED: ['EAGAIN', 'The job is suspended.', 'retryable'],
  ESLURM_JOB_NOT_RUNNING: ['EAGAIN', 'The job is not running.', 'retryable'],
  ESLURM_BATCH_ONLY: ['EINVAL', 'This is for batch jobs only.'],
  ESLURM_PROTOCOL_INCOMPLETE_PACKET: ['EPROTO', 'The daemon could not decode the message.'],
  ESLURM_TLS_REQUIRED: ['EPROTO', 'The controller takes TLS connections only.'],
  ESLURMD_JOB_NOTRUNNING: ['EAGAIN', 'The step is suspended, has ended, or does not run yet on that node.'],
  ESLURMD_STEP_NOTRUNNING: ['EAGAIN', 'The step is suspended, has ended, or does not run yet on that node.'],
  SLURM_COMMUNICATIONS_CONNECTION_ERROR: ['EHOSTUNREACH', 'It could not be connected.', 'retryable'],
  SLURM_UNKNOWN_FORWARD_ADDR: ['EHOSTUNREACH', 'Its address is not known there.'],
  SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT: ['ETIMEDOUT', 'It did not answer in time.'],
  SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT: ['EPIPE', 'It closed the connection without an answer.'],
  ESLURMD_KILL_TASK_FAILED: ['EIO', 'The signal could not be delivered to the step.'],
  ESLURMD_KILL_JOB_ALREADY_COMPLETE: ['ESRCH', 'The job has no processes on that node any more.'],
};

/** What a return code means in a release. Numbers below 1000 are errnos of the server's system (Linux). */
export function errorMeaning(number: number, release: Release): ErrorMeaning {
  if (number > 0 && number < 1000) {
    const name = LINUX_ERRNO[number] ?? `errno ${number}`;
    const retryable = name === 'EAGAIN' || name === 'EBUSY' || name === 'EINTR';
    const text =
      name === 'EINVAL'
        ? 'The daemon does not serve this message: is it the daemon that was meant?'
        : `The daemon answered with its system's error ${name}.`;
    return { code: name, errno: name, retryable, text };
  }
  const code =
    rowIn(byNumber.get(number), release)?.[1] ?? byNumber.get(number)?.at(-1)?.[1] ?? `SLURM_ERROR_${number}`;
  const [errno, text, retryable] = MEANINGS[code] ?? ['EIO', `The daemon answered ${code}.`];
  return { code, errno, text, retryable: retryable !== undefined };
}

/** The number of an error name (unique through all releases), or `null`. */
export function errorNumber(name: string): number | null {
  return byName.get(name)?.[0]?.[0] ?? null;
}

/** A return code as Slurm reads it: the u32 of the wire is signed, so 0xffffffff is -1, SLURM_ERROR. */
export function signedReturnCode(returnCode: number): number {
  return returnCode | 0;
}

/** Names that have a meaning of their own; for the test that checks them against the table. @internal */
export const MEANING_NAMES = Object.keys(MEANINGS);
