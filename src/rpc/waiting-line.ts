import { onAbort } from '../protocol/on-abort.js';
import type { Clock } from './clock.js';
import { LearnedRate } from './learned-rate.js';

/**
 * How many requests of one client are under way to one controller at most. The first refusal comes when the bucket is empty, and those that
 * are under way then are refused too: this bounds them. slurmctld works on 256 connections (512 since 24.11) of all users at a time.
 */
const MAX_UNDER_WAY = 64;
/** A limit that was not felt for so long is forgotten: the bucket has filled up. */
const FORGET_MS = 60_000;

interface Waiting {
  readonly ticket: number;
  readonly go: () => void;
}

/**
 * The line before one controller: first come, first served, also for what is sent again. Each waits until its own signal fires; as long as
 * nobody waits there is no timer.
 */
export class WaitingLine {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** In order of their tickets. */
  readonly #waiting: Waiting[] = [];
  #tickets = 0;
  #underWay = 0;
  #limit: LearnedRate | null = null;
  #alarm: { readonly at: number; readonly off: AbortController } | null = null;

  /** @param random as Math.random, for the lengths of pauses. */
  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** `null`: nobody knows of one. */
  get limit(): LearnedRate | null {
    return this.#limit;
  }

  /** False for one that would have to wait now. */
  isFree(ticket: number): boolean {
    return this.#waiting.length === 0 && this.#hasRoom(ticket) && this.#isTime();
  }

  /**
   * A place in the line. It is kept by who comes back with it.
   *
   * @param isUrgent before all that are not, and not one of those that are counted against the others under way.
   */
  ticket(isUrgent: boolean): number {
    this.#tickets += 1;
    return isUrgent ? this.#tickets - Number.MAX_SAFE_INTEGER : this.#tickets;
  }

  /** Waits for the turn; {@link leave} must follow. @throws the signal's reason. */
  async enter(ticket: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#forgetLimit();
    if (this.isFree(ticket)) return this.#begin();
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        takeBack();
        resolve();
      };
      const takeBack = onAbort(signal, () => {
        this.#waiting.splice(this.#placeOf(ticket), 1);
        this.#advance();
        reject(signal.reason);
      });
      this.#waiting.splice(this.#placeOf(ticket), 0, { ticket, go });
      this.#advance();
    });
  }

  /** The request is over, or is not sent after all. */
  leave(): void {
    this.#underWay -= 1;
    this.#advance();
  }

  /** What the controller said of a request that went out at `sentAt`: too many, or anything else. */
  answered(sentAt: number, isRefused: boolean): void {
    const now = this.#clock.now();
    if (!isRefused) this.#limit?.landed(sentAt);
    else if (this.#limit === null) this.#limit = new LearnedRate(now, this.#random);
    else this.#limit.refused(sentAt, now);
  }

  #forgetLimit(): void {
    const { limit } = this;
    if (limit === null || this.#waiting.length > 0) return;
    if (this.#clock.now() - limit.refusedAt > FORGET_MS) this.#limit = null;
  }

  #hasRoom(ticket: number): boolean {
    return this.#underWay < MAX_UNDER_WAY || ticket < 0;
  }

  #isTime(): boolean {
    return this.#limit === null || this.#limit.nextAt <= this.#clock.now();
  }

  #begin(): void {
    this.#underWay += 1;
    this.#limit?.sent(this.#clock.now());
  }

  /** Lets go who may, and sees to it that somebody looks again when it is time for the next. */
  #advance(): void {
    let next = this.#next();
    while (next !== undefined && this.#isTime()) {
      this.#waiting.shift();
      this.#begin();
      next.go();
      next = this.#next();
    }
    this.#setAlarm(next === undefined ? null : (this.#limit?.nextAt ?? null));
  }

  /** Whom nothing but time keeps. */
  #next(): Waiting | undefined {
    const [first] = this.#waiting;
    return first !== undefined && this.#hasRoom(first.ticket) ? first : undefined;
  }

  #setAlarm(at: number | null): void {
    if (this.#alarm?.at === at) return;
    this.#alarm?.off.abort();
    this.#alarm = null;
    if (at === null) return;
    const alarm = { at, off: new AbortController() };
    this.#alarm = alarm;
    this.#clock.sleep(Math.max(0, at - this.#clock.now()), alarm.off.signal).then(
      () => {
        if (this.#alarm === alarm) this.#alarm = null;
        this.#advance();
      },
      () => {}, // set anew, or nobody waits any more
    );
  }

  /** Index of the first whose ticket is not before this one. */
  #placeOf(ticket: number): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#waiting[middle]?.ticket ?? 0) < ticket) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
