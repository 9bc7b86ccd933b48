import { untilAborted } from '../protocol/on-abort.js';

/** Something that several calls wait for and that is asked for once. When the last of them has left, its signal fires. */
export class SharedAsk<Result> {
  readonly #giveUp = new AbortController();
  readonly #result: Promise<Result>;
  #waiting = 0;
  #settled = false;

  constructor(ask: (signal: AbortSignal) => Promise<Result>) {
    this.#result = ask(this.#giveUp.signal);
    const settle = () => {
      this.#settled = true;
    };
    this.#result.then(settle, settle);
  }

  /** True when it has settled or was given up: who comes now has to ask anew. */
  get isOver(): boolean {
    return this.#settled || this.#giveUp.signal.aborted;
  }

  /** Settles as the asking does, or with the signal's reason when that fires first. */
  async wait(signal: AbortSignal): Promise<Result> {
    this.#waiting += 1;
    try {
      return await untilAborted(signal, this.#result);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#settled) this.#giveUp.abort(signal.reason);
    }
  }
}
