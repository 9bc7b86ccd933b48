/** Leaving a controller alone that drops requests of one kind. */
import type { CallContext } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Clock } from './clock.js';

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;

/** The call has less time left than the breaker stays open. */
export class BreakerOpen {
  /** Milliseconds until one request is let through. */
  readonly leftMs: number;

  constructor(leftMs: number) {
    this.leftMs = leftMs;
  }
}

/**
 * Open for a time after a request was dropped; then one goes through, and the others wait for what becomes of it. Twice as long after each
 * drop in a row. For calls that heed a deadline: waiting ends with theirs.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** `null`: closed. */
  #openUntil: number | null = null;
  #dropsInARow = 0;
  #probe: { readonly over: Promise<void>; readonly end: () => void } | null = null;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Milliseconds until a request is let through; 0 where nothing stands in its way but another one. */
  get leftMs(): number {
    return Math.max(0, (this.#openUntil ?? 0) - this.#clock.now());
  }

  /** False for what should wait (again). */
  get isClosed(): boolean {
    return this.#openUntil === null;
  }

  /** True where a request would have to wait now: for the time, or for what becomes of the one that went first. */
  get isHolding(): boolean {
    return this.#openUntil !== null && (this.#probe !== null || this.leftMs > 0);
  }

  /**
   * Waits until a request may go out.
   *
   * @returns true for the one that goes first: it has to say what became of it, by {@link dropped}, {@link passed} or {@link cameToNothing}.
   * @throws BreakerOpen at once where the time left would be over before; the signal's reason.
   */
  async enter(context: CallContext): Promise<boolean> {
    for (;;) {
      if (this.#openUntil === null) return false;
      const { leftMs } = this;
      if (this.#probe !== null) await untilAborted(context.signal, this.#probe.over);
      else if (leftMs === 0) {
        this.#beginProbe();
        return true;
      } else if (context.remainingMs() <= leftMs) throw new BreakerOpen(leftMs);
      else await this.#clock.sleep(leftMs, context.signal);
    }
  }

  /** A request was dropped. */
  dropped(): void {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#dropsInARow, 30));
    // Requests that were under way together are one drop.
    if (this.leftMs > 0) return;
    this.#dropsInARow += 1;
    this.#openUntil = this.#clock.now() + longest * (0.5 + this.#random() / 2);
    this.#endProbe();
  }

  /** A request that went out first was not dropped. */
  passed(): void {
    this.#openUntil = null;
    this.#dropsInARow = 0;
    this.#endProbe();
  }

  /** The one that went first was not answered: another one does. */
  cameToNothing(): void {
    this.#endProbe();
  }

  #beginProbe(): void {
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#probe = { over, end };
  }

  #endProbe(): void {
    this.#probe?.end();
    this.#probe = null;
  }
}
