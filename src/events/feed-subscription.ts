import { endable } from './endable.ts';
import { type FeedEvent, isNews, type Live } from './feed-event.ts';
import type { FeedFilter, OrganizationStream } from './organization-stream.ts';

/** Events of one organization from a certain place on: for one reader, who may share the live part with others. */
export class FeedSubscription implements AsyncIterable<FeedEvent> {
  readonly #stream: OrganizationStream;
  readonly #start: bigint;
  readonly #filter: FeedFilter;
  readonly #read: (seq: bigint) => Promise<FeedEvent[]>;

  constructor(
    stream: OrganizationStream,
    start: bigint,
    filter: FeedFilter,
    read: (seq: bigint) => Promise<FeedEvent[]>,
  ) {
    this.#stream = stream;
    this.#start = start;
    this.#filter = filter;
    this.#read = read;
  }

  [Symbol.asyncIterator](): AsyncGenerator<FeedEvent> {
    const event = (value: FeedEvent) => Promise.resolve(value);
    return this.follow(event, () => this.live());
  }

  /** Events from now on. A reader that falls behind gets a SubscriptionOverflow. */
  live(): AsyncIterableIterator<Live<FeedEvent>> {
    return this.#stream.subscribe(this.#filter);
  }

  /**
   * What the log has, each made a value of by `tell`; then, from the moment on that `join` is called, what that gives.
   * Ending it ends the live part at once.
   */
  follow<T>(
    tell: (event: FeedEvent) => Promise<T>,
    join: (seen: bigint) => AsyncIterableIterator<Live<T>>,
  ): AsyncGenerator<T> {
    let live: AsyncIterableIterator<Live<T>> | null = null;
    let ended = false;
    const [stream, read] = [this.#stream, this.#read];
    const { wants } = this.#filter;
    let seen = this.#start;

    async function* logThenLive(): AsyncGenerator<T> {
      try {
        // What is published from here on comes after lastSeq: without a step in between, nothing falls between the two.
        for (let target = stream.lastSeq; seen < target; target = stream.lastSeq) {
          const page = await read(seen);
          for (const event of page) {
            if (ended) return;
            seen = event.seq;
            if (wants(event)) yield await tell(event);
          }
          if (page.length === 0) seen = target;
        }
        if (ended) return;
        live = join(seen);
        for await (const event of live) {
          if (!isNews(event, seen)) continue;
          seen = event.seq;
          yield event.value;
        }
      } finally {
        await live?.return?.();
      }
    }
    return endable(logThenLive(), () => {
      ended = true;
      return live?.return?.();
    });
  }
}
