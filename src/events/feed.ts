import type { Database } from '../db/database.ts';
import type { AgentEvent } from '../generated/prisma/client.ts';
import { decodeHeartbeats, LIVE_CHANNEL, type LiveHeartbeat } from './live.ts';
import { lastSeq, readEvents } from './log.ts';
import { Topic } from './topic.ts';

/** An event as subscribers get it. One that is not logged has the seq of the last logged event before it. */
export type FeedEvent = AgentEvent & { isLogged: boolean };

/** Where a subscription begins: now, after an event that the client has seen, or at an instant. */
export type FeedStart = { after: bigint } | { since: Date } | null;

interface FeedLog {
  error(fields: object, message: string): void;
}

const LOG_CHANNEL = 'agent_events';
const PAGE = 500;
/** Events a subscriber may lag behind: at 15 events per second a minute and more. */
const QUEUE_CAPACITY = 1_024;

/**
 * The events of organizations, as they are committed by any process: the log, then live, in one order, without a gap.
 * A notification only says that an organization's log has grown; what is new is read from the log.
 */
export class EventFeed {
  readonly #database: Database;
  readonly #log: FeedLog;
  readonly #opening = new Map<string, Promise<OrganizationStream>>();
  readonly #streams = new Map<string, OrganizationStream>();
  readonly #stops: (() => Promise<void>)[] = [];

  constructor(database: Database, log: FeedLog) {
    this.#database = database;
    this.#log = log;
  }

  async start(): Promise<void> {
    const readAll = () => {
      for (const organizationId of this.#streams.keys()) this.#readOn(organizationId);
    };
    this.#stops.push(
      await this.#database.listen(LOG_CHANNEL, (organizationId) => this.#readOn(organizationId), readAll),
      await this.#database.listen(LIVE_CHANNEL, (payload) => this.#publishLive(decodeHeartbeats(payload)), readAll),
    );
  }

  /** Ends all subscriptions and the listening. */
  async stop(): Promise<void> {
    for (const stream of this.#streams.values()) stream.topic.end();
    for (const stop of this.#stops) await stop();
  }

  /**
   * The organization's events from `start` on that `wants` accepts. When this has resolved, nothing that is committed
   * from then on is missed. A reader that falls behind gets a SubscriptionOverflow.
   */
  async subscribe(
    organizationId: string,
    start: FeedStart,
    wants: (event: FeedEvent) => boolean,
  ): Promise<AsyncGenerator<FeedEvent>> {
    const stream = await this.#stream(organizationId);
    let seen = await this.#startSeq(organizationId, start, stream);
    const read = (seq: bigint) => this.#page(organizationId, seq);
    return (async function* () {
      let live: AsyncIterableIterator<FeedEvent> | null = null;
      try {
        for (;;) {
          // The last page is read after joining the live events: what is committed in between comes twice rather
          // than not at all, and is left out the second time.
          const joined = live !== null;
          const page = await read(seen);
          for (const event of page) {
            seen = event.seq;
            if (wants(event)) yield event;
          }
          if (page.length === PAGE) continue;
          if (joined) break;
          live = stream.topic.subscribe(wants);
        }
        for await (const event of live ?? []) {
          if (event.seq > seen) seen = event.seq;
          else if (event.isLogged) continue;
          // One that is not logged may come from a moment before the last page: resuming after it must repeat nothing.
          yield event.seq < seen ? { ...event, seq: seen } : event;
        }
      } finally {
        await live?.return?.();
      }
    })();
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

  async #startSeq(organizationId: string, start: FeedStart, stream: OrganizationStream): Promise<bigint> {
    if (start === null) return stream.lastSeq;
    if ('after' in start) return start.after;
    const first = await this.#database.prisma.agentEvent.findFirst({
      where: { organizationId, at: { gte: start.since } },
      orderBy: { seq: 'asc' },
      select: { seq: true },
    });
    return first ? first.seq - 1n : stream.lastSeq;
  }

  async #page(organizationId: string, seq: bigint): Promise<FeedEvent[]> {
    const rows = await readEvents(this.#database.prisma, organizationId, seq, PAGE);
    return rows.map((row) => ({ ...row, isLogged: true }));
  }

  #readOn(organizationId: string): void {
    this.#streams
      .get(organizationId)
      ?.readOn((seq) => this.#page(organizationId, seq))
      .catch((error: unknown) => this.#log.error({ err: error, organizationId }, 'cannot read the event log'));
  }

  #publishLive(heartbeats: LiveHeartbeat[]): void {
    for (const heartbeat of heartbeats) {
      const stream = this.#streams.get(heartbeat.agent.organizationId);
      stream?.topic.publish(heartbeatEvent(heartbeat, stream.lastSeq));
    }
  }
}

/** What this process knows of one organization's log, and who follows it. */
class OrganizationStream {
  readonly topic = new Topic<FeedEvent>(QUEUE_CAPACITY);
  lastSeq: bigint;
  #reading = false;
  #again = false;

  constructor(lastSeq: bigint) {
    this.lastSeq = lastSeq;
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
          this.topic.publish(event);
        }
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
    isLogged: false,
  };
}
