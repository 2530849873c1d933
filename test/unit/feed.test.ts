import { expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { EventFeed, type FeedEvent } from '../../src/events/feed.ts';
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

it('gives a heartbeat that is not logged no cursor before one that the reader has seen', async () => {
  const log = new Log();
  log.append(1n);
  const feed = new EventFeed(log.database, { error: (fields) => expect.fail(JSON.stringify(fields)) });
  await feed.start();
  const events = await feed.subscribe('o', { after: 0n }, () => true);
  expect((await events.next()).value?.seq).toBe(1n);

  // Two more are committed. The reader reads them for itself, while the stream of this process still waits for its own read.
  log.append(2n);
  log.append(3n);
  log.held = true;
  log.tell('agent_events', 'o');
  log.held = false;
  expect((await events.next()).value?.seq).toBe(2n);
  expect((await events.next()).value?.seq).toBe(3n);
  const next = events.next();
  log.tell(LIVE_CHANNEL, heartbeat);
  expect((await next).value).toMatchObject({ type: 'HEARTBEAT', seq: 3n, isLogged: false });

  // The stream comes to them, too; for this reader they are no news. What follows is.
  for (const answer of log.reads.splice(0)) answer();
  log.append(4n);
  log.tell('agent_events', 'o');
  expect((await events.next()).value?.seq).toBe(4n);
  await events.return(undefined);
  await feed.stop();
});
