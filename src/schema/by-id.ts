import type { GraphQLResolveInfo } from 'graphql';
import { LRUCache } from 'lru-cache';
import { isId } from '../fleet/validation.ts';
import { gather } from '../gather.ts';
import type { Agent, Board, Gateway, Task } from '../generated/prisma/client.ts';
import { selectionOf } from './batch.ts';
import type { Context } from './context.ts';

interface Models {
  agent: Agent;
  board: Board;
  gateway: Gateway;
  task: Task;
}

/** A model of the Prisma client. */
interface Rows {
  findMany(args: { where: { AND: object[] } }): PromiseLike<{ id: string }[]>;
}

type Reader = (id: string) => Promise<{ id: string } | null>;

/** Different selections of different viewers that are read in turns. */
const READERS = 1_000;
const readers = new WeakMap<object, LRUCache<string, Reader>>();

/**
 * The row with this id, when it meets the condition. Requests that come at the same time, each for another id, share a
 * statement when they ask for the same of it with the same rights.
 */
export async function rowById<Model extends keyof Models>(
  context: Context,
  info: GraphQLResolveInfo,
  model: Model,
  id: string,
  where: object,
): Promise<Models[Model] | null> {
  if (!isId(id)) return null;
  const query = selectionOf(context, info, { id: true });
  const { prisma } = context.fleet.database;
  const known = readers.get(prisma) ?? new LRUCache<string, Reader>({ max: READERS });
  readers.set(prisma, known);
  const key = JSON.stringify([model, query, where]);
  const rows: Rows = prisma[model] as unknown as Rows;
  const reader =
    known.get(key) ??
    gather(async (ids) => {
      const found = await rows.findMany({ ...query, where: { AND: [{ id: { in: filledUp(ids) } }, where] } });
      return new Map(found.map((row) => [row.id, row]));
    });
  known.set(key, reader);
  // Of the columns it has those that are asked for, which the plugin sees to.
  return (await reader(id.toLowerCase())) as Models[Model] | null;
}

/** As many as the next power of two, the last one again and again: so there are few statements, and those are kept prepared. */
function filledUp(ids: readonly string[]): string[] {
  const count = 2 ** Math.ceil(Math.log2(ids.length));
  return Array.from({ length: count }, (_, index) => ids[Math.min(index, ids.length - 1)] as string);
}
