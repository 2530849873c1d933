import type { Database } from '../db/database.ts';
import type { AgentEvent } from '../generated/prisma/client.ts';
import { endable } from './endable.ts';
import { decodeHeartbeats, LIVE_CHANNEL, type LiveHeartbeat } from './live.ts';
import { lastSeq } from './log.ts';
import { readKept, readPage, startSeq } from './replay.ts';
import { Topic } from './topic.ts';

/** An event as subscribers get it. One that is not logged has the seq of the last logged event before it. */
export type FeedEvent = AgentEvent & { isLogged: boolean };

/** Where a subscription begins: now, after an event that the client has seen, or at an instant. */
export type FeedStart = { after: bigint } | { since: Date } | null;

interface FeedLog {
  error(fields: object, message: string): void;
}

const LOG_CHANNEL = 'agent_events';
/** Events a subscriber may lag behind: at 15 events per second a minute and more. */
const QUEUE_CAPACITY = 1_024;
/** How often the log is looked at although nothing tells that it has grown. */
const LOOK_ANYWAY_MS = 5_000;
/**
 * What of a log is kept in memory, for those who come back: when a server dies, all of its subscribers resume elsewhere at
 * the same time.
 */
const RECENT_EVENTS = 1_024;
const RECENT_MS = 60_000;
const EVERYTHING = '*';

/** Which of an organization's events a subscription is about. */
export interface FeedFilter {
  /** The narrowest of these decides which events are looked at at all. */
  agentId?: string | null | undefined;
  boardId?: string | null | undefined;
  gatewayId?: string | null | undefined;
  wants: (event: FeedEvent) => boolean;
}

/**
 * The events of organizations, as they are committed by any process: the log, then live, in one order, without a gap.
 * A notification only says that an organization's log has grown; what is new is read from the log. So a notification
 * that is lost costs nothing but time: every few seconds the log is looked at without one.
 */
export class EventFeed {
  readonly #database: Database;
  readonly #log: FeedLog;
  readonly #opening = new Map<string, Promise<OrganizationStream>>();
  readonly #streams = new Map<string, OrganizationStream>();
  readonly #stops: (() => Promise<void>)[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(database: Database, log: FeedLog) {
    this.#database = database;
    this.#log = log;
  }

  async start(): Promise<void> {
    const readAll = () => {
      const longAgo = Date.now() - RECENT_MS;
      for (const [organizationId, stream] of this.#streams) {
        stream.forget((event) => event.at.getTime() < longAgo);
        this.#readOn(organizationId);
      }
    };
    this.#stops.push(
      await this.#database.listen(LOG_CHANNEL, (organizationId) => this.#readOn(organizationId), readAll),
      await this.#database.listen(LIVE_CHANNEL, (payload) => this.#publishLive(decodeHeartbeats(payload)), readAll),
    );
    this.#timer = setInterval(readAll, LOOK_ANYWAY_MS);
  }

  /** Ends all subscriptions and the listening. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    for (const stream of this.#streams.values()) stream.end();
    for (const stop of this.#stops) await stop();
  }

  /** Events that wait for those who read them, of all organizations. */
  get waiting(): number {
    let waiting = 0;
    for (const stream of this.#streams.values()) waiting += stream.waiting;
    return waiting;
  }

  /**
   * The organization's events from `start` on. When this has resolved, nothing that is committed from then on is missed.
   * @throws CursorExpired when what comes after `start` is not kept any more
   */
  async subscribe(organizationId: string, start: FeedStart, filter: FeedFilter): Promise<FeedSubscription> {
    const stream = await this.#stream(organizationId);
    const { prisma } = this.#database;
    const seen = await this.#seenBy(start, stream, organizationId);
    const read = async (seq: bigint) => stream.recent(seq) ?? readKept(prisma, organizationId, seq);
    return new FeedSubscription(stream, seen, filter, read);
  }

  async #seenBy(start: FeedStart, stream: OrganizationStream, organizationId: string): Promise<bigint> {
    if (start === null) return stream.lastSeq;
    if ('after' in start && stream.recent(start.after) !== null) return start.after;
    return startSeq(this.#database.prisma, organizationId, start);
  }

  #stream(organizationId: string): Promise<OrganizationStream> {
    const known = this.#opening.get(organizationId);
    if (known) return known;
    const opening = this.#open(organizationId);
    this.#opening.set(organizationId, opening);
    return opening;
  }

  async #open(organizationId: string): Promise<OrganizationStream> {
    try {
      const stream = new OrganizationStream(await lastSeq(this.#database.prisma, organizationId));
      this.#streams.set(organizationId, stream);
      // What was committed since that number was read and before the stream could be told.
      this.#readOn(organizationId);
      return stream;
    } catch (error) {
      this.#opening.delete(organizationId);
      throw error;
    }
  }

  #readOn(organizationId: string): void {
    this.#streams
      .get(organizationId)
      ?.readOn((seq) => readPage(this.#database.prisma, organizationId, seq))
      .catch((error: unknown) => this.#log.error({ err: error, organizationId }, 'cannot read the event log'));
  }

  #publishLive(heartbeats: LiveHeartbeat[]): void {
    for (const heartbeat of heartbeats) {
      const stream = this.#streams.get(heartbeat.agent.organizationId);
      stream?.publish(heartbeatEvent(heartbeat, stream.lastSeq));
    }
  }
}

/** A live event, or what was made of it for everybody who wants the same. */
export interface Live<T> {
  /** The event's place in the log. */
  seq: bigint;
  isLogged: boolean;
  value: T;
}

/** Not what a reader has read from the log before it was published here, nor an unkept heartbeat from before that. */
export function isNews({ seq, isLogged }: Omit<Live<unknown>, 'value'>, seen: bigint): boolean {
  return isLogged ? seq > seen : seq >= seen;
}

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

/** What this process knows of one organization's log, and who follows it. */
class OrganizationStream {
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

function heartbeatEvent({ agent, at }: LiveHeartbeat, seq: bigint): FeedEvent {
  return {
    seq,
    organizationId: agent.organizationId,
    agentId: agent.id,
    boardId: agent.boardId,
    gatewayId: agent.gatewayId,
    type: 'HEARTBEAT',
    at,
    status: agent.status,
    previousStatus: null,
    liveness: agent.liveness,
    stepName: null,
    stepOutcome: null,
    stepDetail: null,
    stepStartedAt: null,
    stepDurationMs: null,
    message: null,
    actorKind: null,
    actorId: null,
    actorName: null,
    actorCredential: null,
    isLogged: false,
  };
}
