import { v7 as newId, v4 as randomId } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { asStranger, UNREACHABLE } from '../support/callers.ts';
import {
  CreateAgent,
  CreateBoard,
  CreateGateway,
  CreateTask,
  DeleteAgent,
  DeleteGateway,
  UpdateAgent,
  UpdateGateway,
  UpdateTask,
} from '../support/documents.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';

const ReadAgentsOfBoard = graphql(`
  query ReadAgentsOfBoard($id: ID!) { board(id: $id) { agents { totalCount nodes { id name } } lead { id name } } }
`);

const RenameBoard = graphql(`
  mutation RenameBoard($input: UpdateBoardInput!) { updateBoard(input: $input) { __typename } }
`);

let mc: MissionControl;
let gateway: { id: string; mainAgent: { id: string } | null };

beforeAll(async () => {
  mc = await startMissionControl();
  gateway = await addGateway(mc.owner, UNREACHABLE);
});
afterAll(() => mc.stop());

const createGateway = async (input: object) =>
  (
    await mc.owner.run(CreateGateway, {
      input: { name: 'G', url: 'ws://127.0.0.1:1', workspaceRoot: '/srv', ...input },
    })
  ).createGateway;
const createBoard = async (input: object) =>
  (await mc.owner.run(CreateBoard, { input: { gatewayId: gateway.id, name: 'B', ...input } })).createBoard;
const createAgent = async (input: { boardId: string; [field: string]: unknown }) =>
  (await mc.owner.run(CreateAgent, { input: { name: 'A', ...input } })).createAgent;
const createTask = async (input: { boardId: string; [field: string]: unknown }) =>
  (await mc.owner.run(CreateTask, { input: { title: 'T', ...input } })).createTask;

describe('a name that is taken', () => {
  it.each(['Home', 'HOME', ' home '])('by a gateway: %s', async (name) => {
    const before = await storedFleet(mc);
    expect(await createGateway({ name })).toMatchObject({
      __typename: 'ConflictError',
      code: 'CONFLICT',
      message: expect.stringMatching(new RegExp(`"Home".*${gateway.id}|${gateway.id}.*"Home"`)),
    });
    expect(await storedFleet(mc)).toEqual(before);
  });

  it('by another organization’s gateway is free', async () => {
    const stranger = await asStranger(mc);
    expect(await addGateway(stranger, UNREACHABLE, 'Home')).toMatchObject({ name: 'Home' });
  });

  it.each([
    ['Wanda', 'WANDA'],
    ['Änne', 'äNNE'],
    ['Ωmega', 'ωMEGA'],
    ['100%_\\', '100%_\\'],
  ])('by an agent of the board: %s, %s', async (first, second) => {
    const board = await addBoard(mc.owner, gateway.id, { name: `Names ${first.codePointAt(0)}` });
    const holder = await addAgent(mc.owner, board.id, first);
    expect(await createAgent({ boardId: board.id, name: second })).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(new RegExp(`${holder.id}.*"${first.replace(/[%\\]/g, '\\$&')}"`)),
    });
  });

  it('in part, or with other characters where a pattern would match, is free', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Patterns' });
    await addAgent(mc.owner, board.id, 'Wanda');
    for (const name of ['Wan', 'Wanda 2', 'W_nda', '%', 'Wand%', '_____'])
      expect(await createAgent({ boardId: board.id, name })).toMatchObject({ name });
  });

  it('by an agent of another board is free', async () => {
    const one = await addBoard(mc.owner, gateway.id, { name: 'One' });
    const two = await addBoard(mc.owner, gateway.id, { name: 'Two' });
    await addAgent(mc.owner, one.id, 'Twin');
    expect(await createAgent({ boardId: two.id, name: 'Twin' })).toMatchObject({ name: 'Twin' });
  });

  it('by the lead, which was made with its board', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Led', lead: 'Lena' });
    expect(await createAgent({ boardId: board.id, name: 'lena' })).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining(board.lead?.id ?? ''),
    });
  });

  it('is taken once when ten ask for it at the same time', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Rush' });
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => createAgent({ boardId: board.id, name: index % 2 ? 'Rita' : 'RITA' })),
    );
    expect(results.map(({ __typename }) => __typename).sort()).toEqual(['Agent', ...Array(9).fill('ConflictError')]);
    const read = await mc.owner.run(ReadAgentsOfBoard, { id: board.id });
    expect(read.board?.agents.totalCount).toBe(1);
  });
});

describe('a slug', () => {
  it('that is taken is refused, and the holder is named', async () => {
    const holder = await createBoard({ name: 'First', slug: 'the-slug' });
    if (holder.__typename !== 'Board') expect.fail(JSON.stringify(holder));
    expect(await createBoard({ name: 'Second', slug: 'the-slug' })).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining(holder.id),
    });
  });

  it.each([
    ['Big Launch!', 'big-launch'],
    ['  Crème brûlée  ', 'creme-brulee'],
    ['日本', 'board'],
    ['--x--', 'x'],
    ['a_b.c', 'a-b-c'],
    ['Ｆｕｌｌ ½', 'full-1-2'],
  ])('is made from the name %s', async (name, slug) => {
    expect(await createBoard({ name })).toMatchObject({ slug });
  });

  it('that is made gets the next free number', async () => {
    await createBoard({ name: 'Taken', slug: 'numbers-3' });
    const slugs = [];
    for (const name of ['Numbers', 'numbers', 'NUMBERS!', 'Numbers'])
      slugs.push(await createBoard({ name }).then((board) => board.__typename === 'Board' && board.slug));
    expect(slugs).toEqual(['numbers', 'numbers-2', 'numbers-4', 'numbers-5']);
  });

  it('is different for each of ten boards of one name that are made at once', async () => {
    const boards = await Promise.all(Array.from({ length: 10 }, () => createBoard({ name: 'All at once' })));
    const slugs = boards.map((board) =>
      board.__typename === 'Board' ? board.slug : expect.fail(JSON.stringify(board)),
    );
    expect(new Set(slugs).size).toBe(10);
  });
});

describe('a second lead', () => {
  it('is refused, and the first one named', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'One lead', lead: 'Lena' });
    const result = await createAgent({ boardId: board.id, name: 'Leo', isBoardLead: true });
    expect(result).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(`"Lena".*${board.lead?.id}`),
    });
  });

  it('may follow when the first one is deleted', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Next lead', lead: 'Lena' });
    await mc.owner.run(DeleteAgent, { id: board.lead?.id ?? '' });
    const next = await createAgent({ boardId: board.id, name: 'Leo', isBoardLead: true });
    expect(next).toMatchObject({ __typename: 'Agent', openclawAgentId: `lead-${board.id}` });
    const read = await mc.owner.run(ReadAgentsOfBoard, { id: board.id });
    expect(read.board?.lead?.name).toBe('Leo');
  });

  it('is refused to all but one of ten that ask at once', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Leads' });
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        createAgent({ boardId: board.id, name: `Lead ${index}`, isBoardLead: true }),
      ),
    );
    expect(results.filter(({ __typename }) => __typename === 'Agent')).toHaveLength(1);
    expect(results.filter(({ __typename }) => __typename === 'ConflictError')).toHaveLength(9);
  });
});

describe('a create with an id of the client’s choice', () => {
  interface Kind {
    typename: string;
    create: (input: object) => Promise<{ __typename: string; id?: string }>;
    input: () => Promise<object>;
    /** Changes of the input that make it another request. */
    others: object[];
    /** Changes what was made. */
    change: (id: string) => Promise<unknown>;
  }
  const kinds: [string, Kind][] = [
    [
      'createGateway',
      {
        typename: 'Gateway',
        create: createGateway,
        input: async () => ({ name: `Gateway ${newId()}`, token: 'secret' }),
        others: [
          { name: 'Other' },
          { token: 'another' },
          { token: null },
          { url: 'ws://127.0.0.1:2' },
          { workspaceRoot: '/other' },
          { allowInsecureTls: true },
        ],
        change: (id) => mc.owner.run(UpdateGateway, { input: { id, name: `Renamed ${id}`, token: 'newer' } }),
      },
    ],
    [
      'createBoard',
      {
        typename: 'Board',
        create: createBoard,
        input: async () => ({
          name: `Board ${newId()}`,
          lead: { name: 'Lena' },
          successMetrics: { z: 1, a: [{ y: null, b: 2 }] },
          targetDate: '2030-01-01T00:00:00.000Z',
        }),
        others: [
          { name: 'Other' },
          { slug: 'other' },
          { maxAgents: 7 },
          { objective: 'Other' },
          { successMetrics: { z: 1, a: [{ y: null, b: 3 }] } },
          { targetDate: '2030-01-02T00:00:00.000Z' },
        ],
        change: (id) => mc.owner.run(RenameBoard, { input: { id, name: 'Renamed', slug: `renamed-${id}` } }),
      },
    ],
    [
      'createAgent',
      {
        typename: 'Agent',
        create: (input) => createAgent(input as { boardId: string }),
        input: async () => ({
          boardId: (await addBoard(mc.owner, gateway.id, { name: 'Repeats' })).id,
          name: 'Rae',
          identityProfile: { role: 'Tester', emoji: '🧪', extra: { b: 1, a: 2 } },
        }),
        others: [
          { name: 'Ray' },
          { isBoardLead: true },
          { heartbeat: { intervalSeconds: 60 } },
          { heartbeat: { enabled: false } },
          { identityProfile: { role: 'Cook' } },
          { soulTemplate: 'Kind' },
        ],
        change: (id) => mc.owner.run(UpdateAgent, { input: { id, name: 'Renamed', soulTemplate: 'Kinder' } }),
      },
    ],
    [
      'createTask',
      {
        typename: 'Task',
        create: (input) => createTask(input as { boardId: string }),
        input: async () => ({ boardId: (await addBoard(mc.owner, gateway.id, { name: 'Repeats' })).id, title: 'T' }),
        others: [{ title: 'Other' }, { description: 'Other' }],
        change: (id) => mc.owner.run(UpdateTask, { input: { id, title: 'Renamed', status: 'DONE' } }),
      },
    ],
  ];

  describe.each(kinds)('%s', (_title, { typename, create, input, others, change }) => {
    it('makes one object when it is sent again, also with the id in other case', async () => {
      const id = randomId();
      const given = { ...(await input()), id };
      expect(await create(given)).toMatchObject({ __typename: typename, id });
      const before = await storedFleet(mc);
      expect(await create(given)).toMatchObject({ __typename: typename, id });
      expect(await create({ ...given, id: id.toUpperCase() })).toMatchObject({ __typename: typename, id });
      expect(await storedFleet(mc)).toEqual(before);
    });

    it('makes one object when it is sent ten times at once', async () => {
      const id = newId();
      const given = { ...(await input()), id };
      const results = await Promise.all(Array.from({ length: 10 }, () => create(given)));
      expect(results).toEqual(Array(10).fill(expect.objectContaining({ __typename: typename, id })));
    });

    it('makes one object, whose id is in lower case, when it is sent ten times at once in upper case', async () => {
      const id = newId();
      const given = { ...(await input()), id: id.toUpperCase() };
      // Those that come in the same moment are looked up together.
      for (let round = 0; round < 5; round++) {
        const results = await Promise.all(Array.from({ length: 10 }, () => create(given)));
        expect(results).toEqual(Array(10).fill(expect.objectContaining({ __typename: typename, id })));
      }
    });

    it('answers with the first object when it is sent again after that was changed, and changes nothing back', async () => {
      const given = { ...(await input()), id: newId() };
      await create(given);
      await change(given.id);
      const before = await storedFleet(mc);
      expect(JSON.stringify(before)).toContain('Renamed');
      expect(await create(given)).toMatchObject({ __typename: typename, id: given.id });
      expect(await storedFleet(mc)).toEqual(before);
    });

    it('is refused with another input', async () => {
      const id = newId();
      const given = { ...(await input()), id };
      await create(given);
      const before = await storedFleet(mc);
      for (const change of others)
        expect({ change, result: await create({ ...given, ...change }) }).toMatchObject({
          change,
          result: { __typename: 'ConflictError', message: expect.stringContaining(id) },
        });
      expect(await storedFleet(mc)).toEqual(before);
    });
  });

  it('gives an agent a place on its gateway that is named by the id in lower case', async () => {
    const simulator = await startSimulator();
    const there = await addGateway(mc.owner, simulator, 'Upper case');
    const board = await addBoard(mc.owner, there.id, { name: 'Upper case' });
    const id = newId();
    const made = await createAgent({ id: id.toUpperCase(), boardId: board.id, name: 'Ursula' });
    expect(made).toMatchObject({
      __typename: 'Agent',
      id,
      openclawAgentId: `mc-${id}`,
      sessionKey: `agent:mc-${id}:main`,
      workspacePath: expect.stringContaining(`${simulator.stateDir}/`),
    });
    expect(made).not.toMatchObject({ workspacePath: expect.stringContaining(id.toUpperCase()) });
    expect(await provisioned(mc.owner, id.toUpperCase())).toMatchObject({ id, openclawAgentId: `mc-${id}` });
    await simulator.stop();
  });

  it('is refused with the id of an object of another type, or of another organization', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Ids' });
    const agent = await addAgent(mc.owner, board.id, 'Ida');
    const before = await storedFleet(mc);
    for (const result of [
      await createGateway({ id: board.id, name: 'Another' }),
      await createBoard({ id: agent.id }),
      await createAgent({ id: board.id, boardId: board.id }),
      await createTask({ id: agent.id, boardId: board.id }),
    ])
      expect(result).toMatchObject({ __typename: 'ConflictError' });
    expect(await storedFleet(mc)).toEqual(before);
    const stranger = await asStranger(mc);
    const taken = await stranger.run(CreateGateway, {
      input: { id: gateway.id, name: 'Home', url: UNREACHABLE.url, workspaceRoot: UNREACHABLE.stateDir },
    });
    expect(taken.createGateway).toMatchObject({ __typename: 'ConflictError' });
    expect(JSON.stringify(taken)).not.toContain('Default');
  });
});

describe('deleting a gateway', () => {
  it('answers with its id as it is stored', async () => {
    const { id } = await addGateway(mc.owner, UNREACHABLE, 'Deleted');
    const { deleteGateway } = await mc.owner.run(DeleteGateway, { id: id.toUpperCase() });
    expect(deleteGateway).toEqual({ __typename: 'Deleted', id });
  });
});

describe('deleting an agent', () => {
  it('frees its name at once, clears its assignments, and answers the same a second time', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Deletes' });
    const agent = await addAgent(mc.owner, board.id, 'Dora');
    const task = await createTask({ boardId: board.id, assigneeId: agent.id });
    if (task.__typename !== 'Task') expect.fail(JSON.stringify(task));
    await mc.owner.run(UpdateTask, { input: { id: task.id, status: 'IN_PROGRESS' } });
    const first = await mc.owner.run(DeleteAgent, { id: agent.id });
    expect(first.deleteAgent).toMatchObject({ __typename: 'Agent', id: agent.id, status: 'DELETED' });
    expect(await mc.prisma.task.findUnique({ where: { id: task.id } })).toMatchObject({
      assigneeId: null,
      status: 'INBOX',
    });
    const events = () => mc.prisma.agentEvent.count({ where: { agentId: agent.id, type: 'STATUS_CHANGED' } });
    expect(await events()).toBe(1);
    const second = await mc.owner.run(DeleteAgent, { id: agent.id });
    expect(second.deleteAgent).toMatchObject({ __typename: 'Agent', id: agent.id, status: 'DELETED' });
    expect(await events()).toBe(1);
    const next = await createAgent({ boardId: board.id, name: 'DORA' });
    expect(next).toMatchObject({ __typename: 'Agent', name: 'DORA' });
    const read = await mc.owner.run(ReadAgentsOfBoard, { id: board.id });
    expect(read.board?.agents.nodes.map(({ name }) => name)).toEqual(['DORA']);
  });

  it('is asked for once when ten ask at the same time', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Ten deletes' });
    const { id } = await addAgent(mc.owner, board.id, 'Dan');
    const results = await Promise.all(Array.from({ length: 10 }, () => mc.owner.run(DeleteAgent, { id })));
    for (const { deleteAgent } of results) expect(deleteAgent).toMatchObject({ id, status: 'DELETED' });
    expect(await mc.prisma.agentEvent.count({ where: { agentId: id, type: 'STATUS_CHANGED' } })).toBe(1);
  });

  it('is refused for a gateway’s main agent', async () => {
    const before = await storedFleet(mc);
    const { deleteAgent } = await mc.owner.run(DeleteAgent, { id: gateway.mainAgent?.id ?? '' });
    expect(deleteAgent).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining('main agent') });
    expect(await storedFleet(mc)).toEqual(before);
  });

  it.each(['no-uuid', '', '\u0000', newId()])('answers NOT_FOUND for an id that belongs to nothing: %s', async (id) => {
    const { deleteAgent } = await mc.owner.run(DeleteAgent, { id });
    expect(deleteAgent).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
  });

  it('makes it no assignee any more', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Gone' });
    const agent = await addAgent(mc.owner, board.id, 'Gil');
    await mc.owner.run(DeleteAgent, { id: agent.id });
    expect(await createTask({ boardId: board.id, assigneeId: agent.id })).toMatchObject({
      __typename: 'NotFoundError',
    });
  });
});
