import DataLoader from 'dataloader';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import type { Agent } from '../../src/generated/prisma/client.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

// That the statements of an operation do not grow with its result is checked for every document of every test, by
// mission-control.ts. Here are documents with a list in each place that can have one.

const SIZE = 3;
let mc: MissionControl;
/** Ids of everything that there is. */
const ids: string[] = [];

beforeAll(async () => {
  mc = await startMissionControl();
  const { id: organizationId } = await mc.prisma.organization.findFirstOrThrow();
  for (let g = 0; g < SIZE; g++) {
    const data = { organizationId, name: `Gateway ${g}`, url: UNREACHABLE.url, workspaceRoot: '/srv' };
    const { id: gatewayId } = await mc.prisma.gateway.create({ data });
    const place = { organizationId, gatewayId };
    const main = await mc.prisma.agent.create({
      data: { ...place, kind: 'GATEWAY_MAIN', name: 'Gateway agent', openclawAgentId: 'main', workspacePath: '/srv' },
    });
    await tell(place, [main]);
    await mc.prisma.activity.create({
      data: { ...place, objectId: gatewayId, objectName: data.name, action: 'GATEWAY_CREATED', ...actor },
    });
    ids.push(gatewayId);
    for (let b = 0; b < SIZE; b++) ids.push(...(await addFullBoard(place, `${g} ${b}`)));
  }
});
afterAll(() => mc.stop());

interface Place {
  organizationId: string;
  gatewayId: string;
  boardId?: string;
}

const actor = { actorKind: 'OPERATOR', actorId: 'o', actorName: 'Olga', actorCredential: 'mc_' } as const;

/** Two events of each agent. */
async function tell(place: Place, agents: Agent[]): Promise<void> {
  await mc.prisma.agentEvent.createMany({
    data: agents.flatMap(({ id, status, liveness }) =>
      (['CREATED', 'UPDATED'] as const).map((type) => ({ ...place, agentId: id, type, status, liveness, ...actor })),
    ),
  });
}

/** A board with a lead and a worker, who has a task, and with what is told of them. */
async function addFullBoard(place: Place, name: string): Promise<string[]> {
  const { prisma } = mc;
  const { organizationId } = place;
  const board = await prisma.board.create({ data: { ...place, name, slug: name.replace(' ', '-') } });
  const [lead, worker] = await prisma.agent.createManyAndReturn({
    data: (['BOARD_LEAD', 'BOARD_WORKER'] as const).map((kind) => ({
      ...place,
      boardId: board.id,
      kind,
      name: kind === 'BOARD_LEAD' ? 'Lead' : 'Worker',
      openclawAgentId: `${kind} ${name}`,
      workspacePath: '/srv',
    })),
  });
  if (!lead || !worker) expect.fail('The agents are not there.');
  const task = await prisma.task.create({
    data: { organizationId, boardId: board.id, title: 'Task', assigneeId: worker.id },
  });
  await prisma.agent.update({ where: { id: worker.id }, data: { currentTaskId: task.id } });
  await tell({ ...place, boardId: board.id }, [lead, worker]);
  await prisma.activity.createMany({
    data: [
      { ...place, boardId: board.id, objectId: board.id, objectName: name, action: 'BOARD_CREATED', ...actor },
      { organizationId, boardId: board.id, objectId: task.id, objectName: 'Task', action: 'TASK_CREATED', ...actor },
    ],
  });
  return [board.id, worker.id, task.id];
}

describe('lists within lists', () => {
  it('of gateways', async () => {
    const { gateways } = await mc.owner.run(
      graphql(`
        query ListsOfGateways {
          gateways {
            totalCount
            nodes {
              id
              hasToken
              connection { state }
              mainAgent { id name gateway { id name } provisioning { phase steps { name } } events(last: 1) { nodes { type } } }
              boards(first: 2) { totalCount nodes { id gateway { id } lead { id board { name } } } pageInfo { hasNextPage } }
              otherBoards: boards(last: 1) { nodes { id lead { id } } }
              agents(first: 2, filter: { kind: [BOARD_WORKER] }) {
                totalCount
                edges { cursor node { id name currentTask { id } events(first: 1) { nodes { type agent { id } } } } }
              }
              leads: agents(filter: { kind: [BOARD_LEAD] }) { totalCount }
              activity(first: 2) { nodes { id actor { name } } }
              lastActivity: activity(last: 1) { nodes { id } }
            }
          }
        }
      `),
    );
    expect(gateways.totalCount).toBe(SIZE);
    for (const gateway of gateways.nodes) {
      expect(gateway).toMatchObject({
        mainAgent: { name: 'Gateway agent', gateway: { id: gateway.id }, events: { nodes: [{}] } },
        boards: { totalCount: SIZE, nodes: [{ lead: {} }, { lead: {} }], pageInfo: { hasNextPage: true } },
        agents: { totalCount: SIZE },
        leads: { totalCount: SIZE },
        activity: { nodes: [{}, {}] },
        lastActivity: { nodes: [{}] },
      });
      expect(gateway.otherBoards.nodes[0]?.id).not.toBe(gateway.boards.nodes[1]?.id);
      expect(gateway.agents.edges).toHaveLength(2);
      for (const { node } of gateway.agents.edges)
        expect(node.events.nodes).toEqual([{ type: 'CREATED', agent: { id: node.id } }]);
    }
  });

  it('of boards', async () => {
    const { boards } = await mc.owner.run(
      graphql(`
        query ListsOfBoards {
          boards(first: 10) {
            nodes {
              id
              slug
              gateway { id mainAgent { id } boards { nodes { id lead { name } } } }
              lead { id name sessionKey events { edges { node { actor { id } agent { name board { slug } } } } } }
              agents { totalCount nodes { id gateway { name } board { id lead { name } tasks { totalCount } } } }
              workers: agents(filter: { kind: [BOARD_WORKER] }, last: 1) { nodes { id events(last: 2) { nodes { cursor } } } }
              tasks { totalCount nodes { id assignee { id events { nodes { type } } } board { id lead { id } } } }
              open: tasks(filter: { status: [INBOX] }) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
              activity { nodes { action } pageInfo { endCursor } }
            }
          }
        }
      `),
    );
    expect(boards.nodes).toHaveLength(SIZE * SIZE);
    for (const board of boards.nodes) {
      expect(board).toMatchObject({
        lead: { name: 'Lead' },
        agents: { totalCount: 2, nodes: [{ board: { id: board.id } }, { board: { id: board.id } }] },
        tasks: { totalCount: 1, nodes: [{ board: { id: board.id, lead: { id: board.lead?.id } } }] },
        open: { nodes: [{}], pageInfo: { hasNextPage: false, hasPreviousPage: false } },
        activity: { nodes: [{ action: 'BOARD_CREATED' }, { action: 'TASK_CREATED' }] },
      });
      expect(board.workers.nodes[0]?.events.nodes).toHaveLength(2);
      expect(board.lead?.events.edges[0]?.node.agent?.board?.slug).toBe(board.slug);
    }
  });

  it('of agents, and pages behind a cursor', async () => {
    const { agents } = await mc.owner.run(
      graphql(`
        query ListsOfAgents {
          agents(first: 100) {
            nodes { id board { id agents(first: 1) { edges { cursor } } } gateway { id agents(first: 1) { edges { cursor } } } }
          }
        }
      `),
    );
    expect(agents.nodes).toHaveLength(SIZE + 2 * SIZE * SIZE);
    const after = agents.nodes[0]?.gateway.agents.edges[0]?.cursor ?? '';
    const pages = await mc.owner.run(
      graphql(`
        query PagesWithinLists($after: String!) {
          boards {
            nodes {
              agents(first: 1, after: $after) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
              before: agents(last: 1, before: $after) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
            }
          }
        }
      `),
      { after },
    );
    // The cursor is of the first agent of all, which is on no board.
    for (const board of pages.boards.nodes)
      expect(board).toMatchObject({
        agents: { nodes: [{}], pageInfo: { hasNextPage: true, hasPreviousPage: false } },
        before: { nodes: [], pageInfo: { hasNextPage: true, hasPreviousPage: false } },
      });
  });

  it('of any objects by their ids', async () => {
    const { nodes } = await mc.owner.run(
      graphql(`
        query ListsOfNodes($ids: [ID!]!) {
          nodes(ids: $ids) {
            id
            ... on Gateway { name list: agents { totalCount nodes { id board { name } } } mainAgent { id } activity { nodes { id } } }
            ... on Board { slug list: agents { totalCount nodes { id board { name } } } lead { id } gateway { name } }
            ... on Agent { sessionKey board { name } gateway { name } events { nodes { agent { name } } } }
            ... on Task { title place: board { name gateway { name } } assignee { id board { name } } }
          }
        }
      `),
      { ids },
    );
    expect(nodes.map((entry) => entry?.id)).toEqual(ids);
    for (const entry of nodes)
      if (entry && 'list' in entry) expect(entry.list.totalCount).toBe('slug' in entry ? 2 : 2 * SIZE + 1);
  });
});

it('answer the same for columns, which are found once for a document, and for a fragment, which goes through the plugin', async () => {
  const { boards: columns } = await mc.owner.run(
    graphql(`
      query ListsByColumns {
        boards { totalCount nodes { id title: name slug agents(first: 1) {
          nodes { id name isBoardLead status liveness sessionKey workspacePath lastSeenAt createdAt }
          edges { node { identityTemplate kind } }
        } } }
      }
    `),
  );
  const { boards: fragments } = await mc.owner.run(
    graphql(`
      query ListsByFragments {
        boards { totalCount nodes { ... on Board { id title: name slug agents(first: 1) {
          nodes { ... on Agent { id name isBoardLead status liveness sessionKey workspacePath lastSeenAt createdAt } }
          edges { node { ... on Agent { identityTemplate kind } } }
        } } } }
      }
    `),
  );
  expect(columns.totalCount).toBe(SIZE * SIZE);
  expect(columns.nodes[0]?.agents.nodes[0]?.sessionKey).toMatch(/^agent:/);
  expect(columns).toEqual(fragments);
});

it('that are issued for each entry are seen, and fail the tests', async () => {
  const alone = vi.spyOn(DataLoader.prototype, 'load').mockImplementation(async function (this: object, key) {
    const { _batchLoadFn: read } = this as { _batchLoadFn: (keys: unknown[]) => Promise<unknown[]> };
    return (await read([key]))[0];
  });
  await mc.owner.run(graphql(`query LeadsOneByOne { boards { nodes { lead { id } } } }`));
  alone.mockRestore();
  expect(() => mc.statements.check()).toThrow(
    /^.*again and again:\nLeadsOneByOne, boards\.nodes\.lead \(Board\): SELECT/,
  );
});
