import { GraphQLError } from 'graphql';
import type { Range, Slice } from '../events/pages.ts';
import { DEFAULT_PAGE_SIZE, LARGEST_PAGE } from './builder.ts';

/** Relay's arguments of a connection. */
export interface PageArguments {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** A list in the order of a unique key that never changes, so that a page's place stays whatever comes and goes. */
export interface List<Row, Key> {
  toCursor(row: Row): string;
  /** Null for what is no cursor of the list. */
  fromCursor(cursor: string): Key | null;
  read(slice: Slice<Key>): PromiseLike<readonly Row[]>;
  /** Whether the list has anything there. */
  has(range: Range<Key>): PromiseLike<boolean>;
  count?(): PromiseLike<number>;
}

interface Page<Row> {
  edges: { cursor: string; node: Row }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  totalCount: number;
}

/**
 * A page of a list by Relay's rules; `after` and `before` also work together. Each part is read when it is asked for.
 * @throws GraphQLError for arguments that cannot be used
 */
export function pageOf<Row, Key>(args: PageArguments, list: List<Row, Key>): Page<Row> {
  const { size, backwards } = sizeOf(args);
  const after = keyAt('after', args.after, list);
  const before = keyAt('before', args.before, list);
  const range = { ...(after !== null && { gt: after }), ...(before !== null && { lt: before }) };
  let reading: Promise<{ rows: Row[]; isMore: boolean }> | null = null;
  const read = () => {
    reading ??= (async () => {
      // One more than the page has, to know whether there is more.
      const found = await list.read({ range, backwards, take: size + 1 });
      const rows = found.slice(0, size);
      return { rows: backwards ? rows.reverse() : rows, isMore: found.length > size };
    })();
    return reading;
  };
  const has = async (bound: Range<Key> | null) => bound !== null && (await list.has(bound));
  // What lies at and beyond the cursors that the page is bounded by.
  const atBefore = before === null ? null : { gte: before };
  const atAfter = after === null ? null : { lte: after };
  const cursorOf = (row: Row | undefined) => (row === undefined ? null : list.toCursor(row));
  const infoOf = ({ rows, isMore }: { rows: Row[]; isMore: boolean }): Promised<Page<Row>['pageInfo']> => ({
    get hasNextPage() {
      return !backwards && isMore ? Promise.resolve(true) : has(atBefore);
    },
    get hasPreviousPage() {
      return backwards && isMore ? Promise.resolve(true) : has(atAfter);
    },
    startCursor: cursorOf(rows[0]),
    endCursor: cursorOf(rows.at(-1)),
  });
  const edgeOf = (node: Row) => ({
    node,
    // Made when it is asked for: most documents ask for nodes.
    get cursor() {
      return list.toCursor(node);
    },
  });
  const page: Promised<{ [Part in keyof Page<Row>]: unknown }> = {
    get edges() {
      return read().then(({ rows }) => rows.map(edgeOf));
    },
    get pageInfo() {
      return read().then(infoOf);
    },
    get totalCount() {
      return Promise.resolve(list.count?.() ?? Number.NaN);
    },
  };
  // GraphQL reads the properties that the document names, and waits for promises; the plugins' types know only values.
  return page as unknown as Page<Row>;
}

function sizeOf({ first, after, last, before }: PageArguments): { size: number; backwards: boolean } {
  if (first != null && last != null) throw badInput('Give first or last, not both.');
  for (const [name, value] of Object.entries({ first, last }))
    if (value != null && value < 0) throw badInput(`${name} must not be negative.`);
  const backwards = last != null || (first == null && after == null && before != null);
  return { size: Math.min(first ?? last ?? DEFAULT_PAGE_SIZE, LARGEST_PAGE), backwards };
}

function keyAt<Key>(
  name: string,
  cursor: string | null | undefined,
  list: Pick<List<never, Key>, 'fromCursor'>,
): Key | null {
  if (cursor == null) return null;
  return list.fromCursor(cursor) ?? notACursor(name);
}

/** @throws GraphQLError for the argument of this name */
export function notACursor(argument: string): never {
  throw badInput(`${argument} is not a cursor of this API.`);
}

function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

type Promised<T> = { [Name in keyof T]: T[Name] | Promise<T[Name]> };
