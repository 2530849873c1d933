import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { CreateTask, DeleteAgent, Heartbeat } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const PageOfGateways = graphql(`
  query PageOfGateways($first: Int, $after: String, $last: Int, $before: String) {
    page: gateways(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      nodes { id }
      edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);
const PageOfBoards = graphql(`
  query PageOfBoards($first: Int, $after: String, $last: Int, $before: String) {
    page: boards(first: $first, after: $after, last: $last, before: $before) {
      totalCount
      nodes { id }
      edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);
const PageOfAgents = graphql(`
  query PageOfAgents($first: Int, $after: String, $last: Int, $before: String, $filter: AgentFilter) {
    page: agents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      totalCount
      nodes { id }
      edges { cursor node { id } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);
const PageOfBoardAgents = graphql(`
  query PageOfBoardAgents(
    $id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: AgentFilter
  ) {
    owner: board(id: $id) {
      page: agents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        totalCount
        nodes { id }
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);
const PageOfTasks = graphql(`
  query PageOfTasks($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: TaskFilter) {
    owner: board(id: $id) {
      page: tasks(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        totalCount
        nodes { id }
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);
const PageOfEvents = graphql(`
  query PageOfEvents($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
    owner: agent(id: $id) {
      page: events(first: $first, after: $after, last: $last, before: $before) {
        nodes { id: cursor }
        edges { cursor node { id: cursor } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);
const OneNode = graphql(`
  query OneNode($id: ID!) {
    node(id: $id) { __typename id ... on Board { slug } ... on Agent { kind } ... on Gateway { url } ... on Task { title } }
  }
`);
const ManyNodes = graphql(`
  query ManyNodes($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }
`);

interface Page {
  totalCount?: number;
  nodes: { id: string }[];
  edges: { cursor: string; node: { id: string } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}
interface PageArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}
type Problem = { message: string; code: unknown };

let mc: MissionControl;
const SIZE = 7;
/** The ids that each list has, in order. */
const all: Record<string, string[]> = {};
const ids = { gateway: '', board: '', agent: '' };

beforeAll(async () => {
  mc = await startMissionControl();
  const gateways = [];
  for (let index = 0; index < SIZE; index++) gateways.push(await addGateway(mc.owner, UNREACHABLE, `Gateway ${index}`));
  ids.gateway = gateways[0]?.id ?? '';
  const boards = [];
  for (let index = 0; index < SIZE; index++) boards.push(await addBoard(mc.owner, ids.gateway, { name: `B ${index}` }));
  ids.board = boards[0]?.id ?? '';
  const agents = [];
  for (let index = 0; index < SIZE; index++) agents.push(await addAgent(mc.owner, ids.board, `Agent ${index}`));
  ids.agent = agents[0]?.id ?? '';
  for (let index = 0; index < SIZE; index++)
    await mc.owner.run(CreateTask, {
      input: { boardId: ids.board, title: `Task ${index}`, assigneeId: index < 3 ? ids.agent : null },
    });
  // For events: CREATED; STATUS_CHANGED, LIVENESS_CHANGED and HEARTBEAT; STATUS_CHANGED and HEARTBEAT.
  for (const status of ['IDLE', 'ACTIVE'] as const) await mc.owner.run(Heartbeat, { input: { id: ids.agent, status } });
  const tasks = await mc.prisma.task.findMany({ where: { boardId: ids.board }, orderBy: { id: 'asc' } });
  const mains = await mc.prisma.agent.findMany({ where: { kind: 'GATEWAY_MAIN' }, orderBy: { id: 'asc' } });
  all.gateways = gateways.map(({ id }) => id);
  all.boards = boards.map(({ id }) => id);
  all.agents = [...mains, ...agents].map(({ id }) => id).sort();
  all['agents of a board'] = agents.map(({ id }) => id);
  all['tasks of a board'] = tasks.map(({ id }) => id);
});
afterAll(() => mc.stop());

/** Reads a page of a list; or what is wrong with the arguments. */
const lists: Record<string, (page: PageArguments) => Promise<Page | Problem>> = {
  gateways: async (page) => pageOf(await mc.owner.ask(PageOfGateways, page)),
  boards: async (page) => pageOf(await mc.owner.ask(PageOfBoards, page)),
  agents: async (page) => pageOf(await mc.owner.ask(PageOfAgents, page)),
  'agents of a board': async (page) => pageOf(await mc.owner.ask(PageOfBoardAgents, { id: ids.board, ...page })),
  'tasks of a board': async (page) => pageOf(await mc.owner.ask(PageOfTasks, { id: ids.board, ...page })),
  'events of an agent': async (page) => pageOf(await mc.owner.ask(PageOfEvents, { id: ids.agent, ...page })),
};

function pageOf(answer: {
  data: { page?: Page; owner?: { page: Page } | null } | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
}): Page | Problem {
  const [error] = answer.errors ?? [];
  if (error) return { message: error.message, code: error.extensions?.code };
  return answer.data?.page ?? answer.data?.owner?.page ?? expect.fail('There is no page.');
}

async function read(list: string, page: PageArguments): Promise<Page> {
  const answer = await lists[list]?.(page);
  if (!answer || 'message' in answer) expect.fail(JSON.stringify(answer));
  return answer;
}

const idsOf = (page: Page) => page.nodes.map(({ id }) => id);

describe.each(Object.keys(lists))('%s', (list) => {
  let everything: string[];
  beforeAll(async () => {
    everything = idsOf(await read(list, { first: 100 }));
    if (all[list]) expect(everything).toEqual(all[list]);
    expect(everything.length).toBeGreaterThanOrEqual(5);
  });

  it('have nodes and edges alike, with cursors at both ends', async () => {
    const page = await read(list, { first: 3 });
    expect(page.edges.map(({ node }) => node.id)).toEqual(idsOf(page));
    expect(page.pageInfo.startCursor).toBe(page.edges[0]?.cursor);
    expect(page.pageInfo.endCursor).toBe(page.edges[2]?.cursor);
    if (list !== 'events of an agent') expect(page.totalCount).toBe(everything.length);
  });

  it('are read forwards to the end, each once, in order', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    for (let pages = 0; pages < everything.length; pages++) {
      const page: Page = await read(list, { first: 2, after });
      seen.push(...idsOf(page));
      expect(page.pageInfo.hasNextPage).toBe(seen.length < everything.length);
      after = page.pageInfo.endCursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    expect(seen).toEqual(everything);
  });

  it('are read backwards to the start, each once, each page in order', async () => {
    let seen: string[] = [];
    let before: string | null = null;
    for (let pages = 0; pages < everything.length; pages++) {
      const page: Page = await read(list, { last: 2, before });
      seen = [...idsOf(page), ...seen];
      expect(page.pageInfo.hasPreviousPage).toBe(seen.length < everything.length);
      before = page.pageInfo.startCursor;
      if (!page.pageInfo.hasPreviousPage) break;
    }
    expect(seen).toEqual(everything);
  });

  it('say that there is nothing behind the last entry', async () => {
    const { pageInfo } = await read(list, { first: 100 });
    const page = await read(list, { first: 2, after: pageInfo.endCursor });
    expect(page).toMatchObject({ nodes: [], edges: [], pageInfo: { hasNextPage: false } });
  });

  it('have the entries between two cursors, from either end, and say what lies around', async () => {
    const { edges } = await read(list, { first: 100 });
    const between = { after: edges[0]?.cursor ?? '', before: edges[4]?.cursor ?? '' };
    const around = { hasNextPage: true, hasPreviousPage: true };
    const first = await read(list, { first: 2, ...between });
    expect(first).toMatchObject({ pageInfo: around });
    expect(idsOf(first)).toEqual(everything.slice(1, 3));
    const last = await read(list, { last: 2, ...between });
    expect(last).toMatchObject({ pageInfo: around });
    expect(idsOf(last)).toEqual(everything.slice(2, 4));
    const whole = await read(list, { first: 50, ...between });
    expect(whole).toMatchObject({ pageInfo: around });
    expect(idsOf(whole)).toEqual(everything.slice(1, 4));
  });

  it('are none when none are asked for, and yet there are more', async () => {
    const page = await read(list, { first: 0 });
    expect(page).toMatchObject({ nodes: [], edges: [], pageInfo: { hasNextPage: true } });
  });

  it('are at most 100, also when more are asked for', async () => {
    const page = await read(list, { first: 101 });
    expect(idsOf(page)).toEqual(everything);
  });

  it.each<[string, PageArguments]>([
    ['first and last', { first: 1, last: 1 }],
    ['first below 0', { first: -1 }],
    ['last below 0', { last: -1 }],
    ['a cursor that is none', { first: 2, after: 'nonsense' }],
    ['an empty cursor', { first: 2, after: '' }],
    ['a cursor with NUL', { first: 2, after: '\u0000' }],
    ['a cursor backwards that is none', { last: 2, before: 'nonsense' }],
    ['base64 of something else', { first: 2, after: Buffer.from('GPC:S:not-a-uuid').toString('base64') }],
    ['base64 of a number', { first: 2, after: Buffer.from('GPC:N:1').toString('base64') }],
    ['base64 of nothing', { first: 2, after: Buffer.from('GPC:').toString('base64') }],
    ['a cursor of events beyond all numbers', { first: 2, after: 'zzzzzzzzzzzzz' }],
  ])('refuse %s with a clear error', async (_title, page) => {
    const answer = await lists[list]?.(page);
    expect(answer).toMatchObject({ message: expect.stringMatching(/cursor|negative|positive|first|last/i) });
    expect(answer).not.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
  });
});

describe('filters', () => {
  const find = async (filter: object) =>
    idsOf(pageOf(await mc.owner.ask(PageOfAgents, { filter, first: 100 })) as Page);

  it('are combined, and counted', async () => {
    const agents = all['agents of a board'] ?? [];
    expect(await find({ boardId: ids.board })).toEqual(agents);
    expect(await find({ boardId: ids.board.toUpperCase() })).toEqual(agents);
    expect(await find({ boardId: ids.board, kind: ['BOARD_LEAD'] })).toEqual([]);
    expect(await find({ gatewayId: ids.gateway, kind: ['BOARD_WORKER', 'BOARD_LEAD'] })).toEqual(agents);
    expect(await find({ status: ['ACTIVE', 'IDLE'] })).toEqual([ids.agent]);
    expect(await find({ liveness: ['ONLINE'] })).toEqual([ids.agent]);
    expect(await find({ status: ['ACTIVE'], liveness: ['LATE', 'OFFLINE'] })).toEqual([]);
    expect(await find({ isManaged: false })).toEqual([]);
    expect(await find({ search: 'AGENT 3' })).toEqual([agents[3]]);
    expect(await find({ search: 'aGeNt', boardId: ids.board })).toEqual(agents);
    const page = pageOf(await mc.owner.ask(PageOfAgents, { filter: { boardId: ids.board }, first: 2 })) as Page;
    expect(page).toMatchObject({ totalCount: SIZE, pageInfo: { hasNextPage: true } });
    const rest = pageOf(
      await mc.owner.ask(PageOfAgents, {
        filter: { boardId: ids.board },
        first: 100,
        after: page.pageInfo.endCursor,
      }),
    ) as Page;
    expect([...idsOf(page), ...idsOf(rest)]).toEqual(agents);
  });

  it('without values match nothing, and null is no filter', async () => {
    expect(await find({ status: [] })).toEqual([]);
    expect(await find({ kind: null, status: null, search: null, boardId: null })).toEqual(all.agents);
  });

  it.each(['%', '_', '\\', 'a%t', '\u0000', '\ud800', "'"])('search for %s as it is', async (search) => {
    expect(await find({ search })).toEqual([]);
  });

  it.each(['no-uuid', '', '\u0000', '01980000-0000-7000-8000-000000000000'])(
    'with an id that belongs to nothing match nothing: %s',
    async (id) => {
      expect(await find({ boardId: id })).toEqual([]);
      expect(await find({ gatewayId: id })).toEqual([]);
      const tasks = pageOf(await mc.owner.ask(PageOfTasks, { id: ids.board, filter: { assigneeId: id } })) as Page;
      expect(tasks).toMatchObject({ totalCount: 0, nodes: [] });
      expect((await mc.owner.run(PageOfTasks, { id })).owner).toBeNull();
    },
  );

  it('of a board’s lists are combined, and counted', async () => {
    const tasks = pageOf(
      await mc.owner.ask(PageOfTasks, {
        id: ids.board,
        first: 2,
        filter: { assigneeId: ids.agent, status: ['INBOX', 'DONE'] },
      }),
    ) as Page;
    expect(tasks).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    expect(idsOf(tasks)).toEqual(all['tasks of a board']?.slice(0, 2));
    const agents = pageOf(
      await mc.owner.ask(PageOfBoardAgents, { id: ids.board, filter: { search: 'agent 4', isManaged: true } }),
    ) as Page;
    expect(agents).toMatchObject({ totalCount: 1, nodes: [{ id: all['agents of a board']?.[4] }] });
  });
});

describe('a list that changes while it is read', () => {
  it('goes on behind an agent that has been deleted meanwhile', async () => {
    const board = await addBoard(mc.owner, ids.gateway, { name: 'Changing' });
    const agents = [];
    for (const name of ['A', 'B', 'C', 'D']) agents.push((await addAgent(mc.owner, board.id, name)).id);
    const filter = { boardId: board.id };
    const page = pageOf(await mc.owner.ask(PageOfAgents, { filter, first: 2 })) as Page;
    await mc.owner.run(DeleteAgent, { id: agents[1] ?? '' });
    const after = page.pageInfo.endCursor;
    const rest = pageOf(await mc.owner.ask(PageOfAgents, { filter, first: 2, after })) as Page;
    expect(idsOf(rest)).toEqual(agents.slice(2));
    // And when nothing of it is left.
    await mc.prisma.agent.delete({ where: { id: agents[1] ?? '' } });
    const again = pageOf(await mc.owner.ask(PageOfAgents, { filter, first: 2, after })) as Page;
    expect(idsOf(again)).toEqual(agents.slice(2));
    const before = pageOf(await mc.owner.ask(PageOfAgents, { filter, last: 2, before: after })) as Page;
    expect(idsOf(before)).toEqual(agents.slice(0, 1));
  });

  it('goes on within a board behind what has left the list, or is gone', async () => {
    const board = await addBoard(mc.owner, ids.gateway, { name: 'Changing within' });
    const tasks: string[] = [];
    for (const title of ['A', 'B', 'C', 'D']) {
      const { createTask } = await mc.owner.run(CreateTask, { input: { boardId: board.id, title } });
      if (createTask.__typename !== 'Task') expect.fail(JSON.stringify(createTask));
      tasks.push(createTask.id);
    }
    const inbox = { id: board.id, filter: { status: ['INBOX' as const] } };
    const page = pageOf(await mc.owner.ask(PageOfTasks, { ...inbox, first: 2 })) as Page;
    const { endCursor } = page.pageInfo;
    expect(idsOf(page)).toEqual(tasks.slice(0, 2));
    // Out of the list by the filter, then for good.
    for (const leave of [
      () => mc.prisma.task.update({ where: { id: tasks[1] ?? '' }, data: { status: 'DONE' } }),
      () => mc.prisma.task.delete({ where: { id: tasks[1] ?? '' } }),
    ]) {
      await leave();
      const rest = pageOf(await mc.owner.ask(PageOfTasks, { ...inbox, first: 2, after: endCursor })) as Page;
      expect(rest).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: false, hasPreviousPage: true } });
      expect(idsOf(rest)).toEqual(tasks.slice(2));
      const before = pageOf(await mc.owner.ask(PageOfTasks, { ...inbox, last: 2, before: endCursor })) as Page;
      expect(before).toMatchObject({ pageInfo: { hasNextPage: true, hasPreviousPage: false } });
      expect(idsOf(before)).toEqual(tasks.slice(0, 1));
    }
    await mc.prisma.task.deleteMany({ where: { id: tasks[0] ?? '' } });
    // Nothing is left before the cursor, although there is one.
    const rest = pageOf(await mc.owner.ask(PageOfTasks, { ...inbox, first: 1, after: endCursor })) as Page;
    expect(rest).toMatchObject({ pageInfo: { hasNextPage: true, hasPreviousPage: false } });
  });
});

describe('node and nodes', () => {
  it('read any object by its id, in any case', async () => {
    const task = all['tasks of a board']?.[0] ?? '';
    const { viewer } = await mc.owner.run(graphql(`query OrganizationOfViewer { viewer { organization { id } } }`));
    for (const [id, expected] of [
      [ids.gateway, { __typename: 'Gateway', url: UNREACHABLE.url }],
      [ids.board, { __typename: 'Board', slug: 'b-0' }],
      [ids.agent, { __typename: 'Agent', kind: 'BOARD_WORKER' }],
      [ids.agent.toUpperCase(), { __typename: 'Agent', id: ids.agent }],
      [task, { __typename: 'Task', title: 'Task 0' }],
      [viewer.organization.id, { __typename: 'Organization' }],
    ] as const)
      expect((await mc.owner.run(OneNode, { id })).node).toMatchObject({ ...expected, id: id.toLowerCase() });
  });

  it.each(['no-uuid', '', '\u0000', '01980000-0000-7000-8000-000000000000'])('know nothing of %s', async (id) => {
    expect((await mc.owner.run(OneNode, { id })).node).toBeNull();
  });

  it('answer in the order of the ids, with nulls and duplicates', async () => {
    const asked = [ids.agent, 'no-uuid', ids.board, ids.agent, ids.gateway];
    const { nodes } = await mc.owner.run(ManyNodes, { ids: asked });
    expect(nodes.map((entry) => entry?.__typename ?? null)).toEqual(['Agent', null, 'Board', 'Agent', 'Gateway']);
    expect((await mc.owner.run(ManyNodes, { ids: [] })).nodes).toEqual([]);
  });

  it('answer for 100 ids at once, and say so when there are more', async () => {
    expect((await mc.owner.run(ManyNodes, { ids: Array(100).fill(ids.board) })).nodes).toHaveLength(100);
    const { errors } = await mc.owner.ask(ManyNodes, { ids: Array(101).fill(ids.board) });
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('100'),
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });
});
