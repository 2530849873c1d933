import type { Db } from '../db/database.ts';
import type { AgentEvent } from '../generated/prisma/client.ts';
import type { FeedEvent } from './feed-event.ts';
import { lastSeq, readEvents } from './log.ts';

/** Where a subscription begins: now, after an event that the client has seen, or at an instant. */
export type FeedStart = { after: bigint } | { since: Date } | null;

/** What comes after a cursor or an instant is not kept any more, at least in part: nobody can follow on from there. */
export class CursorExpired extends Error {
  override name = 'CursorExpired';
  readonly code = 'CURSOR_EXPIRED';

  constructor() {
    super('What happened after this is not kept any more. Read the list afresh, and follow from its eventCursor.');
  }
}

/** Events that are read at a time. */
const PAGE = 500;

/** The events that come after `seq`, at most PAGE. */
export async function readPage(db: Db, organizationId: string, seq: bigint): Promise<FeedEvent[]> {
  const rows = await readEvents(db, organizationId, seq, PAGE);
  return rows.map((row: AgentEvent) => ({ ...row, isLogged: true }));
}

/** The same, with nothing left out. @throws CursorExpired */
export async function readKept(db: Db, organizationId: string, seq: bigint): Promise<FeedEvent[]> {
  const page = await readPage(db, organizationId, seq);
  // Asked afterwards: what was removed before the page was read is known by now.
  if (seq < (await removedOf(db, organizationId)).seq) throw new CursorExpired();
  return page;
}

/** The number of the event after which `start` begins. @throws CursorExpired */
export async function startSeq(db: Db, organizationId: string, start: NonNullable<FeedStart>): Promise<bigint> {
  const removed = await removedOf(db, organizationId);
  if ('after' in start) {
    // The log of a backup that was put back ends before what clients have seen.
    if (start.after < removed.seq || start.after > (await lastSeq(db, organizationId))) throw new CursorExpired();
    return start.after;
  }
  if (removed.at !== null && start.since <= removed.at) throw new CursorExpired();
  const last = await lastSeq(db, organizationId);
  const first = await db.agentEvent.findFirst({
    where: { organizationId, at: { gte: start.since } },
    orderBy: { seq: 'asc' },
    select: { seq: true },
  });
  return first ? first.seq - 1n : last;
}

/** Up to where an organization's log has been pruned; 0 and null when it is whole. */
async function removedOf(db: Db, id: string): Promise<{ seq: bigint; at: Date | null }> {
  const organization = await db.organization.findUnique({
    where: { id },
    select: { eventsRemovedSeq: true, eventsRemovedAt: true },
  });
  return { seq: organization?.eventsRemovedSeq ?? 0n, at: organization?.eventsRemovedAt ?? null };
}
