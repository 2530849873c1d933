import type { FeedEvent, Live } from './feed-event.ts';
import { Topic } from './topic.ts';

/** Events a subscriber may lag behind: at 15 events per second a minute and more. */
const QUEUE_CAPACITY = 1_024;
/**
 * What of a log is kept in memory, for those who come back: when a server dies, all of its subscribers resume elsewhere at
 * the same time.
 */
const RECENT_EVENTS = 1_024;
const EVERYTHING = '*';

/** Which of an organization's events a subscription is about. */
export interface FeedFilter {
  /** The narrowest of these decides which events are looked at at all. */
  agentId?: string | null | undefined;
  boardId?: string | null | undefined;
  gatewayId?: string | null | undefined;
  wants: (event: FeedEvent) => boolean;
}

/** What this process knows of one organization's log, and who follows it. */
export class OrganizationStream {
  /** By what a subscription is about: everything, an agent, a board or a gateway. */
  readonly #topics = new Map<string, Topic<Live<FeedEvent>>>();
  lastSeq: bigint;
  /** All that the log has after `#recentAfter`, up to `lastSeq`. */
  readonly #recent: FeedEvent[] = [];
  #recentAfter: bigint;
  #reading = false;
  #again = false;

  constructor(lastSeq: bigint) {
    this.lastSeq = lastSeq;
    this.#recentAfter = lastSeq;
  }

  /** What comes after `seq`; null when that is not known here any more, and has to be read from the log. */
  recent(seq: bigint): FeedEvent[] | null {
    if (seq < this.#recentAfter) return null;
    const start = this.#recent.findLastIndex((event) => event.seq <= seq) + 1;
    return this.#recent.slice(start);
  }

  /** Drops what is so from the old end of what is kept of the log. */
  forget(isSo: (event: FeedEvent) => boolean): void {
    const kept = this.#recent.findIndex((event) => !isSo(event));
    const dropped = this.#recent.splice(0, kept === -1 ? this.#recent.length : kept);
    this.#recentAfter = dropped.at(-1)?.seq ?? this.#recentAfter;
  }

  subscribe({ agentId, boardId, gatewayId, wants }: FeedFilter): AsyncIterableIterator<Live<FeedEvent>> {
    const about = agentId ?? boardId ?? gatewayId ?? EVERYTHING;
    const topic =
      this.#topics.get(about) ?? new Topic<Live<FeedEvent>>(QUEUE_CAPACITY, () => this.#topics.delete(about));
    this.#topics.set(about, topic);
    return topic.subscribe(({ value }) => wants(value));
  }

  get waiting(): number {
    let waiting = 0;
    for (const topic of this.#topics.values()) waiting += topic.waiting;
    return waiting;
  }

  publish(event: FeedEvent): void {
    const live = { seq: event.seq, isLogged: event.isLogged, value: event };
    for (const about of [event.agentId, event.boardId, event.gatewayId, EVERYTHING]) {
      if (about !== null) this.#topics.get(about)?.publish(live);
    }
  }

  end(): void {
    for (const topic of this.#topics.values()) topic.end();
  }

  /** Publishes what the log has beyond lastSeq. A call during another makes that one look once more. */
  async readOn(read: (seq: bigint) => Promise<FeedEvent[]>): Promise<void> {
    this.#again = true;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#again) {
        this.#again = false;
        const events = await read(this.lastSeq);
        for (const event of events) {
          this.lastSeq = event.seq;
          this.#recent.push(event);
          this.publish(event);
        }
        const excess = this.#recent.length - RECENT_EVENTS;
        const first = excess > 0 ? this.#recent[excess] : undefined;
        if (first) this.forget(({ seq }) => seq < first.seq);
        if (events.length > 0) this.#again = true;
      }
    } finally {
      this.#reading = false;
    }
  }
}
