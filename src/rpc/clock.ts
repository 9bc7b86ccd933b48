import { pause } from '../auth/pause.js';

/** Time and waiting, for what takes longer than an exchange. Passed in, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits. Rejects with the signal's reason as soon as that fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** A clock that is not put forward or back while the process runs. */
export function systemClock(): Clock {
  const offset = Date.now() - performance.now();
  return {
    now: () => Math.round(offset + performance.now()),
    sleep: (ms, signal) => pause(signal, ms),
  };
}
