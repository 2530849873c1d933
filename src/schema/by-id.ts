import type { GraphQLResolveInfo } from 'graphql';
import { LRUCache } from 'lru-cache';
import { readRows } from '../db/plain-rows.ts';
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
  const { database } = context.fleet;
  const known = readers.get(database) ?? new LRUCache<string, Reader>({ max: READERS });
  readers.set(database, known);
  const key = JSON.stringify([model, query, where]);
  const reader =
    known.get(key) ??
    gather(async (ids) => {
      const found = await readRows(database, model, {
        ...query,
        where: { AND: [{ id: { in: filledUp(ids) } }, where] },
      });
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
