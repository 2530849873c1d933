import type { SqlQuery } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import type { AgentFilter } from '../../src/generated/client/graphql.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const FilteredAgents = graphql(`
  query FilteredAgents($filter: AgentFilter, $after: String) {
    agents(filter: $filter, after: $after) { nodes { id name status liveness } pageInfo { hasNextPage hasPreviousPage endCursor } }
  }
`);
const CountedAgents = graphql(`query CountedAgents($filter: AgentFilter) { agents(filter: $filter) { totalCount } }`);
const AgentsOfBoards = graphql(`
  query AgentsOfBoards($filter: AgentFilter) {
    boards(first: 20) { nodes { lead { id } agents(first: 5, filter: $filter) { nodes { id events(last: 3) { nodes { type } } } } } }
  }
`);
const AgentsOfGateways = graphql(`
  query AgentsOfGateways($filter: AgentFilter) {
    gateways { nodes { mainAgent { id } agents(first: 5, filter: $filter) { nodes { id } } } }
  }
`);

const AGENTS = 100_000;
/** Of three organizations the first has three fifths of them, on 20 gateways and 1,000 boards. */
const FLEET = `
  INSERT INTO "Organization" (id, name)
    SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'Other ' || n FROM generate_series(1, 2) n;
  INSERT INTO "Gateway" (id, "organizationId", name, url, "workspaceRoot", "updatedAt")
    SELECT gen_random_uuid(), o.id, 'Gateway ' || n, 'ws://127.0.0.1:1', '/srv', now()
    FROM "Organization" o, generate_series(1, 20) n;
  INSERT INTO "Board" (id, "organizationId", "gatewayId", name, slug, "updatedAt")
    SELECT gen_random_uuid(), g."organizationId", g.id, 'Board', g.id || '-' || n, now()
    FROM "Gateway" g, generate_series(1, 50) n;
  INSERT INTO "Agent" (id, "organizationId", "gatewayId", "boardId", kind, name, status, liveness, "isManaged",
                       "openclawAgentId", "workspacePath", "heartbeatIntervalSeconds", "lastSeenAt", "updatedAt")
    SELECT gen_random_uuid(), b."organizationId", b."gatewayId", b.id,
           CASE WHEN n <= 3000 THEN 'BOARD_LEAD' ELSE 'BOARD_WORKER' END::"AgentKind",
           CASE WHEN n % 9973 = 0 THEN 'Zebra ' || n ELSE 'Worker ' || n END,
           CASE WHEN n % 4999 = 0 THEN 'PAUSED' WHEN n % 10 = 0 THEN 'ACTIVE' ELSE 'IDLE' END::"AgentStatus",
           CASE WHEN n % 4001 = 0 THEN 'OFFLINE' WHEN n % 20 = 0 THEN 'LATE' ELSE 'ONLINE' END::"Liveness",
           n % 7993 <> 0, 'mc-' || n, '/srv/' || n, 86400, now(), now()
    FROM generate_series(1, ${AGENTS}) n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS number FROM "Board") b
      -- Each board has its lead; of the other agents the first organization's boards have three fifths.
      ON b.number = n % 3000;
  INSERT INTO "Agent" (id, "organizationId", "gatewayId", kind, name, "openclawAgentId", "workspacePath", "updatedAt")
    SELECT gen_random_uuid(), "organizationId", id, 'GATEWAY_MAIN', 'Gateway agent', 'main', '/srv/main', now() FROM "Gateway";
  ANALYZE`;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

const postgres = inject('postgres');

describe.skipIf(postgres === null)('without the right to create extensions', () => {
  it('the database is set up all the same, and agents are searched without an index', async () => {
    const admin = new pg.Client({ connectionString: `${postgres}/postgres` });
    await admin.connect();
    await admin.query('CREATE ROLE plain LOGIN');
    await admin.query('CREATE DATABASE without_extensions');
    await admin.end();
    const url = new URL(`${postgres}/without_extensions`);
    const owner = new pg.Client({ connectionString: url.href });
    await owner.connect();
    await owner.query('GRANT ALL ON SCHEMA public TO plain');
    await owner.end();
    url.username = 'plain';
    const database = await openDatabase({ dataDir: '', databaseUrl: url.href });
    const indexes = await database.prisma.$queryRaw<{ indexname: string }[]>`
      SELECT indexname FROM pg_indexes WHERE tablename = 'Agent'`;
    expect(indexes.map(({ indexname }) => indexname)).toContain('Agent_adopted_idx');
    expect(indexes.map(({ indexname }) => indexname)).not.toContain('Agent_name_search_idx');
    expect(await database.prisma.agent.count({ where: { name: { contains: 'x', mode: 'insensitive' } } })).toBe(0);
    await database.close();
  });
});

describe.skipIf(postgres === null)(`among ${AGENTS.toLocaleString('en')} agents`, () => {
  let mc: MissionControl;
  let database: pg.Client;
  const ids = { gateway: '', board: '' };

  beforeAll(async () => {
    mc = await startMissionControl();
    const [{ name } = { name: '' }] = await mc.prisma.$queryRaw<{ name: string }[]>`SELECT current_database() AS name`;
    database = new pg.Client({ connectionString: `${postgres}/${name}` });
    await database.connect();
    await database.query(FLEET);
    const first = await mc.prisma.organization.findFirstOrThrow({ where: { name: 'Default' } });
    const board = await mc.prisma.board.findFirstOrThrow({ where: { organizationId: first.id } });
    Object.assign(ids, { board: board.id, gateway: board.gatewayId });
  }, 120_000);
  afterAll(async () => {
    await database.end();
    await mc.stop();
  });

  /** How each statement that the operations issue on agents is done. */
  async function plansOf(run: () => Promise<unknown>) {
    const statements = await mc.statements.during(run);
    const ofAgents = statements.filter(({ sql }) => /"Agent(Event)?"/.test(sql));
    expect(ofAgents).not.toEqual([]);
    const plans = [];
    for (const statement of ofAgents) plans.push({ sql: statement.sql, root: await planOf(statement) });
    return plans;
  }

  async function planOf({ sql, args }: SqlQuery): Promise<PlanNode> {
    const { rows } = await database.query({ text: `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, values: args });
    return rows[0]['QUERY PLAN'][0].Plan;
  }

  function nodesOf(node: PlanNode): PlanNode[] {
    return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
  }

  /** Nothing reads the table from end to end, nor much more of it than the answer has. */
  function expectInProportion({ sql, root }: { sql: string; root: PlanNode }, allowed: number): void {
    const onAgents = nodesOf(root).filter((node) => node['Relation Name'] === 'Agent');
    const told = `${sql}\n${JSON.stringify(root, null, 1)}`;
    expect(
      onAgents.map((node) => node['Node Type']),
      told,
    ).not.toContain('Seq Scan');
    const read = onAgents
      .map(
        (node) =>
          (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
          node['Actual Loops'],
      )
      .reduce((sum, rows) => sum + rows, 0);
    expect(read, told).toBeLessThanOrEqual(allowed);
  }

  const filters: [string, () => AgentFilter | null][] = [
    ['no filter', () => null],
    ['a rare status', () => ({ status: ['PAUSED'] })],
    ['a frequent status', () => ({ status: ['IDLE'] })],
    ['rare and frequent statuses', () => ({ status: ['PAUSED', 'ACTIVE', 'IDLE'] })],
    ['rare statuses', () => ({ status: ['PAUSED', 'READY', 'PROVISIONING'] })],
    ['a status that none has', () => ({ status: ['READY'] })],
    ['a rare liveness', () => ({ liveness: ['OFFLINE'] })],
    ['a frequent liveness', () => ({ liveness: ['ONLINE'] })],
    ['rare states of life', () => ({ liveness: ['OFFLINE', 'UNKNOWN'] })],
    ['a rare kind', () => ({ kind: ['GATEWAY_MAIN'] })],
    ['a frequent kind', () => ({ kind: ['BOARD_WORKER'] })],
    ['adopted agents', () => ({ isManaged: false })],
    ['managed agents', () => ({ isManaged: true })],
    ['a board', () => ({ boardId: ids.board })],
    ['a gateway', () => ({ gatewayId: ids.gateway })],
    ['a rare name', () => ({ search: 'zEBRA' })],
    ['a frequent name', () => ({ search: 'orker' })],
    ['a name that none has', () => ({ search: 'unicorn' })],
    ['a rare status and a frequent liveness', () => ({ status: ['PAUSED'], liveness: ['ONLINE'] })],
    ['a frequent status and a rare liveness', () => ({ status: ['IDLE'], liveness: ['OFFLINE'] })],
    ['a gateway and a rare status', () => ({ gatewayId: ids.gateway, status: ['PAUSED'] })],
    ['a board and a frequent status', () => ({ boardId: ids.board, status: ['IDLE'] })],
    [
      'everything',
      () => ({
        boardId: ids.board,
        gatewayId: ids.gateway,
        isManaged: true,
        kind: ['BOARD_WORKER'],
        status: ['IDLE', 'ACTIVE'],
        liveness: ['ONLINE', 'LATE'],
        search: 'worker',
      }),
    ],
  ];

  it.each(filters)('a page by %s is found by an index, and so is the next one', async (_title, filterOf) => {
    const filter = filterOf();
    let after: string | null = null;
    const plans = await plansOf(async () => {
      const { agents } = await mc.owner.run(FilteredAgents, { filter });
      after = agents.pageInfo.endCursor ?? null;
      if (after !== null) await mc.owner.run(FilteredAgents, { filter, after });
    });
    for (const plan of plans) expectInProportion(plan, 1_500);
  });

  it.each(filters.slice(1))('agents by %s are counted without reading the others', async (_title, filterOf) => {
    const filter = filterOf();
    let counted = 0;
    const plans = await plansOf(async () => {
      counted = (await mc.owner.run(CountedAgents, { filter })).agents.totalCount;
    });
    // What nearly all agents have is counted by going through them all.
    if (counted < 10_000) for (const plan of plans) expectInProportion(plan, 3 * counted + 3_000);
  });

  it('lists within lists are found by indexes', async () => {
    for (const filter of [null, { status: ['PAUSED' as const] }, { status: ['IDLE' as const] }]) {
      const plans = await plansOf(async () => {
        await mc.owner.run(AgentsOfBoards, { filter });
        await mc.owner.run(AgentsOfGateways, { filter });
      });
      for (const plan of plans) expectInProportion(plan, 25_000);
    }
  });
});
