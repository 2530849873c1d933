import type { ExecutionResult } from 'graphql';
import type { FeedEvent, Live } from '../events/feed-event.ts';

/** What one event came to, for everybody who has asked for the same. */
export class Told {
  readonly result: ExecutionResult;
  #text: string | null = null;

  constructor(result: ExecutionResult) {
    this.result = result;
  }

  /** The result as JSON, which is made once, when somebody wants it. */
  get text(): string {
    this.#text ??= JSON.stringify(this.result);
    return this.#text;
  }
}

/** One of a group: told of each event in turn, and once of the end. */
export interface Member {
  tell(told: Live<Told>): void;
  /** @param error null when the server ends it */
  end(error: Error | null): void;
}

interface GroupOptions {
  live: AsyncIterableIterator<Live<FeedEvent>>;
  /** Executes the subscription's selection for an event. */
  execute: (event: FeedEvent) => Promise<Told>;
  /** No more members are to join: the last one has left, or the live events have ended. Can be called twice. */
  onEnd: (group: LiveGroup) => void;
}

/** Events whose selections are executed at the same time; they are told in their order all the same. */
const AT_ONCE = 8;

/**
 * Subscriptions with the same document, variables and rights. Their selection is executed once per event, not once per
 * subscriber: that was half of the cost of a delivery.
 */
export class LiveGroup {
  readonly #members = new Set<Member>();
  readonly #options: GroupOptions;

  constructor(options: GroupOptions) {
    this.#options = options;
    void this.#run();
  }

  /** From now on the member is told of every event. Answers with what lets it leave. */
  join(member: Member): () => void {
    this.#members.add(member);
    return () => {
      if (!this.#members.delete(member) || this.#members.size > 0) return;
      this.#options.onEnd(this);
      void this.#options.live.return?.();
    };
  }

  async #run(): Promise<void> {
    const error = await this.#tellAll();
    for (const member of this.#members) member.end(error);
    this.#members.clear();
  }

  /** @returns why it ended; null when the live events were ended */
  async #tellAll(): Promise<Error | null> {
    const { live, execute, onEnd } = this.#options;
    const underWay: Promise<void>[] = [];
    let failure: unknown = null;
    try {
      let before: Promise<void> = Promise.resolve();
      for await (const event of live) {
        before = this.#tellInTurn(before, execute(event.value), event);
        before.catch((error: unknown) => {
          failure ??= error;
          void live.return?.();
        });
        underWay.push(before);
        if (underWay.length >= AT_ONCE) await underWay.shift();
      }
    } catch (error) {
      failure ??= error;
    }
    onEnd(this);
    // What was under way when the live events ended is still told.
    await Promise.allSettled(underWay);
    return failure === null || failure instanceof Error ? failure : new Error(String(failure));
  }

  async #tellInTurn(before: Promise<void>, executed: Promise<Told>, event: Live<unknown>): Promise<void> {
    const [value] = await Promise.all([executed, before]);
    const told = { seq: event.seq, isLogged: event.isLogged, value };
    for (const member of this.#members) member.tell(told);
  }
}
