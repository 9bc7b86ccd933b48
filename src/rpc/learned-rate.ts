/** How fast a controller that limits a user's requests may be asked: learned from its answers, since it does not tell. */

/**
 * Before anything is measured: what slurmctld grants by default (`rl_refill_rate=2`, `rl_refill_period=1`), doubled each second until it says
 * no again.
 */
const FIRST_RATE = 2;
/** The longest two requests are kept apart, and the longest pause. A limit that was lifted is noticed after that. */
export const LONGEST_WAIT_MS = 5_000;
/** slurmctld counts in whole seconds, so tokens come half a second after it has run out of them, on average. */
const FIRST_PAUSE_MS = 500;
/** What is older counts less and less. */
const MEMORY_MS = 10_000;
/** How much of the rate that was too much is tried again where something landed, and where nothing did. */
const KEPT = 0.7;
const KEPT_IN_VAIN = 0.5;
/** A timer that fires late may be made up for by so much. */
const CATCH_UP_MS = 100;

/**
 * The rate of one token bucket, seen from outside.
 *
 * A refusal (1804) says that the bucket is empty at that moment. What landed between two such moments is what the controller filled in
 * meanwhile: so the rate is measured, whatever size, rate and period the bucket has and whoever else of the same user draws from it. Less is
 * measured where the bucket ran over, so what was tried last, or a good part of it, counts too. The rate is used a little below that (95 %), and
 * grows with the square of the time without a refusal: slowly where it is about right, fast where the limit has been lifted. After a refusal
 * nothing is sent for a pause of random length, doubled while nothing lands in between.
 */
export class LearnedRate {
  readonly #random: () => number;
  /** When the bucket was last seen empty. */
  #refusedAt: number;
  #resumeAt = 0;
  #nextAt = 0;
  /** Since the last refusal. */
  #landed = 0;
  #refusalsInARow = 0;
  /** Between refusals, the old ones fading. */
  #measured = { landed: 0, ms: 0 };
  /** Requests per second; `null` while nothing has landed between two refusals. */
  #base: number | null = null;

  /**
   * @param now milliseconds, of the first refusal.
   * @param random as Math.random.
   */
  constructor(now: number, random: () => number) {
    this.#random = random;
    this.#refusedAt = now;
    this.#pause(now);
  }

  /** When the next request may go out. */
  get nextAt(): number {
    return this.#nextAt;
  }

  get refusedAt(): number {
    return this.#refusedAt;
  }

  /** Requests per second that are let out now. */
  perSecond(now: number): number {
    const seconds = Math.max(0, now - this.#resumeAt) / 1000;
    const rate =
      this.#base === null
        ? FIRST_RATE * 2 ** Math.min(seconds, 30)
        : this.#base * (0.95 + 0.001 * seconds ** 2);
    return Math.max(rate, 1000 / LONGEST_WAIT_MS);
  }

  /** A request goes out. */
  sent(now: number): void {
    this.#nextAt = Math.max(this.#nextAt, now - CATCH_UP_MS) + 1000 / this.perSecond(now);
  }

  /** A request that went out at `sentAt` was let in. */
  landed(sentAt: number): void {
    if (this.#isNews(sentAt)) this.#landed += 1;
  }

  /** A request that went out at `sentAt` was not. */
  refused(sentAt: number, now: number): void {
    if (!this.#isNews(sentAt)) return;
    const landed = this.#measured.landed + this.#landed;
    const ms = this.#measured.ms + Math.max(1, now - this.#refusedAt);
    if (landed > 0) {
      const kept = this.#landed > 0 ? KEPT : KEPT_IN_VAIN;
      this.#base = Math.max((landed / ms) * 1000, this.perSecond(now) * kept);
    }
    const fade = ms > MEMORY_MS ? 0.5 : 1;
    this.#measured = { landed: landed * fade, ms: ms * fade };
    if (this.#landed > 0) this.#refusalsInARow = 0;
    this.#landed = 0;
    this.#refusedAt = now;
    this.#pause(now);
  }

  /** Requests that were under way at a refusal tell nothing that it did not tell. */
  #isNews(sentAt: number): boolean {
    return sentAt > this.#refusedAt;
  }

  #pause(now: number): void {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#refusalsInARow, 30));
    this.#refusalsInARow += 1;
    this.#nextAt = now + longest * (0.5 + this.#random() / 2);
    this.#resumeAt = this.#nextAt;
  }
}
