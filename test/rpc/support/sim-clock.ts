/** Time that passes only when nothing else can happen: everybody who waits is woken in order, and nobody really waits. */

import type { CallContext } from '../../../src/protocol/authenticator.js';
import { SlurmTimeoutError } from '../../../src/protocol/index.js';
import { onAbort } from '../../../src/protocol/on-abort.js';
import type { Clock } from '../../../src/rpc/clock.js';
import { turn } from './until.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class SimClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  /** @param start milliseconds. */
  constructor(start = 1_700_000_000_000) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** Who waits now. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const sleeper = {
        at: this.#now + ms,
        wake: () => {
          takeBack();
          resolve();
        },
      };
      const takeBack = onAbort(signal, () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
      this.#sleepers.add(sleeper);
    });
  }

  /** Lets time pass until the work is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    for (;;) {
      await turn();
      if (isDone) return work;
      const [next] = [...this.#sleepers].sort((a, b) => a.at - b.at);
      if (next === undefined) throw new Error('nothing will ever happen any more');
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers.delete(next);
      next.wake();
    }
  }

  /** A deadline by this clock. `over()` when the call has ended. */
  deadline(ms: number): CallContext & { readonly over: () => void } {
    const endsAt = this.#now + ms;
    const time = new AbortController();
    const ended = new AbortController();
    this.sleep(ms, ended.signal).then(
      () => time.abort(timedOut(ms)),
      () => {}, // the call has ended
    );
    return {
      signal: time.signal,
      remainingMs: () => Math.max(0, endsAt - this.#now),
      over: () => ended.abort(),
    };
  }
}

function timedOut(ms: number): SlurmTimeoutError {
  return new SlurmTimeoutError(`no answer within ${ms} ms`, {
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    errno: 'ETIMEDOUT',
    outcome: 'not-sent',
    retryable: true,
  });
}
