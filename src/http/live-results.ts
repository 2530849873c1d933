import { type ExecutionArgs, type ExecutionResult, execute, print } from 'graphql';
import { LRUCache } from 'lru-cache';
import { rightsOf } from '../access/visibility.ts';
import { type FeedEvent, isNews, type Live } from '../events/feed-event.ts';
import type { FeedSubscription } from '../events/feed-subscription.ts';
import { SubscriptionOverflow, Topic } from '../events/topic.ts';
import type { Context } from '../schema/context.ts';
import { LiveGroup, type Member, Told } from './live-group.ts';
import { sharedVariables } from './shared-variables.ts';

/** A subscription that was accepted. */
export interface LiveOperation {
  args: ExecutionArgs & { contextValue: Context };
  feed: FeedSubscription;
  /** The result as this client may see it. */
  present: (result: ExecutionResult) => ExecutionResult;
}

/** Takes live results as JSON. @returns false when it cannot take any more for now */
export type Sink = (text: string) => boolean;

/** What is kept of results, for those who come back to what others have been told already. */
const KEPT_CHARACTERS = 16 * 1024 * 1024;
const KEPT_MS = 30_000;

/** Results that a reader may lag behind. */
const QUEUE_CAPACITY = 1_024;

/**
 * The results of subscriptions to the feed. An event is executed once for all who have asked for the same with the same
 * rights: for those to whom it comes live, and for those who come back soon after it.
 */
export class LiveResults {
  readonly #groups = new Map<string, LiveGroup>();
  readonly #underWay = new Map<string, Promise<Told>>();
  readonly #queues = new Set<QueuedMember>();
  readonly #kept: LRUCache<string, Told>;

  /** @param keptMs how long results are kept for those who come back, in milliseconds */
  constructor(keptMs = KEPT_MS) {
    this.#kept = new LRUCache({
      maxSize: KEPT_CHARACTERS,
      sizeCalculation: ({ text }, key) => text.length + key.length,
      ttl: keptMs,
      // Else what nobody can use any more stays until the room is needed: 80 MB, with the objects that the texts are made of.
      ttlAutopurge: true,
    });
  }

  /** Results that wait for those who read them. */
  get waiting(): number {
    let waiting = 0;
    for (const queue of this.#queues) waiting += queue.waiting;
    return waiting;
  }

  /** Results that are kept for those who come back. */
  get kept(): number {
    return this.#kept.size;
  }

  /**
   * The results in order.
   * @param sink where the live ones go; null: where the others go. With a sink the iteration gives none of them, and goes on
   *   until the subscription ends.
   * @throws SubscriptionOverflow while iterating, when the reader or the sink has fallen behind
   */
  follow(operation: LiveOperation, sink: Sink | null): AsyncGenerator<Told> {
    const key = keyOfSubscription(operation);
    return operation.feed.follow(
      (event) => this.#tell(key, operation, event),
      (seen) => this.#join(key, operation, sink === null ? new QueuedMember() : new DirectMember(sink, seen)),
    );
  }

  /** An agent in it is as it was after the event; what has changed since then comes with a later event. */
  #tell(key: string, operation: LiveOperation, event: FeedEvent): Promise<Told> {
    if (!event.isLogged) return executeFor(operation, event);
    const place = `${event.seq} ${key}`;
    const kept = this.#kept.get(place);
    if (kept) return Promise.resolve(kept);
    const known = this.#underWay.get(place);
    if (known) return known;
    const telling = executeFor(operation, event)
      .then((told) => {
        // A failure may have been of the moment.
        if (!told.result.errors) this.#kept.set(place, told);
        return told;
      })
      .finally(() => this.#underWay.delete(place));
    this.#underWay.set(place, telling);
    return telling;
  }

  #join(key: string, operation: LiveOperation, member: Member & { told: AsyncIterableIterator<Live<Told>> }) {
    const leaveGroup = this.#groupOf(key, operation).join(member);
    if (member instanceof QueuedMember) this.#queues.add(member);
    const leave = () => {
      leaveGroup();
      if (member instanceof QueuedMember) this.#queues.delete(member);
    };
    const { told } = member;
    return {
      next: () => told.next(),
      return() {
        leave();
        return told.return?.() ?? Promise.resolve({ value: undefined, done: true as const });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #groupOf(key: string, operation: LiveOperation): LiveGroup {
    const known = this.#groups.get(key);
    if (known) return known;
    const group = new LiveGroup({
      live: operation.feed.live(),
      execute: (event) => this.#tell(key, operation, event),
      onEnd: (ended) => {
        if (this.#groups.get(key) === ended) this.#groups.delete(key);
      },
    });
    this.#groups.set(key, group);
    return group;
  }
}

/** What has to be the same for the results to be the same. Where a subscription begins makes no difference to them. */
function keyOfSubscription({ args }: LiveOperation): string {
  const { document, operationName, contextValue } = args;
  const text = document.loc?.source.body ?? print(document);
  return JSON.stringify([text, operationName ?? null, sharedVariables(args), rightsOf(contextValue.viewer)]);
}

async function executeFor({ args, present }: LiveOperation, event: FeedEvent): Promise<Told> {
  // A context of its own for each event: what was loaded for one must not be taken for the next. What is read now was read
  // when the log had come to this event, at least.
  const contextValue = { ...args.contextValue, logPosition: event.seq };
  const executed = await execute({ ...args, rootValue: event, contextValue });
  const told = new Told(present(executed));
  origins.set(told.result, { seq: event.seq, told });
  return told;
}

const origins = new WeakMap<ExecutionResult, { seq: bigint; told: Told }>();

/** The event's place in the log that a result tells of, and what it was told as; null for results of other subscriptions. */
export function originOf(result: ExecutionResult): { seq: bigint; told: Told } | null {
  return origins.get(result) ?? null;
}

/** A member whose results wait in a queue until they are asked for. */
class QueuedMember implements Member {
  readonly #topic = new Topic<Live<Told>>(QUEUE_CAPACITY);
  readonly told = this.#topic.subscribe(() => true);

  get waiting(): number {
    return this.#topic.waiting;
  }

  tell(told: Live<Told>): void {
    this.#topic.publish(told);
  }

  end(error: Error | null): void {
    if (error) this.#topic.fail(error);
    else this.#topic.end();
  }
}

/** A member whose results go out at once; only its end is waited for. */
class DirectMember implements Member {
  readonly #sink: Sink;
  readonly #end = new Topic<Live<Told>>(0);
  readonly told = this.#end.subscribe(() => true);
  #seen: bigint;
  #isOver = false;

  constructor(sink: Sink, seen: bigint) {
    this.#sink = sink;
    this.#seen = seen;
  }

  tell(told: Live<Told>): void {
    if (this.#isOver || !isNews(told, this.#seen)) return;
    this.#seen = told.seq;
    if (!this.#sink(told.value.text)) this.end(new SubscriptionOverflow());
  }

  end(error: Error | null): void {
    this.#isOver = true;
    if (error) this.#end.fail(error);
    else this.#end.end();
  }
}
