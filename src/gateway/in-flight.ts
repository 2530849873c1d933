interface Waiter {
  enter: () => void;
  leave: (reason: unknown) => void;
}

/**
 * Lets at most `limit` pieces of work run at a time; the others wait in the order in which they came. A gateway holds about 256
 * waiting requests over all its connections and answers "busy" to the next (measured on OpenClaw 2026.9.6).
 */
export class InFlight {
  readonly #limit: number;
  readonly #waiting: Waiter[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Runs `work` when there is room. Throws `signal.reason` if aborted while waiting, else what `work` throws. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running < this.#limit) this.#running += 1;
    else await this.#wait(signal);
    try {
      return await work();
    } finally {
      // The place goes from hand to hand, so that a newcomer cannot take it before the one who waits.
      const next = this.#waiting.shift();
      if (next) next.enter();
      else this.#running -= 1;
    }
  }

  /** Rejects all that wait, for example because the connection is closed. */
  clear(reason: unknown): void {
    for (const waiter of this.#waiting.splice(0)) waiter.leave(reason);
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
        leave: (reason) => {
          signal?.removeEventListener('abort', aborted);
          reject(reason);
        },
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(waiter);
    });
  }
}
