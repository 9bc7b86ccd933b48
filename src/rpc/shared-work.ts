import type { CallContext } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import { belongsTo, callOf } from './call-trace.js';
import { Deadline } from './deadline.js';

/**
 * Something that several calls wait for: done once, with a deadline of its own, so that no call ends it for the others. When the last
 * one has left, it is ended early: nothing of a call outlives the call.
 */
export class SharedWork<T> {
  readonly #giveUp = new AbortController();
  readonly #result: Promise<T>;
  readonly #forget: () => void;
  #waiting = 0;
  #done: { readonly value: T } | null = null;

  /**
   * @param timeoutMs milliseconds from now.
   * @param starter the first of those that wait, for whom it is done to those who observe calls.
   * @param forget called when it failed or was deserted: whoever comes next starts anew.
   */
  constructor(
    timeoutMs: number,
    starter: CallContext,
    work: (context: CallContext) => Promise<T>,
    forget: () => void,
  ) {
    this.#forget = forget;
    const deadline = new Deadline(timeoutMs, this.#giveUp.signal);
    belongsTo(deadline.signal, callOf(starter.signal));
    this.#result = work(deadline).finally(() => deadline.dispose());
    this.#result.then((value) => {
      this.#done = { value };
    }, forget);
  }

  /** @throws what the work threw; the signal's reason when the caller's own time is over first. */
  async wait({ signal }: CallContext): Promise<T> {
    if (this.#done !== null && !signal.aborted) return this.#done.value;
    this.#waiting += 1;
    try {
      return await untilAborted(signal, this.#result);
    } catch (thrown) {
      if (signal.aborted && this.#waiting === 1) {
        this.#forget();
        this.#giveUp.abort();
      }
      throw thrown;
    } finally {
      this.#waiting -= 1;
    }
  }
}
