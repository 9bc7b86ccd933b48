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
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Calls `listener` once when `signal` fires; the function returned takes it back. For signals that have not fired yet. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const watch = watches.get(signal) ?? begin(signal);
  watch.listeners.add(listener);
  return () => {
    watch.listeners.delete(listener);
    if (watch.listeners.size === 0 && watches.get(signal) === watch) {
      watches.delete(signal);
      signal.removeEventListener('abort', watch.fire);
    }
  };
}

function begin(signal: AbortSignal): Watch {
  const listeners = new Set<() => void>();
  const fire = () => {
    watches.delete(signal);
    for (const listener of listeners) listener();
    listeners.clear();
  };
  signal.addEventListener('abort', fire, { once: true });
  const watch = { listeners, fire };
  watches.set(signal, watch);
  return watch;
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
      (result) => {
        takeBack();
        resolve(result);
      },
      (error) => {
        takeBack();
        reject(error);
      },
    );
  });
}
