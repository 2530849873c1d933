import type { Database } from '../db/database.ts';
import { heartbeatEvent } from './feed-event.ts';
import { FeedSubscription } from './feed-subscription.ts';
import { decodeHeartbeats, LIVE_CHANNEL, type LiveHeartbeat } from './live.ts';
import { lastSeq } from './log.ts';
import { type FeedFilter, OrganizationStream } from './organization-stream.ts';
import { type FeedStart, readKept, readPage, startSeq } from './replay.ts';

interface FeedLog {
  error(fields: object, message: string): void;
}

const LOG_CHANNEL = 'agent_events';
/** How often the log is looked at although nothing tells that it has grown. */
const LOOK_ANYWAY_MS = 5_000;
/** How long events are kept in memory for those who come back. */
const RECENT_MS = 60_000;

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
    if ('after' in start && start.after <= stream.lastSeq && stream.recent(start.after) !== null) return start.after;
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
