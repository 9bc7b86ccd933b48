/** What a contestant is told to kill, and what it says of it. The programs in `bench/peers/` speak the same. */
export interface KillRun {
  readonly ids: readonly number[];
  /** How many of the first do not count. */
  readonly warmUp: number;
  /** Kills in flight. */
  readonly atATime: number;
  /** Before each kill. */
  readonly pauseMs: number;
  /** Number of the Unix signal. */
  readonly signal: number;
}

export interface Killed {
  readonly kills: number;
  /** Kills that were answered with anything but success. */
  readonly failed: number;
  /** From the first kill that counts to the last answer. */
  readonly seconds: number;
  /** Of the client's process, all its threads. */
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** Of each kill, in microseconds. */
  readonly latencies: readonly number[];
}

export function perSecond({ kills, seconds }: Killed): number {
  return kills / seconds;
}

/** Microseconds of CPU a kill. */
export function cpuOf({ kills, userSeconds, systemSeconds }: Killed): number {
  return ((userSeconds + systemSeconds) * 1e6) / kills;
}

/** To a tenth: more is noise. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
