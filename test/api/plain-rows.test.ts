import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import {
  type Model,
  plainStatement,
  plainStatementOfEach,
  type RowsAsked,
  readRows,
  readRowsOfEach,
} from '../../src/db/plain-rows.ts';
import { getDatamodel } from '../../src/generated/pothos-types.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { openTestDatabase } from '../support/mission-control.ts';

// Lists and look-ups are read by statements of our own where they can be, and by Prisma's client else. Both have the same rows.

let database: Database;
let ids: Record<Model, string[]>;
let organizationId: string;

const KINDS = ['BOARD_LEAD', 'BOARD_WORKER', 'BOARD_WORKER', 'GATEWAY_MAIN'] as const;
const STATUSES = ['ACTIVE', 'IDLE', 'PAUSED'] as const;
const LIVENESS = ['ONLINE', 'LATE', 'UNKNOWN'] as const;

beforeAll(async () => {
  database = await openTestDatabase();
  const { prisma } = database;
  organizationId = (await prisma.organization.create({ data: { name: 'Test' } })).id;
  for (let g = 0; g < 3; g++) {
    const name = `Gateway "${g}"`;
    const gateway = await prisma.gateway.create({
      data: { organizationId, name, url: UNREACHABLE.url, workspaceRoot: '/srv', ...(g === 2 && leaving) },
    });
    const gatewayId = gateway.id;
    for (let b = 0; b < 3; b++) await addBoard(gatewayId, g, b);
  }
  const idsOf = async (rows: Promise<{ id: string }[]>) => (await rows).map(({ id }) => id);
  ids = {
    agent: await idsOf(prisma.agent.findMany()),
    board: await idsOf(prisma.board.findMany()),
    gateway: await idsOf(prisma.gateway.findMany()),
    task: await idsOf(prisma.task.findMany()),
  };
});
afterAll(() => database.close());

const leaving = { deletionRequestedAt: new Date('2030-01-01T00:00:00.001Z') };

async function addBoard(gatewayId: string, g: number, b: number): Promise<void> {
  const place = { organizationId, gatewayId };
  const board = await database.prisma.board.create({
    data: {
      ...place,
      name: `Bøard ${g} ${b}`,
      slug: `board-${g}-${b}`,
      maxAgents: b,
      ...(b === 1 && { successMetrics: { done: [1, null, 'ü'] }, targetDate: new Date('2031-02-03T04:05:06.789Z') }),
      ...(b === 2 && leaving),
    },
  });
  const tasks = await database.prisma.task.createManyAndReturn({
    data: [1, 2].map((t) => ({ organizationId, boardId: board.id, title: `Task ${t}`, description: 'a\nb\\c' })),
  });
  for (const [a, kind] of KINDS.entries()) {
    // A gateway has one main agent, and those that have left.
    const isLeaving = a === 3 && b > 0;
    await database.prisma.agent.create({
      data: {
        ...place,
        boardId: kind === 'GATEWAY_MAIN' ? null : board.id,
        kind,
        name: `Agent ${a}`,
        openclawAgentId: `mc-${g}-${b}-${a}`,
        workspacePath: `/srv/${a}`,
        status: isLeaving ? 'DELETED' : (STATUSES[(a + b) % STATUSES.length] ?? 'IDLE'),
        liveness: LIVENESS[(a + g) % LIVENESS.length] ?? 'UNKNOWN',
        isManaged: a !== 1,
        identityProfile: a === 2 ? { role: 'Ünïcode', list: ['x'] } : {},
        ...(a === 2 && { lastError: { message: 'no' }, lastSeenAt: new Date('2030-05-06T07:08:09.010Z') }),
        ...(a === 1 && { currentTaskId: tasks[0]?.id ?? null }),
        ...(isLeaving && leaving),
      },
    });
  }
}

const { models } = getDatamodel().datamodel;
const TYPES = ['String', 'Int', 'Boolean', 'DateTime', 'Json'];

function fieldsOf(table: string) {
  const fields = models[table]?.fields ?? [];
  const columns = fields.filter(({ kind, type, isList }) => !isList && (kind === 'enum' || TYPES.includes(type)));
  const relations = fields.filter(({ isList, relationFromFields = [] }) => !isList && relationFromFields.length === 1);
  const lists = fields.filter(({ type, isList }) => isList && ['Agent', 'Board', 'Task'].includes(type));
  return { columns: columns.map(({ name }) => name), relations, lists };
}

const tableOf = (model: Model) => `${model.charAt(0).toUpperCase()}${model.slice(1)}`;
const chosen = (names: string[]) =>
  fc.subarray(names).map((some) => Object.fromEntries(some.map((name) => [name, true])));

function selections(table: string): fc.Arbitrary<object> {
  const { columns, relations } = fieldsOf(table);
  const related = relations.map(({ name, type }) =>
    fc.option(
      chosen(fieldsOf(type).columns).map((select) => ({ [name]: { select: { ...select, id: true } } })),
      { nil: {} },
    ),
  );
  return fc
    .tuple(chosen(columns), ...related)
    .map(([own, ...others]) => Object.assign({ id: true }, own, ...(others as object[])));
}

function conditions(model: Model, table: string): fc.Arbitrary<object> {
  const { columns } = fieldsOf(table);
  const id = fc.constantFrom(...ids[model]);
  const ifThere = (name: string, arbitrary: fc.Arbitrary<unknown>) =>
    columns.includes(name) ? [arbitrary.map((wanted) => ({ [name]: wanted }))] : [];
  return fc
    .array(
      fc.oneof(
        fc.constant({}),
        fc.constant({ organizationId, name: undefined }),
        fc.record({ id: fc.oneof(id, fc.record({ in: fc.array(id) })) }),
        fc.record({ id: fc.record({ gt: id, lte: id }, { requiredKeys: [] }) }),
        fc.record({ id: fc.record({ gte: id, lt: id }, { requiredKeys: [] }) }),
        ...ifThere('deletionRequestedAt', fc.constantFrom(null, leaving.deletionRequestedAt)),
        ...ifThere('boardId', fc.constantFrom(...ids.board, ...(model === 'agent' ? [null] : []))),
        ...(columns.includes('boardId')
          ? [
              fc
                .constantFrom(...ids.gateway)
                .map((gatewayId) => ({ board: { gatewayId, AND: { deletionRequestedAt: null } } })),
            ]
          : []),
        ...ifThere('gatewayId', fc.constantFrom(...ids.gateway)),
        ...ifThere('isManaged', fc.boolean()),
        ...(model === 'agent' ? [fc.record({ status: fc.record({ in: fc.subarray([...STATUSES]) }) })] : []),
        ...ifThere('kind', fc.constantFrom(...KINDS)),
      ),
      { maxLength: 3 },
    )
    .map((AND) => ({ AND }));
}

function asked(model: Model, table: string): fc.Arbitrary<RowsAsked> {
  const order = fc.constantFrom('asc' as const, 'desc' as const).map((id) => ({ id }));
  return fc.record({
    where: conditions(model, table),
    select: selections(table),
    orderBy: order,
    take: fc.integer({ min: 0, max: 12 }),
  });
}

describe.each(['agent', 'board', 'gateway', 'task'] as const)('rows of %s', (model) => {
  const delegate = () => database.prisma[model] as unknown as { findMany(asked: object): Promise<{ id: string }[]> };

  it('are those of Prisma, in their order', async () => {
    await fc.assert(
      fc.asyncProperty(asked(model, tableOf(model)), async (one) => {
        expect(plainStatement(model, one)).not.toBeNull();
        expect(await readRows(database, model, one)).toEqual(await delegate().findMany(one));
      }),
      { numRuns: 60 },
    );
  });

  it('and so are the rows of their lists', async () => {
    for (const { name: relation, type } of fieldsOf(tableOf(model)).lists) {
      const of = { parents: model, relation };
      const child = type.toLowerCase() as Model;
      const some = fc.uniqueArray(fc.constantFrom(...ids[model]), { minLength: 1 });
      await fc.assert(
        fc.asyncProperty(some, asked(child, type), async (parents, one) => {
          expect(plainStatementOfEach(model, relation, parents, one)).not.toBeNull();
          const where = { id: { in: parents } };
          const rows = await delegate().findMany({ where, select: { id: true, [relation]: one } });
          const expected = rows.map((row) => [row.id, (row as unknown as Record<string, unknown>)[relation]] as const);
          expect(await readRowsOfEach(database, of, parents, one)).toEqual(new Map(expected));
        }),
        { numRuns: 30 },
      );
    }
  });
});

it.each<[string, Model, Partial<RowsAsked>]>([
  ['a part of a text', 'agent', { where: { name: { contains: 'gent 1', mode: 'insensitive' } } }],
  ['one of several conditions', 'agent', { where: { OR: [{ status: 'IDLE' }, { kind: 'BOARD_LEAD' }] } }],
  ['a condition on related rows', 'board', { where: { agents: { some: { status: 'IDLE' } } } }],
  ['a condition that a related row does not meet', 'task', { where: { board: { isNot: { maxAgents: 7 } } } }],
  ['a list of enums', 'agent', { select: { id: true, requests: true } }],
  ['a list of rows', 'board', { select: { id: true, agents: { select: { id: true }, orderBy: { id: 'asc' } } } }],
  [
    'rows two relations away',
    'agent',
    { select: { id: true, board: { select: { gateway: { select: { id: true } } } } } },
  ],
])('%s is left to Prisma', async (_what, model, given) => {
  const one = { where: {}, select: { id: true }, orderBy: { id: 'asc' as const }, ...given };
  expect(plainStatement(model, one)).toBeNull();
  const rows = await readRows(database, model, one);
  expect(rows.length).toBeGreaterThan(0);
});

it('parents that are not there have no rows', async () => {
  const missing = '00000000-0000-7000-8000-000000000000';
  const one = { where: {}, select: { id: true } };
  const read = (parents: string[]) => readRowsOfEach(database, { parents: 'board', relation: 'agents' }, parents, one);
  expect(await read([missing])).toEqual(new Map([[missing, []]]));
});
