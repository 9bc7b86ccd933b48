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

/** Kills as it is told, by `kill`. */
export async function killAll(
  { ids, warmUp, atATime, pauseMs }: KillRun,
  kill: (id: number) => Promise<unknown>,
): Promise<Killed> {
  const latencies = new Array<number>(ids.length).fill(0);
  let failed = 0;
  let failure: unknown;
  let next = 0;
  const some = async (end: number) => {
    while (next < end) {
      const index = next++;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const beganAt = performance.now();
      try {
        await kill(ids[index] ?? 0);
      } catch (error) {
        failure ??= error;
        failed += 1;
      }
      latencies[index] = performance.now() - beganAt;
    }
  };
  const all = (end: number) => Promise.all(Array.from({ length: atATime }, () => some(end)));
  await all(warmUp);
  failed = 0;
  const cpuBefore = process.cpuUsage();
  const beganAt = performance.now();
  await all(ids.length);
  const seconds = (performance.now() - beganAt) / 1e3;
  const cpu = process.cpuUsage(cpuBefore);
  if (failure !== undefined) console.error(failure);
  return {
    kills: ids.length - warmUp,
    failed,
    seconds,
    userSeconds: cpu.user / 1e6,
    systemSeconds: cpu.system / 1e6,
    latencies: latencies.slice(warmUp).map((ms) => round(ms * 1e3)),
  };
}
