import type { ObjectRef } from '@pothos/core';
import { GraphQLError } from 'graphql';
import { isId } from '../fleet/validation.ts';
import { builder } from './builder.ts';

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
          // The prisma plugin puts a function there for a root field and the number for a relation.
          resolve: (page) => {
            const { totalCount } = page as unknown as { totalCount: number | (() => Promise<number>) };
            return typeof totalCount === 'function' ? totalCount() : totalCount;
          },
        }),
      }),
    },
    { name: `${name}Edge`, description: `One of a page of ${plural}, with its cursor.` },
  );
}

interface CursorArguments {
  after?: string | null | undefined;
  before?: string | null | undefined;
}

/**
 * The condition of a page in a list by id. Prisma's own cursors need the entry at the cursor: when it has left the list
 * since, they leave out the one behind it, and when its row is gone, all the rest.
 */
export function beyondCursor({ after, before }: CursorArguments): { id?: { gt?: string; lt?: string } } {
  const id = {
    ...(after != null && { gt: idAt('after', after) }),
    ...(before != null && { lt: idAt('before', before) }),
  };
  return Object.keys(id).length > 0 ? { id } : {};
}

/** What is left of the plugin's query beside beyondCursor. */
export function withoutCursor<Query extends { cursor?: unknown; skip?: unknown }>(query: Query) {
  const { cursor: _cursor, skip: _skip, ...rest } = query;
  return rest;
}

/** The prisma plugin makes cursors of this form, and would give anything of it to the database. */
function idAt(argument: string, cursor: string): string {
  const id = /^GPC:S:(.*)$/.exec(Buffer.from(cursor, 'base64').toString())?.[1] ?? '';
  if (isId(id)) return id;
  throw new GraphQLError(`${argument} is not a cursor of this API.`, { extensions: { code: 'BAD_USER_INPUT' } });
}

/** For lists of a parent, whose cursors are left to Prisma. @throws GraphQLError when one is no cursor */
export function checkCursors(args: CursorArguments): void {
  beyondCursor(args);
}
