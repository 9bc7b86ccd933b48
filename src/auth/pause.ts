import { onAbort } from '../protocol/on-abort.js';

/** Waits, unless `signal` fires first: then it rejects with the signal's reason and leaves no timer behind. */
export function pause(signal: AbortSignal, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      takeBack();
      resolve();
    }, milliseconds);
    const takeBack = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
