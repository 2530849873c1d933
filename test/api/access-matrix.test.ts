import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { Heartbeat } from '../support/documents.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { type RawAnswer, rawRequest } from '../support/raw-request.ts';
import { storedFleet } from '../support/stored.ts';
import { asMarkdown } from './access-page.ts';
import { SUBSCRIPTIONS, subscribeAll } from './access-subscriptions.ts';
import { ACTORS, type ActorName, type Cell, MUTATIONS, QUERIES, type Row } from './access-table.ts';
import { createWorld, type World } from './access-world.ts';

const PAGE = new URL('../../docs/access.md', import.meta.url);

let mc: MissionControl;
let world: World;
beforeAll(async () => {
  mc = await startMissionControl();
  world = await createWorld(mc);
});
afterAll(() => mc.stop());

const ask = (row: Row, variables: object, token: string | null): Promise<RawAnswer> =>
  rawRequest(mc.url, { token, body: { query: row.query, variables } });

/** What came of it for the one who asked. Anything that is none of the three is the test's mistake, and fails it. */
function cellOf(row: Row, { body }: RawAnswer): Cell | string {
  const codes = new Set(body?.errors?.map(({ extensions }) => extensions?.code));
  if (codes.size > 1) return `several errors: ${[...codes].join(', ')}`;
  const [code] = codes;
  if (code === 'FORBIDDEN') return 'n';
  if (code === 'NOT_FOUND') return '-';
  if (code !== undefined) return row.yields?.includes(String(code)) ? 'y' : String(code);
  const [result] = Object.values(body?.data ?? {});
  if (row.lists) return idsOf(result).includes(row.lists(world)) ? 'y' : '-';
  if (result === null || (Array.isArray(result) && result.includes(null))) return '-';
  const { __typename: type } = result as { __typename?: string };
  if (type === 'NotFoundError') return '-';
  if (row.yields) return type !== undefined && row.yields.includes(type) ? 'y' : String(type);
  return type?.endsWith('Error') ? type : 'y';
}

function idsOf(list: unknown): string[] {
  const entries = Array.isArray(list) ? list : (list as { nodes: unknown[] }).nodes;
  return (entries as { id: string }[]).map(({ id }) => id);
}

const titleOf = ({ field, on }: Row) => (on ? `${field}: ${on}` : field);

describe.each([
  ['query', QUERIES],
  ['mutation', MUTATIONS],
] as const)('who may do each %s', (_kind, rows) => {
  it.each(rows.map((row) => [titleOf(row), row] as const))('%s', async (_title, row) => {
    const came = new Map<ActorName, Cell | string>();
    const actorsWith = (isSo: (cell: string) => boolean) => ACTORS.filter((_, index) => isSo(row.cells[index] ?? ''));
    const askFor = async (actor: ActorName, variables: object) =>
      came.set(actor, cellOf(row, await ask(row, variables, world.tokens[actor])));
    const variables = (await row.variables?.(world)) ?? {};
    const before = await storedFleet(mc);
    expect((await ask(row, variables, null)).status, 'without a token').toBe(401);
    for (const actor of actorsWith((cell) => cell !== 'y')) await askFor(actor, variables);
    expect(await storedFleet(mc), 'who may not, changes nothing').toEqual(before);
    for (const actor of actorsWith((cell) => cell === 'y')) await askFor(actor, (await row.variables?.(world)) ?? {});
    expect(Object.fromEntries(ACTORS.map((actor) => [actor, came.get(actor)]))).toEqual(
      Object.fromEntries(ACTORS.map((actor, index) => [actor, row.cells[index]])),
    );
  });
});

describe('who is told by each subscription', () => {
  it.each(SUBSCRIPTIONS.map((row) => [titleOf(row), row] as const))('%s', async (_title, row) => {
    const anonymous = await rawRequest(mc.url, {
      headers: { Accept: 'text/event-stream' },
      body: { query: row.query, variables: row.variables?.(world) },
    });
    expect(anonymous.status).toBe(401);
    const told = await subscribeAll(mc, world, row, {
      heartbeat: (id) => mc.owner.run(Heartbeat, { input: { id, status: 'IDLE' } }),
      foreignHeartbeat: (id) =>
        mc.as(world.tokens['OWNER of another organization']).run(Heartbeat, { input: { id, status: 'IDLE' } }),
    });
    expect(told).toEqual(Object.fromEntries(ACTORS.map((actor, index) => [actor, row.cells[index]])));
  });
});

describe('the table', () => {
  it('has every field of the schema', () => {
    const inTable = (rows: Row[]) => [...new Set(rows.map(({ field }) => field))].sort();
    const inSchema = (type: 'Query' | 'Mutation' | 'Subscription') => {
      const fields = {
        Query: schema.getQueryType(),
        Mutation: schema.getMutationType(),
        Subscription: schema.getSubscriptionType(),
      };
      return Object.keys(fields[type]?.getFields() ?? {}).sort();
    };
    expect(inTable(QUERIES)).toEqual(inSchema('Query'));
    expect(inTable(MUTATIONS)).toEqual(inSchema('Mutation'));
    expect(inTable(SUBSCRIPTIONS)).toEqual(inSchema('Subscription'));
  });

  it('is the one in docs/access.md, which `npx vitest run test/api/access-matrix.test.ts -u` writes', async () => {
    const page = await readFile(PAGE, 'utf8');
    await expect(asMarkdown(page)).toMatchFileSnapshot('../../docs/access.md');
  });
});
