import { onAbort, untilAborted } from '../protocol/on-abort.js';

/**
 * A limit on how many calls to munged run at a time, with a fair queue before it.
 *
 * For native calls: koffi runs asynchronous calls on libuv's pool (4 threads unless UV_THREADPOOL_SIZE says otherwise), which file
 * system and name lookups use too. A munged that hangs keeps a call for 10 s; without a limit, four such calls
 * would stop all of them. For its socket: munged has two threads by default, so more connections would only fill its backlog.
 */
export class CallSlots {
  /** How many calls may run at a time. */
  readonly limit: number;
  #running = 0;
  #peak = 0;
  /** First in, first out; a Set so that leaving from the middle costs nothing. */
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Slots held now, also by calls whose caller no longer waits. */
  get running(): number {
    return this.#running;
  }

  /** Callers in the queue now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The most slots ever held at a time. */
  get peak(): number {
    return this.#peak;
  }

  /**
   * Starts `call` as soon as a slot is free, and settles as it does.
   *
   * When `signal` fires first, the promise rejects at once with its reason: a waiting call leaves the queue
   * unstarted, a started one keeps its slot until it settles, and its result is dropped.
   */
  async run<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    await this.#enter(signal);
    return untilAborted(signal, this.#occupy(signal, call));
  }

  /** Holds the slot until the call has settled, whoever still waits for it. */
  async #occupy<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    try {
      // It may have fired between the slot's being handed over and this turn.
      signal.throwIfAborted();
      return await call();
    } finally {
      this.#leave();
    }
  }

  #enter(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      // Nobody waits while a slot is free: #leave hands its slot on.
      if (this.#running < this.limit) {
        this.#running += 1;
        this.#peak = Math.max(this.#peak, this.#running);
        resolve();
        return;
      }
      const start = () => {
        takeBack();
        resolve();
      };
      const takeBack = onAbort(signal, () => {
        this.#waiting.delete(start);
        reject(signal.reason);
      });
      this.#waiting.add(start);
    });
  }

  /** Hands the slot to the first in the queue, so that a newcomer cannot overtake it. */
  #leave(): void {
    for (const start of this.#waiting) {
      this.#waiting.delete(start);
      start();
      return;
    }
    this.#running -= 1;
  }
}
