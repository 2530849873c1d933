import type { ObjectRef } from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
import { type Model, type RowsAsked, readRows, readRowsOfEach } from '../db/plain-rows.ts';
import type { Range, Slice } from '../events/pages.ts';
import { isId } from '../fleet/validation.ts';
import { readTogether, selectionOf } from './batch.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import type { List } from './page.ts';

type Types = typeof builder.$inferSchemaTypes;

/** A connection type that several fields share, with a totalCount that is only counted when it is asked for. */
export function connectionObject<Shape>(name: string, type: ObjectRef<Types, Shape>, plural: string) {
  return builder.connectionObject(
    {
      type,
      name: `${name}Connection`,
      description: `A page of ${plural}.`,
      fields: (t) => ({
        totalCount: t.int({
          description: 'How many there are in all. Counted only when asked for.',
          // The pages of listOf and listOfEach have one; the relay plugin's type of a page does not know.
          resolve: (page) => (page as unknown as { totalCount: number }).totalCount,
        }),
      }),
    },
    { name: `${name}Edge`, description: `One of a page of ${plural}, with its cursor.` },
  );
}

/** The cursors of lists by id. Their form is that of the prisma plugin, which clients may have kept. */
export const ID_CURSORS = {
  toCursor: ({ id }: { id: string }) => Buffer.from(`GPC:S:${id}`).toString('base64'),
  fromCursor(cursor: string): string | null {
    const id = /^GPC:S:(.*)$/.exec(Buffer.from(cursor, 'base64').toString())?.[1] ?? '';
    return isId(id) ? id : null;
  },
};

/** The rows that meet a condition, oldest first. */
export function listOf(
  context: Context,
  info: GraphQLResolveInfo,
  model: Model,
  where: object,
): List<{ id: string }, string> {
  const { database } = context.fleet;
  const rows = database.prisma[model] as unknown as { count(args: object): PromiseLike<number> };
  return {
    ...ID_CURSORS,
    read: (slice) =>
      readRows(database, model, { ...partOf(where, slice), ...selectionOf(context, info, { id: true }, ENTRIES) }),
    has: async (range) =>
      (await readRows(database, model, { ...partOf(where, anyOf(range)), select: { id: true } })).length > 0,
    count: () => rows.count({ where }),
  };
}

/** Of one parent, the rows of a relation that meet a condition, oldest first; read together with those of other parents. */
export function listOfEach(
  context: Context,
  info: GraphQLResolveInfo,
  { id, ...of }: { parents: Model; id: string; relation: string },
  where: object,
): List<{ id: string }, string> {
  const { database } = context.fleet;
  const { parents, relation } = of;
  return {
    ...ID_CURSORS,
    async read(slice) {
      const asked = { ...partOf(where, slice), ...selectionOf(context, info, { id: true }, ENTRIES) };
      return (await readTogether(context, info, 'page', id, (ids) => readRowsOfEach(database, of, ids, asked))) ?? [];
    },
    async has(range) {
      const asked = { ...partOf(where, anyOf(range)), select: { id: true } };
      const what = Object.keys(range).join();
      const found = await readTogether(context, info, what, id, (ids) => readRowsOfEach(database, of, ids, asked));
      return (found ?? []).length > 0;
    },
    async count() {
      const counted = await readTogether(context, info, 'count', id, async (ids) => {
        const select = { id: true, _count: { select: { [relation]: { where } } } };
        const rows = await (database.prisma[parents] as unknown as Counted).findMany({
          where: { id: { in: [...ids] } },
          select,
        });
        return new Map(rows.map((row) => [row.id, row._count[relation] ?? 0]));
      });
      return counted ?? 0;
    },
  };
}

/** A model of the Prisma client whose rows have lists of others. */
interface Counted {
  findMany(args: object): PromiseLike<{ id: string; _count: Record<string, number> }[]>;
}

/** One row is enough to know that there are some. */
export function anyOf<Key>(range: Range<Key>): Slice<Key> {
  return { range, backwards: false, take: 1 };
}

function partOf(where: object, { range, backwards, take }: Slice<string>): Omit<RowsAsked, 'select'> {
  return { where: { AND: [where, { id: range }] }, orderBy: { id: backwards ? 'desc' : 'asc' }, take };
}

/** Where a connection has its entries. */
const ENTRIES = [['nodes'], ['edges', 'node']];
