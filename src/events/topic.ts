/** A value ended because its reader was too slow: it should resume after the last cursor it has seen. */
export class SubscriptionOverflow extends Error {
  override name = 'SubscriptionOverflow';
  readonly code = 'SUBSCRIPTION_OVERFLOW';

  constructor() {
    super('This subscription fell behind. Subscribe again after your last cursor.');
  }
}

/** Some values may have been missed, and are told nowhere else: its reader should read the objects again. */
export class SubscriptionGap extends Error {
  override name = 'SubscriptionGap';
  readonly code = 'SUBSCRIPTION_GAP';

  constructor() {
    super('Something may have been missed. Subscribe again, and then read again what you follow.');
  }
}

interface Subscriber<T> {
  readonly waiting: number;
  push(value: T): void;
  end(): void;
  fail(error: Error): void;
}

/**
 * In-process publish and subscribe whose slow subscribers cannot crash or bloat the server: each has a bounded queue,
 * and one that falls behind is ended with SubscriptionOverflow while the others go on.
 */
export class Topic<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  readonly #capacity: number;
  readonly #onEmpty: () => void;

  /**
   * @param capacity values a subscriber may lag behind before it is ended
   * @param onEmpty called when the last subscriber has left or was ended
   */
  constructor(capacity: number, onEmpty: () => void = () => undefined) {
    this.#capacity = capacity;
    this.#onEmpty = onEmpty;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Values that wait for their readers, of all subscribers. */
  get waiting(): number {
    let waiting = 0;
    for (const subscriber of this.#subscribers) waiting += subscriber.waiting;
    return waiting;
  }

  publish(value: T): void {
    for (const subscriber of this.#subscribers) subscriber.push(value);
  }

  /** Ends every subscription, after what it has queued. */
  end(): void {
    for (const subscriber of this.#subscribers) subscriber.end();
  }

  /** Ends every subscription with this error, after what it has queued. */
  fail(error: Error): void {
    for (const subscriber of this.#subscribers) subscriber.fail(error);
  }

  /** Values published from now on that `wants` accepts. */
  subscribe(wants: (value: T) => boolean): AsyncIterableIterator<T> {
    const queue: T[] = [];
    let waiting: PromiseWithResolvers<IteratorResult<T>> | null = null;
    let ended = false;
    let failure: Error | null = null;
    const subscribers = this.#subscribers;
    const capacity = this.#capacity;
    const onEmpty = this.#onEmpty;

    const finish = () => {
      ended = true;
      if (subscribers.delete(subscriber) && subscribers.size === 0) onEmpty();
      if (waiting && failure) waiting.reject(failure);
      else waiting?.resolve({ value: undefined, done: true });
      if (waiting) failure = null;
      waiting = null;
    };
    const subscriber: Subscriber<T> = {
      get waiting() {
        return queue.length;
      },
      push(value) {
        if (ended || !wants(value)) return;
        if (waiting) {
          waiting.resolve({ value, done: false });
          waiting = null;
        } else if (queue.length < capacity) {
          queue.push(value);
        } else {
          failure = new SubscriptionOverflow();
          queue.length = 0;
          finish();
        }
      },
      end: finish,
      fail(error) {
        failure = error;
        finish();
      },
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
