import { queryFromInfo } from '@pothos/plugin-prisma';
import DataLoader from 'dataloader';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';
import { columnsAskedFor, ITSELF } from './loaded-columns.ts';

const loaders = new WeakMap<Context, Map<string, DataLoader<string, unknown>>>();

/**
 * Reads something for an entry of a list together with the same thing for the list's other entries: those that ask at one
 * place of the document share one call of `read`. Nothing is remembered, so each event of a subscription reads afresh.
 * @param what tells apart what is read at one place
 * @param key which one, for example the id of the entry
 * @returns null when `read` has found nothing for the key
 */
export async function readTogether<Value>(
  context: Context,
  info: GraphQLResolveInfo,
  what: string,
  key: string,
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): Promise<Value | null> {
  const known = loaders.get(context) ?? new Map<string, DataLoader<string, unknown>>();
  loaders.set(context, known);
  const place = `${what} ${placeOf(info)}`;
  // Entries at one place have the same arguments and selection, so the first one's `read` does for all.
  const loader =
    known.get(place) ??
    new DataLoader<string, unknown>(
      async (keys) => {
        const found = await read([...new Set(keys)]);
        return keys.map((each) => found.get(each) ?? null);
      },
      { cache: false },
    );
  known.set(place, loader);
  return (await loader.load(key)) as Value | null;
}

/**
 * The columns and relations that the document asks for of a field's objects, besides `columns`. Call it for each field,
 * also of those that read together: the prisma plugin notes for each that its objects will have them.
 * @param paths from the field to its objects, when they are not what it answers with itself
 */
export function selectionOf<Columns extends Record<string, true>>(
  context: Context,
  info: GraphQLResolveInfo,
  columns: Columns,
  paths: readonly string[][] = ITSELF,
): { select: Columns } {
  const asked = columnsAskedFor(info, paths);
  if (asked) return { select: { ...columns, ...asked } };
  // All types of the schema that have rows are selected from by columns. For a type parameter the plugin's type stays open.
  return queryFromInfo({ context, info, select: columns, paths: [...paths] }) as { select: Columns };
}

/** A field's place in the document: its path in the result without the numbers of lists. */
function placeOf({ path, parentType }: GraphQLResolveInfo): string {
  const names = [];
  for (let step: GraphQLResolveInfo['path'] | undefined = path; step; step = step.prev)
    if (typeof step.key === 'string') names.push(step.key);
  return `${parentType.name} ${names.join(' ')}`;
}
