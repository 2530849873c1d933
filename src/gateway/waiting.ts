interface Waiter<T> {
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

/** Callers that wait for one outcome together, each with its own deadline and abort. */
export class Waiting<T> {
  readonly #waiters = new Set<Waiter<T>>();

  /** Waits for `resolve` or `reject`; rejects with `onTimeout()` after `timeoutMs`, or with `signal.reason` when aborted. */
  wait(timeoutMs: number, onTimeout: () => unknown, signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = { resolve, reject };
    const aborted = () => reject(signal?.reason);
    const deadline = setTimeout(() => reject(onTimeout()), timeoutMs);
    signal?.addEventListener('abort', aborted, { once: true });
    this.#waiters.add(waiter);
    return promise.finally(() => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', aborted);
      this.#waiters.delete(waiter);
    });
  }

  resolve(value: T): void {
    for (const waiter of this.#waiters) waiter.resolve(value);
  }

  reject(reason: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(reason);
  }
}
