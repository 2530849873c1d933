import { buildSchema, type ExecutionResult, parse } from 'graphql';
import { expect, test } from 'vitest';
import type { Viewer } from '../../src/access/viewer.ts';
import type { FeedEvent } from '../../src/events/feed-event.ts';
import { type LiveOperation, LiveResults } from '../../src/http/live-results.ts';
import { eventually } from '../support/eventually.ts';

const schema = buildSchema('type Query { no: Int } type Subscription { type: String }');
const viewer = { kind: 'OPERATOR', organizationId: 'o', role: 'OWNER' } as Viewer;

/** A subscription that comes back to these events, and ends. */
function comesBack(results: LiveResults, seqs: readonly bigint[]) {
  let executed = 0;
  const operation = {
    args: { schema, document: parse('subscription { type }'), contextValue: { viewer } },
    present: (result: ExecutionResult) => {
      executed++;
      return result;
    },
    feed: {
      async *follow(tell: (event: FeedEvent) => Promise<unknown>) {
        for (const seq of seqs) yield await tell({ seq, isLogged: true, type: `event ${seq}` } as unknown as FeedEvent);
      },
    },
  } as unknown as LiveOperation;
  return {
    executed: () => executed,
    async told(): Promise<unknown[]> {
      const types: unknown[] = [];
      for await (const { result } of results.follow(operation, null)) types.push(result.data?.type);
      return types;
    },
  };
}

test('results are kept a while for those who come back, and then are gone', async () => {
  const results = new LiveResults(1_000);
  const first = comesBack(results, [1n, 2n]);
  expect(await first.told()).toEqual(['event 1', 'event 2']);
  expect([first.executed(), results.kept]).toEqual([2, 2]);

  const second = comesBack(results, [2n, 3n]);
  expect(await second.told()).toEqual(['event 2', 'event 3']);
  expect([second.executed(), results.kept]).toEqual([1, 3]);

  await eventually(
    () => results.kept,
    (kept) => kept === 0,
  );
  const third = comesBack(results, [3n]);
  expect(await third.told()).toEqual(['event 3']);
  expect(third.executed()).toBe(1);
});
