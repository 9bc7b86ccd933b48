import { JOB_STATE_FLAGS, JOB_STATES } from '../protocol/messages/job-state.js';
import { badOption, checkBoolean } from './check-options.js';
import { CALL_OPTIONS, type CallOptions } from './kill-options.js';

/** Options of `suspend` and `resume`. */
export interface JobControlOptions extends CallOptions {
  /**
   * Resolve with a {@link NothingToDo} in place of rejecting where a repeat finds the work done: the job has finished or is not known
   * (any more), or (`resume`) is not suspended. Suspending a suspended job is accepted anyway. Default false.
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of `requeue`. */
export interface RequeueOptions extends CallOptions {
  /** The job waits until it is released (`scontrol requeuehold`). A pending job refuses this: it is not held by it. */
  readonly hold?: boolean | undefined;
  /** As `hold`, and the job shows the state SPECIAL_EXIT (`scontrol requeuehold State=SpecialExit`). */
  readonly specialExit?: boolean | undefined;
  /**
   * Only if the job is running or suspended (`scontrol requeue Incomplete`). Any other is left alone, and that too is answered with
   * success: it becomes `accepted`.
   */
  readonly onlyIfRunning?: boolean | undefined;
  /**
   * Resolve with a {@link NothingToDo} in place of rejecting where the job waits in the queue already. Not where `hold` or `specialExit`
   * was asked for, which a pending job did not get. A job that has started again meanwhile is requeued again. Default false.
   */
  readonly idempotent?: boolean | undefined;
}

export const JOB_CONTROL_OPTIONS = [
  ...CALL_OPTIONS,
  'idempotent',
] as const satisfies (keyof JobControlOptions)[];

const REQUEUE_BITS = {
  hold: JOB_STATE_FLAGS.JOB_REQUEUE_HOLD,
  specialExit: JOB_STATE_FLAGS.JOB_SPECIAL_EXIT,
  onlyIfRunning: JOB_STATES.JOB_RUNNING,
} as const;

const REQUEUE_FLAGS = Object.keys(REQUEUE_BITS) as (keyof typeof REQUEUE_BITS)[];

export const REQUEUE_OPTIONS: readonly (keyof RequeueOptions)[] = [...JOB_CONTROL_OPTIONS, ...REQUEUE_FLAGS];

/**
 * The flags of REQUEST_JOB_REQUEUE.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` for an option that is no boolean.
 */
export function requeueFlags(options: RequeueOptions): number {
  let flags = 0;
  for (const name of REQUEUE_FLAGS) {
    checkBoolean(name, options[name]);
    if (options[name] === true) flags |= REQUEUE_BITS[name];
  }
  return flags;
}

/** slurmstepd writes no more than this of a message (observed on 20.11, 22.05, 24.11, 26.05). */
export const MAX_NOTIFY_BYTES = 8191;

/**
 * Refuses what would not arrive as it was meant: no text, nothing to say, a NUL (which ends a string on the wire), more than is written.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`.
 */
export function checkNotifyText(message: string): void {
  if (typeof message !== 'string' || message === '') throw badOption('message', message, 'is no text');
  if (message.includes('\0')) throw badOption('message', message, 'has a NUL character in it');
  const length = new TextEncoder().encode(message).length;
  if (length > MAX_NOTIFY_BYTES) {
    throw badOption(
      'message',
      message,
      `is longer than ${MAX_NOTIFY_BYTES} bytes (${length})`,
      'Slurm cuts it there.',
    );
  }
}
