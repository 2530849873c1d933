import { unavailable } from './wire.ts';

const WINDOW_MS = 60_000;

/**
 * So many calls of a method per 60 s, counted from the first. Refused calls count too. The bucket belongs to a
 * connection, or to the device when the client has a device identity (measured with config.patch).
 */
export class RateLimit {
  readonly #method: string;
  readonly #limit: number;
  readonly #buckets = new Map<string, { since: number; count: number }>();

  constructor(method: string, limit: number) {
    this.#method = method;
    this.#limit = limit;
  }

  take(owner: string): void {
    const now = Date.now();
    const bucket = this.#buckets.get(owner);
    if (!bucket || now - bucket.since >= WINDOW_MS) {
      this.#buckets.set(owner, { since: now, count: 1 });
      return;
    }
    bucket.count += 1;
    if (bucket.count <= this.#limit) return;
    const retryAfterMs = bucket.since + WINDOW_MS - now;
    throw unavailable(`rate limit exceeded for ${this.#method}; retry after ${Math.ceil(retryAfterMs / 1000)}s`, {
      details: { method: this.#method, limit: `${this.#limit} per 60s` },
      retryable: true,
      retryAfterMs,
    });
  }
}

/** The queue that all connections share: about 256 requests wait, more are refused at once. */
const WAITING_LIMIT = 256;

export class InFlight {
  #count = 0;

  enter(): void {
    if (this.#count >= WAITING_LIMIT) {
      throw unavailable('The server is busy. Please try again in a moment.', { retryable: true });
    }
    this.#count += 1;
  }

  leave(): void {
    this.#count -= 1;
  }
}

/** Runs what it is given one after the other. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** After ten wrong tokens in 60 s, a client from another host is refused for five minutes, whatever its token. */
export class WrongTokens {
  #failures: number[] = [];
  #lockedUntil = 0;

  /** Milliseconds until the next try is allowed; 0 when it is allowed now. */
  lockedFor(): number {
    return Math.max(0, this.#lockedUntil - Date.now());
  }

  note(): void {
    const now = Date.now();
    this.#failures = [...this.#failures.filter((at) => now - at < WINDOW_MS), now];
    if (this.#failures.length >= 10) this.#lockedUntil = now + 5 * WINDOW_MS;
  }
}
