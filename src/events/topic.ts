/** A value ended because its reader was too slow: it should resume after the last cursor it has seen. */
export class SubscriptionOverflow extends Error {
  override name = 'SubscriptionOverflow';
  readonly code = 'SUBSCRIPTION_OVERFLOW';
}

interface Subscriber<T> {
  push(value: T): void;
  end(): void;
}

/**
 * In-process publish and subscribe whose slow subscribers cannot crash or bloat the server: each has a bounded queue,
 * and one that falls behind is ended with SubscriptionOverflow while the others go on.
 */
export class Topic<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  readonly #capacity: number;

  /** @param capacity values a subscriber may lag behind before it is ended */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  publish(value: T): void {
    for (const subscriber of this.#subscribers) subscriber.push(value);
  }

  /** Ends every subscription, after what it has queued. */
  end(): void {
    for (const subscriber of this.#subscribers) subscriber.end();
  }

  /** Values published from now on that `wants` accepts. */
  subscribe(wants: (value: T) => boolean): AsyncIterableIterator<T> {
    const queue: T[] = [];
    let waiting: PromiseWithResolvers<IteratorResult<T>> | null = null;
    let ended = false;
    let failure: Error | null = null;
    const subscribers = this.#subscribers;
    const capacity = this.#capacity;

    const finish = () => {
      ended = true;
      subscribers.delete(subscriber);
      waiting?.resolve({ value: undefined, done: true });
      waiting = null;
    };
    const subscriber: Subscriber<T> = {
      push(value) {
        if (ended || !wants(value)) return;
        if (waiting) {
          waiting.resolve({ value, done: false });
          waiting = null;
        } else if (queue.length < capacity) {
          queue.push(value);
        } else {
          failure = new SubscriptionOverflow('This subscription fell behind. Subscribe again after your last cursor.');
          queue.length = 0;
          finish();
        }
      },
      end: finish,
    };
    subscribers.add(subscriber);

    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next() {
        const value = queue.shift();
        if (value !== undefined) return Promise.resolve({ value, done: false });
        if (failure) {
          const error = failure;
          failure = null;
          return Promise.reject(error);
        }
        if (ended) return Promise.resolve({ value: undefined, done: true });
        waiting ??= Promise.withResolvers();
        return waiting.promise;
      },
      return() {
        queue.length = 0;
        finish();
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}
