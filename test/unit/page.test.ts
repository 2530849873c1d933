import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Range } from '../../src/events/pages.ts';
import { type List, type PageArguments, pageOf } from '../../src/schema/page.ts';

// The rules of pages against the plainest list there is. That lists of the database behave like it: test/api/paging.test.ts.

function listOf(numbers: ReadonlySet<number>): List<number, number> & { reads: number; looks: number } {
  const within = ({ gt, gte, lt, lte }: Range<number>) =>
    [...numbers]
      .sort((a, b) => a - b)
      .filter(
        (each) =>
          (gt === undefined || each > gt) &&
          (gte === undefined || each >= gte) &&
          (lt === undefined || each < lt) &&
          (lte === undefined || each <= lte),
      );
  return {
    reads: 0,
    looks: 0,
    toCursor: String,
    fromCursor: (cursor) => (/^\d+$/.test(cursor) ? Number(cursor) : null),
    async read({ range, backwards, take }) {
      this.reads += 1;
      const found = within(range);
      return (backwards ? found.reverse() : found).slice(0, take);
    },
    async has(range) {
      this.looks += 1;
      return within(range).length > 0;
    },
    count: async () => numbers.size,
  };
}

async function read(numbers: ReadonlySet<number>, args: PageArguments) {
  const page = pageOf(args, listOf(numbers));
  const { hasNextPage, hasPreviousPage, startCursor, endCursor } = await page.pageInfo;
  return {
    nodes: (await page.edges).map(({ node }) => node),
    cursors: (await page.edges).map(({ cursor }) => cursor),
    hasNextPage: await hasNextPage,
    hasPreviousPage: await hasPreviousPage,
    startCursor: await startCursor,
    endCursor: await endCursor,
    totalCount: await page.totalCount,
  };
}

const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 40 })).map((all) => new Set(all));
const cursor = fc.option(fc.integer({ min: 0, max: 40 }).map(String));
const size = fc.integer({ min: 0, max: 12 });
/** What comes and what goes between two pages. */
const changes = fc.array(fc.record({ add: fc.integer({ min: 0, max: 40 }), drop: fc.integer({ min: 0, max: 40 }) }));

describe('a page', () => {
  it('is what Relay’s rules say, for any arguments', async () => {
    await fc.assert(
      fc.asyncProperty(numbers, cursor, cursor, size, fc.boolean(), async (all, after, before, limit, backwards) => {
        const page = await read(all, { after, before, ...(backwards ? { last: limit } : { first: limit }) });
        const sorted = [...all].sort((a, b) => a - b);
        const between = sorted.filter(
          (each) => (after === null || each > Number(after)) && (before === null || each < Number(before)),
        );
        const nodes = backwards ? between.slice(Math.max(0, between.length - limit)) : between.slice(0, limit);
        expect(page.nodes).toEqual(nodes);
        expect(page.cursors).toEqual(nodes.map(String));
        expect(page.startCursor).toBe(page.cursors[0] ?? null);
        expect(page.endCursor).toBe(page.cursors.at(-1) ?? null);
        expect(page.totalCount).toBe(all.size);
        const [start, end] = [nodes[0], nodes.at(-1)];
        if (start !== undefined && end !== undefined) {
          expect(page.hasPreviousPage).toBe(sorted.some((each) => each < start));
          expect(page.hasNextPage).toBe(sorted.some((each) => each > end));
        } else {
          // An empty page has no place of its own: what counts are the cursors, and what it left out.
          const isMore = between.length > 0;
          const atAfter = after !== null && sorted.some((each) => each <= Number(after));
          const atBefore = before !== null && sorted.some((each) => each >= Number(before));
          expect(page.hasPreviousPage).toBe(atAfter || (backwards && isMore));
          expect(page.hasNextPage).toBe(atBefore || (!backwards && isMore));
        }
      }),
    );
  });

  it.each([
    ['forwards', 'hasNextPage', 'endCursor'],
    ['backwards', 'hasPreviousPage', 'startCursor'],
  ] as const)(
    'after page, read %s while entries come and go, brings what stays once and in order',
    async (direction, more, edge) => {
      await fc.assert(
        fc.asyncProperty(
          numbers,
          fc.array(changes),
          fc.integer({ min: 1, max: 5 }),
          async (before, meanwhile, limit) => {
            const now = new Set(before);
            const stayed = new Set(before);
            const seen: number[] = [];
            let at: string | null = null;
            for (let index = 0; ; index++) {
              const page = await read(
                now,
                direction === 'forwards' ? { first: limit, after: at } : { last: limit, before: at },
              );
              seen.push(...(direction === 'forwards' ? page.nodes : page.nodes.reverse()));
              if (!page[more]) break;
              at = page[edge];
              for (const { add, drop } of meanwhile[index] ?? []) {
                now.add(add);
                // What the cursor stands on goes as well as anything else.
                now.delete(drop);
                stayed.delete(drop);
              }
            }
            const inOrder = [...seen].sort((a, b) => (direction === 'forwards' ? a - b : b - a));
            expect(seen).toEqual(inOrder);
            expect(new Set(seen).size).toBe(seen.length);
            expect([...stayed].filter((each) => !seen.includes(each))).toEqual([]);
          },
        ),
      );
    },
  );

  it('is read when it is asked for, and once', async () => {
    const list = listOf(new Set([1, 2, 3]));
    const page = pageOf({ first: 1, after: '1' }, list);
    expect(await page.totalCount).toBe(3);
    expect(list).toMatchObject({ reads: 0, looks: 0 });
    expect(await page.edges).toEqual([{ cursor: '2', node: 2 }]);
    const pageInfo = await page.pageInfo;
    expect(await pageInfo.hasNextPage).toBe(true);
    expect(list).toMatchObject({ reads: 1, looks: 0 });
    expect(await pageInfo.hasPreviousPage).toBe(true);
    expect(list).toMatchObject({ reads: 1, looks: 1 });
  });

  it('has 50 entries by default, and 100 at most', async () => {
    const many = new Set(Array.from({ length: 150 }, (_, index) => index));
    expect((await read(many, {})).nodes).toHaveLength(50);
    expect((await read(many, { first: 1_000 })).nodes).toHaveLength(100);
    expect((await read(many, { before: '149' })).nodes.at(-1)).toBe(148);
    expect((await read(many, { last: 1_000 })).nodes.at(-1)).toBe(149);
  });

  it.each<[PageArguments, string]>([
    [{ first: 1, last: 1 }, 'Give first or last, not both.'],
    [{ first: -1 }, 'first must not be negative.'],
    [{ last: -1 }, 'last must not be negative.'],
    [{ after: 'x' }, 'after is not a cursor of this API.'],
    [{ before: '' }, 'before is not a cursor of this API.'],
  ])('is refused for %j', (args, message) => {
    expect(() => pageOf(args, listOf(new Set([1])))).toThrow(message);
  });
});
