import { expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { EventFeed } from '../../src/events/feed.ts';
import type { FeedEvent } from '../../src/events/feed-event.ts';
import { LIVE_CHANNEL } from '../../src/events/live.ts';

/** A log in memory whose reads and notifications come when the test says so. */
class Log {
  readonly rows: FeedEvent[] = [];
  /** The reads that wait; each is answered with what is there when it is let go. */
  readonly reads: (() => void)[] = [];
  held = false;
  readonly #listeners = new Map<string, (payload: string) => void>();

  readonly database = {
    listen: async (channel: string, onPayload: (payload: string) => void) => {
      this.#listeners.set(channel, onPayload);
      return async () => undefined;
    },
    prisma: {
      organization: { findUnique: async () => ({ eventsRemovedSeq: 0n, eventsRemovedAt: null }) },
      agentEvent: {
        aggregate: async () => ({ _max: { seq: this.rows.at(-1)?.seq ?? null } }),
        findMany: async ({ where, take }: { where: { seq: { gt: bigint } }; take: number }) => {
          if (this.held) await new Promise<void>((resolve) => this.reads.push(resolve));
          return this.rows.filter((row) => row.seq > where.seq.gt).slice(0, take);
        },
      },
    },
  } as unknown as Database;

  append(seq: bigint): void {
    this.rows.push({ seq, type: 'UPDATED' } as FeedEvent);
  }

  tell(channel: string, payload: string): void {
    this.#listeners.get(channel)?.(payload);
  }
}

const heartbeat = JSON.stringify([['o', 'a', null, 'g', 'IDLE', 'ONLINE', 0]]);

it('gives a reader that has read further than its process nothing twice, and no cursor before one that it has seen', async () => {
  const log = new Log();
  log.append(1n);
  const feed = new EventFeed(log.database, { error: (fields) => expect.fail(JSON.stringify(fields)) });
  await feed.start();
  const events = (await feed.subscribe('o', { after: 0n }, { wants: () => true }))[Symbol.asyncIterator]();

  // Two more are committed. The reader reads them for itself, while its process still waits for its own read.
  log.append(2n);
  log.append(3n);
  log.held = true;
  log.tell('agent_events', 'o');
  log.held = false;
  for (const seq of [1n, 2n, 3n]) expect((await events.next()).value?.seq).toBe(seq);
  const next = events.next();
  log.tell(LIVE_CHANNEL, heartbeat);

  // The process comes to them, too; for this reader they are no news. What follows is.
  for (const answer of log.reads.splice(0)) answer();
  log.append(4n);
  log.tell('agent_events', 'o');
  expect((await next).value?.seq).toBe(4n);
  const live = events.next();
  log.tell(LIVE_CHANNEL, heartbeat);
  expect((await live).value).toMatchObject({ type: 'HEARTBEAT', seq: 4n, isLogged: false });
  await events.return(undefined);
  await feed.stop();
});

it('ends a reader at once that waits', async () => {
  const log = new Log();
  const feed = new EventFeed(log.database, { error: (fields) => expect.fail(JSON.stringify(fields)) });
  await feed.start();
  const events = (await feed.subscribe('o', null, { wants: () => true }))[Symbol.asyncIterator]();
  const next = events.next();
  await events.return(undefined);
  expect(await next).toEqual({ value: undefined, done: true });
  await feed.stop();
});
