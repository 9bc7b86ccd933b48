/** Waiting that ends with an AbortSignal: what the ports' `CallContext` asks of everybody below it. */

/**
 * One listener per signal, however many calls wait on it.
 *
 * A fan-out queues a call per node on the same signal, and Node warns of a leak from the eleventh listener on.
 * Raising the signal's limit would change an object that may be the caller's.
 */
interface Watch {
  readonly listeners: Set<() => void>;
  readonly fire: () => void;
  /** True where there is no listener on the signal: who fires it tells. */
  readonly isToldOf: boolean;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `listener` once when `signal` fires; the function returned takes it back. For signals that have not fired yet. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const watch = watches.get(signal) ?? begin(signal);
  watch.listeners.add(listener);
  return () => {
    watch.listeners.delete(listener);
    if (watch.listeners.size === 0 && !watch.isToldOf && watches.get(signal) === watch) {
      watches.delete(signal);
      signal.removeEventListener('abort', watch.fire);
    }
  };
}

function begin(signal: AbortSignal): Watch {
  const watch = watchOn(signal, false);
  signal.addEventListener('abort', watch.fire, { once: true });
  return watch;
}

function watchOn(signal: AbortSignal, isToldOf: boolean): Watch {
  const listeners = new Set<() => void>();
  const fire = () => {
    watches.delete(signal);
    for (const listener of listeners) listener();
    listeners.clear();
  };
  const watch = { listeners, fire, isToldOf };
  watches.set(signal, watch);
  return watch;
}

/**
 * For who makes a signal that {@link onAbort} is asked about many times: no listener is put on it, since that takes Node longer than all the rest.
 *
 * @returns to be called right after the signal has fired.
 */
export function tellOfAbort(signal: AbortSignal): () => void {
  return watchOn(signal, true).fire;
}

/** Settles as `promise` does, unless `signal` fires first: then it rejects with the signal's reason, whatever the promise does later. */
export function untilAborted<Result>(
  signal: AbortSignal | undefined,
  promise: Promise<Result>,
): Promise<Result> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal.reason);
    let takeBack = () => {};
    if (signal.aborted) abandon();
    else takeBack = onAbort(signal, abandon);
    // Both ways are always handled, so a result that comes too late is no unhandled rejection.
    promise.then(
      (value) => {
        takeBack();
        resolve(value);
      },
      (error: unknown) => {
        takeBack();
        reject(error);
      },
    );
  });
}

/** {@link untilAborted} for steps that are taken one after the other: one listener for all of them. */
export class StepsUntilAborted {
  readonly #signal: AbortSignal;
  readonly #takeBack: () => void;
  #abandon: ((reason: unknown) => void) | null = null;

  /** {@link end} must follow. @throws the signal's reason. */
  constructor(signal: AbortSignal) {
    signal.throwIfAborted();
    this.#signal = signal;
    this.#takeBack = onAbort(signal, () => this.#abandon?.(signal.reason));
  }

  /** Settles as `promise` does, unless the signal has fired or fires first. */
  step<Result>(promise: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#abandon = reject;
      if (this.#signal.aborted) reject(this.#signal.reason);
      promise.then(resolve, reject);
    });
  }

  end(): void {
    this.#takeBack();
  }
}
