/** slurmctld's limiter as its source has it (rate_limit.c, 24.11): whole seconds, filled when a period of the wall clock begins. */
export interface BucketSettings {
  /** `rl_bucket_size`, default 30. */
  readonly size: number;
  /** `rl_refill_rate`, default 2. */
  readonly rate: number;
  /** `rl_refill_period` in seconds, default 1. */
  readonly period: number;
}

export class TokenBucket {
  readonly #settings: BucketSettings;
  #tokens: number;
  #lastPeriod: number | null = null;

  constructor(settings: BucketSettings) {
    this.#settings = settings;
    this.#tokens = settings.size;
  }

  /** Takes a token; false where there is none. */
  take(nowMs: number): boolean {
    const { size, rate, period } = this.#settings;
    const now = Math.floor(Math.floor(nowMs / 1000) / period);
    this.#tokens = Math.min(size, this.#tokens + (now - (this.#lastPeriod ?? now)) * rate);
    this.#lastPeriod = now;
    if (this.#tokens === 0) return false;
    this.#tokens -= 1;
    return true;
  }
}
