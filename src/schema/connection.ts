import type { ObjectRef } from '@pothos/core';
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
