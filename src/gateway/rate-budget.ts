import { setTimeout as sleep } from 'node:timers/promises';

export interface BudgetOptions {
  /** How many calls in one window. */
  limit: number;
  windowMs: number;
  now: () => number;
}

/** A sliding window of calls: waits for room rather than spending a call on a refusal, which counts too. */
export class RateBudget {
  readonly #options: BudgetOptions;
  readonly #taken: number[] = [];
  #closedUntil = 0;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Resolves when a call may be made, and counts it. One caller at a time. */
  async take(): Promise<void> {
    for (let waitMs = this.#waitMs(); waitMs > 0; waitMs = this.#waitMs()) {
      await sleep(waitMs, undefined, { ref: false }); // up to a minute, which must not hold up the end of the process
    }
    this.#taken.push(this.#options.now());
  }

  /** Nothing for that long: the other side has refused, whatever was counted here. */
  closeFor(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#options.now() + ms);
  }

  #waitMs(): number {
    const now = this.#options.now();
    while (this.#taken[0] !== undefined && this.#taken[0] <= now - this.#options.windowMs) this.#taken.shift();
    const oldest = this.#taken[0];
    const windowWait =
      oldest === undefined || this.#taken.length < this.#options.limit ? 0 : oldest + this.#options.windowMs - now;
    return Math.max(windowWait, this.#closedUntil - now, 0);
  }
}
