import { type Db, Prisma } from '../db/database.ts';
import type { Activity, AgentEvent } from '../generated/prisma/client.ts';

/** Keys between bounds, as Prisma writes such a condition. */
export interface Range<Key> {
  gt?: Key;
  gte?: Key;
  lt?: Key;
  lte?: Key;
}

/** Part of a list in the order of a unique key. */
export interface Slice<Key> {
  range: Range<Key>;
  /** Taken from the end of the range, last one first. */
  backwards: boolean;
  take: number;
}

/** The same part of each of these agents' events, in one statement. */
export function eventsOfAgents(db: Db, agentIds: readonly string[], slice: Slice<bigint>): Promise<AgentEvent[]> {
  return partOfEach(db, Prisma.sql`"AgentEvent"`, Prisma.sql`"agentId"`, Prisma.sql`seq`, agentIds, slice);
}

/** The same part of what was done to each of these boards, or to each of these gateways, in one statement. */
export function activityOfEach(
  db: Db,
  column: 'boardId' | 'gatewayId',
  ids: readonly string[],
  slice: Slice<string>,
): Promise<Activity[]> {
  const owner = column === 'boardId' ? Prisma.sql`"boardId"` : Prisma.sql`"gatewayId"`;
  return partOfEach(db, Prisma.sql`"Activity"`, owner, Prisma.sql`id`, ids, slice);
}

/** Each owner's rows are found by an index on the owner and the key: no more is read than is answered. */
function partOfEach<Row>(
  db: Db,
  table: Prisma.Sql,
  owner: Prisma.Sql,
  key: Prisma.Sql,
  owners: readonly string[],
  { range, backwards, take }: Slice<bigint | string>,
): Promise<Row[]> {
  const bound = (operator: Prisma.Sql, value: bigint | string | undefined) => {
    if (value === undefined) return Prisma.empty;
    return typeof value === 'bigint'
      ? Prisma.sql`AND ${key} ${operator} ${value}`
      : Prisma.sql`AND ${key} ${operator} ${value}::uuid`;
  };
  return db.$queryRaw<Row[]>`
    SELECT part.* FROM unnest(${owners}::uuid[]) AS owner (id) CROSS JOIN LATERAL (
      SELECT * FROM ${table}
      WHERE ${owner} = owner.id
        ${bound(Prisma.sql`>`, range.gt)} ${bound(Prisma.sql`>=`, range.gte)}
        ${bound(Prisma.sql`<`, range.lt)} ${bound(Prisma.sql`<=`, range.lte)}
      ORDER BY ${key} ${backwards ? Prisma.sql`DESC` : Prisma.sql`ASC`}
      LIMIT ${take}
    ) AS part`;
}
