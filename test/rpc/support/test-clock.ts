/** A clock that runs only while somebody waits. */
import type { Clock } from '../../../src/rpc/clock.js';

/** Epoch milliseconds at which every test's clock starts. */
export const START = 1_700_000_000_000;

export class TestClock implements Clock {
  #now = START;
  readonly waits: number[] = [];
  /** Runs after each wait. */
  onTick: (now: number) => void | Promise<void> = () => {};

  now(): number {
    return this.#now;
  }

  /** Milliseconds since the start. */
  get elapsed(): number {
    return this.#now - START;
  }

  set(now: number): this {
    this.#now = now;
    return this;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.waits.push(ms);
    this.#now += ms;
    await this.onTick(this.#now);
    signal.throwIfAborted();
  }
}
