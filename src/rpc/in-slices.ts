/** Work that would keep the event loop for long, done a few milliseconds per turn of it. */

/** For all such work of this thread together: a service that has ten tables to read at a time must not stand still for ten slices. */
const SLICE_MS = 5;

/** Below this many bytes nothing is worth a pause: decoding and hashing take a millisecond or two. */
export const SHORT_BODY = 64 * 1024;

/** When the work of this turn has to stop; `null` before any was done in it. */
let turnEndsAt: number | null = null;

/**
 * Runs a generator to its end, giving way to everything else after {@link SLICE_MS}.
 *
 * @param slices yields wherever it may be interrupted.
 * @returns what it returns.
 * @throws what it throws; the signal's reason when that fires in between.
 */
export async function inSlices<T>(slices: Generator<void, T, void>, signal: AbortSignal): Promise<T> {
  for (;;) {
    for (const until = endOfTurn(); performance.now() < until; ) {
      const { done, value } = slices.next();
      if (done === true) return value;
    }
    // Queued in order, so whoever began first ends first.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}

function endOfTurn(): number {
  if (turnEndsAt === null) {
    turnEndsAt = performance.now() + SLICE_MS;
    setImmediate(() => {
      turnEndsAt = null;
    });
  }
  return turnEndsAt;
}
