import type { ObjectRef } from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
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

interface PartOfRows<Where> {
  where: { AND: [Where, { id: Range<string> }] };
  orderBy: { id: 'asc' | 'desc' };
  take: number;
}

/** A model of the Prisma client. */
interface Rows<Where> {
  findMany(args: PartOfRows<Where> & { select: { id: true } }): PromiseLike<{ id: string }[]>;
  count(args: { where: Where }): PromiseLike<number>;
}

/** The rows that meet a condition, oldest first. */
export function listOf<Where>(
  context: Context,
  info: GraphQLResolveInfo,
  rows: Rows<Where>,
  where: Where,
): List<{ id: string }, string> {
  return {
    ...ID_CURSORS,
    read: (slice) => rows.findMany({ ...partOf(where, slice), ...selectionOf(context, info, { id: true }, ENTRIES) }),
    has: async (range) => (await rows.findMany({ ...partOf(where, anyOf(range)), select: { id: true } })).length > 0,
    count: () => rows.count({ where }),
  };
}

/** A model of the Prisma client whose rows have lists of others. */
interface Parents {
  findMany(args: { where: { id: { in: string[] } }; select: Record<string, unknown> }): PromiseLike<unknown[]>;
}

/** Of one parent, the rows of a relation that meet a condition, oldest first; read together with those of other parents. */
export function listOfEach<Where>(
  context: Context,
  info: GraphQLResolveInfo,
  { parents, id, relation }: { parents: Parents; id: string; relation: string },
  where: Where,
): List<{ id: string }, string> {
  const select = async (ids: readonly string[], selected: Record<string, unknown>) =>
    // What is selected is known here only by name.
    (await parents.findMany({ where: { id: { in: [...ids] } }, select: { id: true, ...selected } })) as ({
      id: string;
      _count: Record<string, number>;
    } & Record<string, { id: string }[]>)[];
  const part = (ids: readonly string[], query: object) =>
    select(ids, { [relation]: query }).then((rows) => new Map(rows.map((row) => [row.id, row[relation] ?? []])));
  return {
    ...ID_CURSORS,
    async read(slice) {
      const query = { ...partOf(where, slice), ...selectionOf(context, info, { id: true }, ENTRIES) };
      return (await readTogether(context, info, 'page', id, (ids) => part(ids, query))) ?? [];
    },
    async has(range) {
      const query = { ...partOf(where, anyOf(range)), select: { id: true } };
      const found = await readTogether(context, info, Object.keys(range).join(), id, (ids) => part(ids, query));
      return (found ?? []).length > 0;
    },
    async count() {
      const counted = await readTogether(context, info, 'count', id, async (ids) => {
        const rows = await select(ids, { _count: { select: { [relation]: { where } } } });
        return new Map(rows.map((row) => [row.id, row._count[relation] ?? 0]));
      });
      return counted ?? 0;
    },
  };
}

/** One row is enough to know that there are some. */
export function anyOf<Key>(range: Range<Key>): Slice<Key> {
  return { range, backwards: false, take: 1 };
}

function partOf<Where>(where: Where, { range, backwards, take }: Slice<string>): PartOfRows<Where> {
  return { where: { AND: [where, { id: range }] }, orderBy: { id: backwards ? 'desc' : 'asc' }, take };
}

/** Where a connection has its entries. */
const ENTRIES = [['nodes'], ['edges', 'node']];
