/** Waiting when a controller says that it is asked too often. */
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort } from '../protocol/on-abort.js';
import { isSlurmError } from '../protocol/slurm-error.js';

/** How often one request is made in all. slurmctld refills its buckets every second or so (`rl_refill_period`). */
const TRIES = 8;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/**
 * Makes a call again while it is refused with SLURMCTLD_COMMUNICATIONS_BACKOFF, with longer and longer waits of random length. Gives up
 * after some tries, and when the call's deadline is there: then it rejects with the last refusal.
 */
export async function paced<T>(call: () => Promise<T>, context: CallContext): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      if (!isBackoff(error) || tried === TRIES) throw error;
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1));
      await pause(longest * (0.5 + Math.random() / 2), context.signal);
      if (context.signal.aborted) throw error;
    }
  }
}

/** True for an error that says: nothing was done, ask again later. */
function isBackoff(error: unknown): boolean {
  return (
    isSlurmError(error) &&
    error.code === 'SLURMCTLD_COMMUNICATIONS_BACKOFF' &&
    (error.outcome === 'refused' || error.outcome === 'not-sent')
  );
}

/** Resolves after so many milliseconds, or as soon as the signal fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(end, ms);
    const forget = onAbort(signal, end);
  });
}
