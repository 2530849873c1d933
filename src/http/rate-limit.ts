import { LRUCache } from 'lru-cache';

/** How many keys are counted at most. The ones used least recently are forgotten, and begin anew. */
const LARGEST_NUMBER_OF_KEYS = 10_000;
const MINUTE_MS = 60_000;

/**
 * So many a minute for each key, all of them at once if need be: a bucket that is full at first and refills evenly. One
 * number is kept by key, when the bucket will be full again (the generic cell rate algorithm), and no timer.
 */
export class RateLimit {
  readonly #costMs: number;
  readonly #fullAt = new LRUCache<string, number>({ max: LARGEST_NUMBER_OF_KEYS });
  readonly #now: () => number;

  /** @param perMinute 0 for no limit */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#costMs = perMinute === 0 ? 0 : MINUTE_MS / perMinute;
    this.#now = now;
  }

  /** Takes one, if there is one. @returns 0, or the milliseconds until there will be one */
  take(key: string): number {
    const wait = this.wait(key);
    if (wait === 0 && this.#costMs > 0) this.#fullAt.set(key, this.#nextFullAt(key));
    return wait;
  }

  /** Takes none. @returns the milliseconds until there will be one; 0 when there is one */
  wait(key: string): number {
    return this.#costMs === 0 ? 0 : Math.max(this.#nextFullAt(key) - this.#now() - MINUTE_MS, 0);
  }

  #nextFullAt(key: string): number {
    return Math.max(this.#fullAt.get(key) ?? 0, this.#now()) + this.#costMs;
  }
}
