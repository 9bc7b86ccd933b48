import type { Terminated, TerminateEvent } from './terminate-result.js';

/** How many events wait for an iterator that lags behind; then the oldest are dropped. */
export const MAX_EVENTS = 100;

/**
 * A termination under way. Await it for its result, iterate it for its events, or both. It runs whether or not anybody does either:
 * leaving the iteration early stops the events and not the termination, which the `signal` option stops.
 *
 * An iteration sees the events from when it was begun, and throws when the termination fails. It may lag behind: of more than
 * 100 events the oldest are dropped; each has the whole state in it.
 */
export class Termination implements Promise<Terminated>, AsyncIterable<TerminateEvent> {
  readonly [Symbol.toStringTag] = 'Termination';
  readonly #result: Promise<Terminated>;
  readonly #listeners = new Set<Listener>();
  #isFollowed = false;
  /** How it ended; `null` while it runs, and as long as nobody has iterated. */
  #ended: { readonly failure: Failure | undefined } | null = null;

  /** @internal Made by `terminate()`. */
  constructor(run: (report: (event: TerminateEvent) => void) => Promise<Terminated>) {
    this.#result = run((event) => {
      for (const listener of this.#listeners) listener.take(event);
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise of the result
  then<A = Terminated, B = never>(
    onResult?: ((result: Terminated) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onResult, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Terminated | B> {
    return this.#result.catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<Terminated> {
    return this.#result.finally(onEnd);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<TerminateEvent, undefined> {
    const listener = new Listener(() => this.#listeners.delete(listener));
    this.#listeners.add(listener);
    if (this.#ended !== null) listener.end(this.#ended.failure);
    else this.#follow();
    return listener;
  }

  /** Once for all iterations: what waits for the result stays with it until the end, however early the iterations were left. */
  #follow(): void {
    if (this.#isFollowed) return;
    this.#isFollowed = true;
    const end = (failure: Failure | undefined) => {
      this.#ended = { failure };
      for (const listener of [...this.#listeners]) listener.end(failure);
    };
    // From here on a failure is told by the iterators.
    this.#result.then(
      () => end(undefined),
      (error: unknown) => end({ error }),
    );
  }
}

interface Failure {
  readonly error: unknown;
}

interface Waiting {
  readonly resolve: (result: IteratorResult<TerminateEvent, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const DONE = { done: true, value: undefined } as const;

/** One iteration: its events that were not taken yet, or its calls of `next()` that wait for one. */
class Listener implements AsyncIterableIterator<TerminateEvent, undefined> {
  readonly #events: TerminateEvent[] = [];
  #waiting: Waiting[] = [];
  #ended = false;
  #failure: Failure | undefined;
  readonly #leave: () => void;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  take(event: TerminateEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ done: false, value: event });
    else if (this.#events.push(event) > MAX_EVENTS) this.#events.shift();
  }

  /** Events that were not taken yet still are. A failure is thrown once, after them. */
  end(failure?: Failure): void {
    this.#leave();
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) this.#finish(one);
  }

  next(): Promise<IteratorResult<TerminateEvent, undefined>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    return new Promise((resolve, reject) => {
      if (this.#ended) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  /** Leaves: no more events. The termination goes on. */
  return(): Promise<IteratorResult<TerminateEvent, undefined>> {
    this.#events.length = 0;
    this.end();
    this.#failure = undefined;
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish({ resolve, reject }: Waiting): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) resolve(DONE);
    else reject(failure.error);
  }
}
