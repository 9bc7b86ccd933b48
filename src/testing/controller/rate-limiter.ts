/** slurmctld's rate limiter (23.02 and newer): a bucket of requests per user, filled again at a steady rate. root and SlurmUser have none. */
import type { World } from '../model/world.js';

/** SLURMCTLD_COMMUNICATIONS_BACKOFF. */
export const TOO_MANY_REQUESTS = 1804;

export class RateLimiter {
  readonly #world: World;
  readonly #buckets = new Map<number, { left: number; filledAt: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  /** True where the user has no request left; else one less. */
  isOver(uid: number, now = Date.now()): boolean {
    const { rateLimit } = this.#world.settings;
    if (rateLimit === null || this.#world.users.isSuper(uid)) return false;
    const bucket = this.#buckets.get(uid) ?? { left: rateLimit.bucketSize, filledAt: now };
    this.#buckets.set(uid, bucket);
    const periods = Math.floor((now - bucket.filledAt) / rateLimit.refillPeriodMs);
    if (periods > 0) {
      bucket.left = Math.min(rateLimit.bucketSize, bucket.left + periods * rateLimit.refillRate);
      bucket.filledAt += periods * rateLimit.refillPeriodMs;
    }
    if (bucket.left < 1) return true;
    bucket.left -= 1;
    return false;
  }
}
