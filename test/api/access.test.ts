import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { asAgent, asStranger, UNREACHABLE } from '../support/callers.ts';
import type { Answer, Client } from '../support/client.ts';
import {
  AgentEvents,
  CreateAgent,
  CreateTask,
  DeleteAgent,
  Heartbeat,
  ReadAgent,
  UpdateTask,
} from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';
import { ReadTask, SendAgentMessage, WakeAgent, WhoAmI } from './documents.ts';
import { joined } from './live.ts';

const ReadBoard = graphql(`
  query ReadBoard($id: ID!) { board(id: $id) { id name agents { nodes { id } } tasks { nodes { id } } } }
`);
const ReadGateway = graphql(`
  query ReadGateway($id: ID!) { gateway(id: $id) { id name agents { nodes { id } } boards { nodes { id } } } }
`);
const ReadEverything = graphql(`
  query ReadEverything {
    gateways { totalCount nodes { id } }
    boards { totalCount nodes { id } }
    agents { totalCount nodes { id } }
  }
`);
const ReadNodes = graphql(`
  query ReadNodes($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }
`);

let mc: MissionControl;
/** Two gateways; two boards on the first and one on the second, each with a lead, a worker and a task. */
let here: Site;
let beside: Site;
let elsewhere: Site;

interface Site {
  gateway: string;
  main: string;
  board: string;
  lead: string;
  worker: string;
  task: string;
}

async function addSite(gateway: { id: string; mainAgent: { id: string } | null }, name: string): Promise<Site> {
  const board = await addBoard(mc.owner, gateway.id, { name, lead: 'Lena', maxAgents: 3 });
  const worker = await addAgent(mc.owner, board.id, 'Wanda');
  const task = await addTask(board.id, worker.id);
  return {
    gateway: gateway.id,
    main: gateway.mainAgent?.id ?? '',
    board: board.id,
    lead: board.lead?.id ?? '',
    worker: worker.id,
    task,
  };
}

async function addTask(boardId: string, assigneeId: string | null = null): Promise<string> {
  const { createTask } = await mc.owner.run(CreateTask, { input: { boardId, title: 'Task', assigneeId } });
  return createTask.__typename === 'Task' ? createTask.id : expect.fail(JSON.stringify(createTask));
}

beforeAll(async () => {
  mc = await startMissionControl();
  const one = await addGateway(mc.owner, UNREACHABLE, 'One');
  const two = await addGateway(mc.owner, UNREACHABLE, 'Two');
  here = await addSite(one, 'Here');
  beside = await addSite(one, 'Beside');
  elsewhere = await addSite(two, 'Elsewhere');
});
afterAll(() => mc.stop());

/** One word for what came of an operation: the result's type, or the code of the error. */
function outcomeOf(answer: Answer<object>): string {
  const code = answer.errors?.[0]?.extensions?.code;
  if (code) return String(code);
  const [result] = Object.values(answer.data ?? {});
  return result === null ? 'null' : String((result as { __typename?: string }).__typename ?? 'data');
}

it('an operator of another organization sees nothing', async () => {
  const stranger = await asStranger(mc);
  expect(await stranger.run(ReadEverything)).toEqual({
    gateways: { totalCount: 0, nodes: [] },
    boards: { totalCount: 0, nodes: [] },
    agents: { totalCount: 0, nodes: [] },
  });
  const { nodes } = await stranger.run(ReadNodes, { ids: Object.values(here) });
  expect(nodes).toEqual(Object.values(here).map(() => null));
});

describe('agents', () => {
  let lead: Client;
  let worker: Client;
  let main: Client;
  beforeAll(async () => {
    lead = await asAgent(mc, here.lead);
    worker = await asAgent(mc, here.worker);
    main = await asAgent(mc, here.main);
  });

  it('find nothing to change on another gateway', async () => {
    const before = await storedFleet(mc);
    for (const client of [lead, worker, main])
      for (const answer of [
        client.ask(CreateAgent, { input: { boardId: elsewhere.board, name: 'Will' } }),
        client.ask(CreateTask, { input: { boardId: elsewhere.board, title: 'T' } }),
        client.ask(UpdateTask, { input: { id: elsewhere.task, status: 'DONE' } }),
        client.ask(Heartbeat, { input: { id: elsewhere.worker } }),
        client.ask(SendAgentMessage, { input: { id: elsewhere.lead, message: 'Hello' } }),
        client.ask(WakeAgent, { id: elsewhere.lead }),
      ])
        expect(outcomeOf(await answer)).toBe('NotFoundError');
    expect(await storedFleet(mc)).toEqual(before);
  });

  it('say who they are', async () => {
    expect((await worker.run(WhoAmI)).viewer).toMatchObject({
      kind: 'AGENT',
      role: null,
      agent: { id: here.worker, name: 'Wanda' },
    });
  });

  it('of a board see that board, its agents and its tasks, and nothing else', async () => {
    for (const client of [lead, worker]) {
      const { gateways, boards, agents } = await client.run(ReadEverything);
      expect(gateways).toEqual({ totalCount: 0, nodes: [] });
      expect(boards).toEqual({ totalCount: 1, nodes: [{ id: here.board }] });
      const ids = agents.nodes.map(({ id }) => id);
      expect(ids).toEqual(expect.arrayContaining([here.lead, here.worker]));
      for (const id of [here.main, beside.lead, beside.worker, elsewhere.lead]) expect(ids).not.toContain(id);
      expect((await client.run(ReadBoard, { id: here.board })).board).toMatchObject({ id: here.board, name: 'Here' });
      expect((await client.run(ReadAgent, { id: here.lead })).agent?.id).toBe(here.lead);
      expect((await client.run(ReadTask, { id: here.task })).task?.id).toBe(here.task);
      for (const site of [beside, elsewhere]) {
        expect((await client.run(ReadBoard, { id: site.board })).board).toBeNull();
        expect((await client.run(ReadAgent, { id: site.worker })).agent).toBeNull();
        expect((await client.run(ReadTask, { id: site.task })).task).toBeNull();
        expect((await client.run(ReadGateway, { id: site.gateway })).gateway).toBeNull();
      }
      const known = [here.board, here.lead, here.task];
      const unknown = [here.gateway, here.main, beside.board, beside.worker, beside.task, elsewhere.board];
      const { nodes } = await client.run(ReadNodes, { ids: [...known, ...unknown] });
      expect(nodes.map((entry) => entry?.id ?? null)).toEqual([...known, ...unknown.map(() => null)]);
    }
  });

  it('that are a gateway’s main agent see the gateway, its boards and agents, and no other gateway', async () => {
    const { gateways, boards, agents } = await main.run(ReadEverything);
    expect(gateways.nodes).toEqual([{ id: here.gateway }]);
    expect(boards.nodes).toEqual(expect.arrayContaining([{ id: here.board }, { id: beside.board }]));
    expect(boards.nodes).not.toContainEqual({ id: elsewhere.board });
    for (const id of [here.main, here.lead, beside.worker]) expect(agents.nodes).toContainEqual({ id });
    for (const id of [elsewhere.main, elsewhere.lead]) expect(agents.nodes).not.toContainEqual({ id });
    const read = await main.run(ReadGateway, { id: here.gateway });
    expect(read.gateway).toMatchObject({ id: here.gateway, name: 'One' });
    expect((await main.run(ReadGateway, { id: elsewhere.gateway })).gateway).toBeNull();
    expect((await main.run(ReadBoard, { id: elsewhere.board })).board).toBeNull();
    expect((await main.run(ReadAgent, { id: elsewhere.worker })).agent).toBeNull();
  });

  it('are told live of the agents that they see', async () => {
    const subscriptions = [lead, main, mc.owner].map((client) => client.subscribe(AgentEvents));
    for (const live of subscriptions) await live.connected;
    for (const live of subscriptions) await joined(mc.owner, live, here.worker);
    // The last one is the first that all see: what the others are told before it, they are told now.
    for (const id of [elsewhere.worker, beside.worker, here.lead]) await mc.owner.run(Heartbeat, { input: { id } });
    const told = [];
    for (const live of subscriptions) {
      await live.first(({ agentEvents }) => agentEvents.agentId === here.lead);
      const ids = new Set(live.received.map(({ value }) => value.agentEvents.agentId));
      told.push([elsewhere.worker, beside.worker, here.lead].map((id) => ids.has(id)));
      await live.stop();
    }
    expect(told).toEqual([
      [false, false, true],
      [false, true, true],
      [true, true, true],
    ]);
  });
});

describe('a worker', () => {
  it('reports in for itself without saying who it is, and for nobody else', async () => {
    const worker = await asAgent(mc, here.worker);
    const { heartbeat } = await worker.run(Heartbeat, { input: { status: 'ACTIVE', currentTaskId: here.task } });
    expect(heartbeat).toMatchObject({ id: here.worker, status: 'ACTIVE', currentTask: { id: here.task } });
    expect(outcomeOf(await worker.ask(Heartbeat, { input: { id: here.worker.toUpperCase() } }))).toBe('Agent');
    expect(outcomeOf(await worker.ask(Heartbeat, { input: { id: here.lead } }))).toBe('FORBIDDEN');
    const foreign = await worker.run(Heartbeat, { input: { currentTaskId: beside.task } });
    expect(foreign.heartbeat).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('changes what it was assigned, but not to whom it is assigned', async () => {
    const worker = await asAgent(mc, here.worker);
    const [own, ofNobody, ofLead] = await Promise.all(
      [here.worker, null, here.lead].map((assignee) => addTask(here.board, assignee)),
    );
    const update = async (id = '', change: object = {}) =>
      outcomeOf(await worker.ask(UpdateTask, { input: { id, status: 'DONE', ...change } }));
    expect(await update(own)).toBe('Task');
    expect(await update(ofNobody)).toBe('FORBIDDEN');
    expect(await update(ofLead)).toBe('FORBIDDEN');
    expect(await update(own, { assigneeId: here.lead })).toBe('FORBIDDEN');
    expect(await update(own, { assigneeId: null })).toBe('FORBIDDEN');
    const stored = await mc.prisma.task.findMany({ where: { id: { in: [own, ofNobody, ofLead].map(String) } } });
    expect(stored.filter(({ status }) => status === 'DONE').map(({ id }) => id)).toEqual([own]);
    expect(stored.find(({ id }) => id === own)?.assigneeId).toBe(here.worker);
  });
});

describe('a lead', () => {
  it('creates workers on its own board, which it need not name, and no lead', async () => {
    const board = await addBoard(mc.owner, here.gateway, { name: 'Leading', lead: 'Lena' });
    const lead = await asAgent(mc, board.lead?.id ?? '');
    const { createAgent } = await lead.run(CreateAgent, { input: { name: 'Will' } });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    expect(createAgent.openclawAgentId).toBe(`mc-${createAgent.id}`);
    expect(await mc.prisma.agent.findUnique({ where: { id: createAgent.id } })).toMatchObject({ boardId: board.id });
    const second = await lead.run(CreateAgent, { input: { name: 'Leo', isBoardLead: true } });
    expect(second.createAgent).toMatchObject({
      __typename: 'ValidationError',
      fields: [{ path: 'input.isBoardLead' }],
    });
  });

  it('creates as many workers as the board allows, also when it asks for twenty at once', async () => {
    const board = await addBoard(mc.owner, here.gateway, { name: 'Limited', lead: 'Lena', maxAgents: 3 });
    const lead = await asAgent(mc, board.lead?.id ?? '');
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => lead.run(CreateAgent, { input: { name: `Worker ${index}` } })),
    );
    const refused = results.filter(({ createAgent }) => createAgent.__typename !== 'Agent');
    expect(refused).toHaveLength(17);
    for (const { createAgent } of refused)
      expect(createAgent).toMatchObject({ __typename: 'LimitExceededError', code: 'LIMIT_EXCEEDED', limit: 3 });
    expect(await mc.prisma.agent.count({ where: { boardId: board.id, kind: 'BOARD_WORKER' } })).toBe(3);

    // The limit is the lead's, not an operator's; and who is deleted makes room.
    await addAgent(mc.owner, board.id, 'By an operator');
    const workers = await mc.prisma.agent.findMany({ where: { boardId: board.id, kind: 'BOARD_WORKER' } });
    for (const { id } of workers.slice(0, 2)) await mc.owner.run(DeleteAgent, { id });
    expect(outcomeOf(await lead.ask(CreateAgent, { input: { name: 'Next' } }))).toBe('Agent');
  });

  it('with no room for workers creates none', async () => {
    const board = await addBoard(mc.owner, here.gateway, { name: 'Full', lead: 'Lena', maxAgents: 0 });
    const lead = await asAgent(mc, board.lead?.id ?? '');
    const { createAgent } = await lead.run(CreateAgent, { input: { name: 'Will' } });
    expect(createAgent).toMatchObject({ __typename: 'LimitExceededError', limit: 0 });
  });

  it('repeats a create at the limit and gets the same worker', async () => {
    const board = await addBoard(mc.owner, here.gateway, { name: 'Repeat', lead: 'Lena', maxAgents: 1 });
    const lead = await asAgent(mc, board.lead?.id ?? '');
    const id = crypto.randomUUID();
    const results = await Promise.all(
      Array.from({ length: 5 }, () => lead.run(CreateAgent, { input: { id, name: 'Only' } })),
    );
    for (const { createAgent } of results) expect(createAgent).toMatchObject({ __typename: 'Agent', id });
  });

  it('assigns tasks to agents of its board only', async () => {
    const lead = await asAgent(mc, here.lead);
    const task = await addTask(here.board);
    const { updateTask } = await lead.run(UpdateTask, { input: { id: task, assigneeId: here.worker } });
    expect(updateTask).toMatchObject({ __typename: 'Task', assignee: { id: here.worker } });
    for (const assigneeId of [beside.worker, here.main, elsewhere.worker])
      expect(outcomeOf(await lead.ask(UpdateTask, { input: { id: task, assigneeId } }))).toBe('NotFoundError');
    const cleared = await lead.run(UpdateTask, { input: { id: task, assigneeId: null } });
    expect(cleared.updateTask).toMatchObject({ __typename: 'Task', assignee: null });
  });
});
