import { v7 as newId } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepLiveness } from '../../src/fleet/liveness.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { asAgent, asOperator, UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, CreateAgent, CreateTask, Heartbeat, ReadAgent, UpdateTask } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';
import { ReadTask } from './documents.ts';
import { joined } from './live.ts';

const ReadEvents = graphql(`
  query ReadEvents($id: ID!) {
    agent(id: $id) { events(first: 100) { nodes { type status previousStatus liveness at } } }
  }
`);

let mc: MissionControl;
let gateway: { id: string; mainAgent: { id: string } | null };
let board: { id: string };
let otherBoard: { id: string };
/** An agent for subscriptions to begin with. */
let beacon: string;

beforeAll(async () => {
  mc = await startMissionControl();
  gateway = await addGateway(mc.owner, UNREACHABLE);
  board = await addBoard(mc.owner, gateway.id, { name: 'Board' });
  otherBoard = await addBoard(mc.owner, gateway.id, { name: 'Other' });
  beacon = (await addAgent(mc.owner, otherBoard.id, 'Beacon')).id;
});
afterAll(() => mc.stop());

async function addTask(title = 'Task', boardId = board.id, assigneeId: string | null = null): Promise<string> {
  const { createTask } = await mc.owner.run(CreateTask, { input: { boardId, title, assigneeId } });
  return createTask.__typename === 'Task' ? createTask.id : expect.fail(JSON.stringify(createTask));
}

async function beat(id: string, report: { status?: 'ACTIVE' | 'IDLE' | null; currentTaskId?: string | null } = {}) {
  return (await mc.owner.run(Heartbeat, { input: { id, ...report } })).heartbeat;
}

/** The agent's events in the log, without those of provisioning. */
async function logged(id: string) {
  const { agent } = await mc.owner.run(ReadEvents, { id });
  return agent?.events.nodes.filter(({ type }) => type !== 'PROVISIONING') ?? [];
}

describe('a task', () => {
  it('goes from the inbox to done, and each change leaves the rest as it was', async () => {
    const { id: assigneeId } = await addAgent(mc.owner, board.id, 'Tessa');
    const id = await addTask('Write the report');
    const { task } = await mc.owner.run(ReadTask, { id });
    expect(task).toEqual({
      id,
      title: 'Write the report',
      description: '',
      status: 'INBOX',
      assignee: null,
      board: { id: board.id },
    });
    let expected: object = { ...task };
    for (const change of [
      { description: 'Two pages' },
      { assigneeId },
      { status: 'IN_PROGRESS' as const },
      { title: '  Write the long report ' },
      { status: 'REVIEW' as const, description: '' },
      { status: 'DONE' as const },
      { title: null, description: null, status: null },
      {},
      { assigneeId: null },
    ]) {
      const { updateTask } = await mc.owner.run(UpdateTask, { input: { id, ...change } });
      expect(updateTask).toMatchObject({ __typename: 'Task' });
      const { assigneeId: assigned, ...rest } = change as Record<string, string | null>;
      const given = Object.entries(rest).filter(([, value]) => value !== null);
      expected = {
        ...expected,
        ...Object.fromEntries(given.map(([key, value]) => [key, value?.trim()])),
        ...(assigned !== undefined && { assignee: assigned === null ? null : { id: assigned } }),
      };
      expect((await mc.owner.run(ReadTask, { id })).task).toEqual(expected);
    }
  });

  it('that is given to whom it has, whatever the case of the id, is not changed', async () => {
    const { id: assigneeId } = await addAgent(mc.owner, board.id, 'Ulla');
    const id = newId();
    const give = async (to: string) => {
      const input = { id: id.toUpperCase(), boardId: board.id, title: 'Hers', assigneeId: to };
      return (await mc.owner.run(CreateTask, { input })).createTask;
    };
    for (const to of [assigneeId.toUpperCase(), assigneeId])
      expect(await give(to)).toMatchObject({ __typename: 'Task', id, assignee: { id: assigneeId } });
    const { task } = await mc.owner.run(ReadTask, { id });
    expect(task?.assignee).toEqual({ id: assigneeId });
    const [before, activities] = [await storedFleet(mc), await mc.prisma.activity.count()];
    for (const same of [assigneeId, assigneeId.toUpperCase()]) {
      const { updateTask } = await mc.owner.run(UpdateTask, { input: { id, assigneeId: same } });
      expect(updateTask).toMatchObject({ __typename: 'Task', assignee: { id: assigneeId } });
    }
    expect(await storedFleet(mc)).toEqual(before);
    expect(await mc.prisma.activity.count()).toBe(activities);
  });

  it('is assigned to agents of its board only', async () => {
    const id = await addTask();
    const before = await storedFleet(mc);
    for (const assigneeId of [beacon, gateway.mainAgent?.id ?? '']) {
      const { updateTask } = await mc.owner.run(UpdateTask, { input: { id, assigneeId, title: 'Changed' } });
      expect(updateTask).toMatchObject({ __typename: 'NotFoundError', message: expect.stringContaining(assigneeId) });
      const { createTask } = await mc.owner.run(CreateTask, { input: { boardId: board.id, title: 'T', assigneeId } });
      expect(createTask).toMatchObject({ __typename: 'NotFoundError' });
    }
    expect(await storedFleet(mc)).toEqual(before);
  });
});

describe('a heartbeat', () => {
  it('makes an agent active with a task, keeps the task while it is busy, and clears it when it is idle', async () => {
    const { id } = await addAgent(mc.owner, board.id, 'Bea');
    const [task, next] = [await addTask('One'), await addTask('Two')];
    const began = Date.now();
    expect(await beat(id, { currentTaskId: task })).toMatchObject({
      __typename: 'Agent',
      status: 'ACTIVE',
      liveness: 'ONLINE',
      currentTask: { id: task },
    });
    expect(await beat(id, { status: 'ACTIVE' })).toMatchObject({ status: 'ACTIVE', currentTask: { id: task } });
    expect(await beat(id, { currentTaskId: next })).toMatchObject({ status: 'ACTIVE', currentTask: { id: next } });
    expect(await beat(id, { status: 'ACTIVE', currentTaskId: null })).toMatchObject({ currentTask: null });
    expect(await beat(id, { status: 'ACTIVE', currentTaskId: task })).toMatchObject({ currentTask: { id: task } });
    expect(await beat(id, { status: 'IDLE' })).toMatchObject({ status: 'IDLE', currentTask: null });
    expect(await beat(id)).toMatchObject({ status: 'IDLE', currentTask: null });
    const { agent } = await mc.owner.run(ReadAgent, { id });
    expect(agent?.lastSeenAt).toBe(agent?.lastHeartbeatAt);
    expect(Date.parse(agent?.lastHeartbeatAt ?? '')).toBeGreaterThanOrEqual(began);
  });

  it.each([
    ['a task that does not exist', async () => '01980000-0000-7000-8000-000000000000'],
    ['a task of another board', () => addTask('Foreign', otherBoard.id)],
  ])('with %s is refused and changes nothing', async (_title, taskOf) => {
    const { id } = await addAgent(mc.owner, board.id, `Nina ${crypto.randomUUID()}`);
    const task = await taskOf();
    const before = await storedFleet(mc);
    expect(await beat(id, { status: 'IDLE', currentTaskId: task })).toMatchObject({
      __typename: 'NotFoundError',
      message: expect.stringContaining(task),
    });
    expect(await storedFleet(mc)).toEqual(before);
  });

  it('comes from an operator with the role ADMIN for any agent, also for a gateway’s main agent', async () => {
    const admin = await asOperator(mc, 'ADMIN');
    const { heartbeat } = await admin.run(Heartbeat, { input: { id: gateway.mainAgent?.id ?? '' } });
    expect(heartbeat).toMatchObject({ id: gateway.mainAgent?.id, status: 'IDLE', liveness: 'ONLINE' });
  });

  it('answers with whatever is asked of the agent, also with what it does not write', async () => {
    const report = graphql(`
      mutation HeartbeatThatAsksForMore($id: ID!) {
        heartbeat(input: { id: $id, status: IDLE }) {
          ... on Agent { name kind workspacePath sessionKey createdAt board { id } provisioning { generation } }
        }
      }
    `);
    const { heartbeat } = await mc.owner.run(report, { id: beacon });
    const { name, kind, openclawAgentId, workspacePath, createdAt, boardId, generation } =
      await mc.prisma.agent.findUniqueOrThrow({ where: { id: beacon } });
    expect(heartbeat).toEqual({
      ...{ name, kind, workspacePath, createdAt: createdAt.toISOString() },
      ...{
        sessionKey: `agent:${openclawAgentId}:main`,
        board: { id: boardId },
        provisioning: { generation },
      },
    });
  });

  it('of a paused agent is refused', async () => {
    const { id } = await addAgent(mc.owner, board.id, 'Paul');
    await mc.prisma.agent.update({ where: { id }, data: { status: 'PAUSED' } });
    const before = await storedFleet(mc);
    expect(await beat(id)).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining('paused') });
    expect(await storedFleet(mc)).toEqual(before);
  });

  it('is told each time; a change of status or liveness only when there is one', async () => {
    const { id } = await addAgent(mc.owner, board.id, 'Eve');
    const [task, next] = [await addTask('One'), await addTask('Two')];
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    await joined(mc.owner, live, beacon);
    const seen = () =>
      live.received
        .map(({ value: { agentEvents } }) => agentEvents)
        .filter(({ agentId, type }) => agentId === id && type !== 'PROVISIONING')
        .map(({ type, status, previousStatus }) => `${type} ${previousStatus ? `${previousStatus} > ` : ''}${status}`);
    const expected: string[] = [];
    const reports: [Parameters<typeof beat>[1], string[]][] = [
      [
        { currentTaskId: task },
        ['STATUS_CHANGED PROVISIONING > ACTIVE', 'LIVENESS_CHANGED ACTIVE', 'HEARTBEAT ACTIVE'],
      ],
      [{ currentTaskId: task }, ['HEARTBEAT ACTIVE']],
      [{ status: 'ACTIVE' }, ['HEARTBEAT ACTIVE']],
      [{ currentTaskId: next }, ['HEARTBEAT ACTIVE']],
      [{ status: 'IDLE' }, ['STATUS_CHANGED ACTIVE > IDLE', 'HEARTBEAT IDLE']],
      [{}, ['HEARTBEAT IDLE']],
    ];
    for (const [report, events] of reports) {
      await beat(id, report);
      expected.push(...events);
      await eventually(seen, (now) => now.length >= expected.length);
    }
    expect(seen()).toEqual(expected);
    await live.stop();
    // What changed nothing is not kept.
    expect((await logged(id)).map(({ type }) => type)).toEqual([
      'CREATED',
      'STATUS_CHANGED',
      'LIVENESS_CHANGED',
      'HEARTBEAT',
      'HEARTBEAT',
      'STATUS_CHANGED',
      'HEARTBEAT',
    ]);
  });
});

describe('200 heartbeats of 20 agents at once', () => {
  it('are all answered, each with what was stored, and told once each', async () => {
    const agents: { id: string; task: string }[] = [];
    for (let index = 0; index < 20; index++) {
      const { id } = await addAgent(mc.owner, board.id, `Swarm ${index}`);
      agents.push({ id, task: await addTask(`Swarm ${index}`) });
    }
    const callers = await Promise.all(agents.map(({ id }) => asAgent(mc, id)));
    const live = mc.owner.subscribe(AgentEvents, { filter: { types: ['HEARTBEAT'] } });
    await live.connected;
    await joined(mc.owner, live, beacon);

    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const agent = agents[index % 20] ?? expect.fail();
        const busy = Math.floor(index / 20) % 2 === 0;
        const input = busy ? { currentTaskId: agent.task } : { status: 'IDLE' as const };
        const result = await callers[index % 20]?.run(Heartbeat, { input });
        return { agent, result: result?.heartbeat };
      }),
    );
    for (const { agent, result } of answers)
      expect(result).toMatchObject({ __typename: 'Agent', id: agent.id, liveness: 'ONLINE' });

    for (const { id, task } of agents) {
      const { agent } = await mc.owner.run(ReadAgent, { id });
      expect(agent).toMatchObject(
        agent?.status === 'ACTIVE'
          ? { status: 'ACTIVE', currentTask: { id: task } }
          : { status: 'IDLE', currentTask: null },
      );
      // The log is a chain: each change begins where the one before ended, and the last one is how it is now.
      const changes = (await logged(id)).filter(({ type }) => type === 'STATUS_CHANGED');
      changes.reduce((status, change) => {
        expect(change.previousStatus).toBe(status);
        return change.status;
      }, 'PROVISIONING' as string);
      expect(changes.at(-1)?.status).toBe(agent?.status);
      expect((await logged(id)).filter(({ type }) => type === 'LIVENESS_CHANGED')).toHaveLength(1);
    }
    const told = () => live.received.filter(({ value }) => value.agentEvents.agentId !== beacon);
    await eventually(
      () => told().length,
      (count) => count >= 200,
    );
    expect(told()).toHaveLength(200);
    await live.stop();
  });

  it('of which some are refused: the others are stored', async () => {
    const workers = [];
    for (let index = 0; index < 10; index++) workers.push(await addAgent(mc.owner, board.id, `Mixed ${index}`));
    const foreign = await addTask('Foreign', otherBoard.id);
    const results = await Promise.all(
      workers.map(({ id }, index) => beat(id, index % 2 ? { currentTaskId: foreign } : { status: 'IDLE' })),
    );
    expect(results.map(({ __typename }) => __typename)).toEqual(
      workers.map((_, index) => (index % 2 ? 'NotFoundError' : 'Agent')),
    );
    const stored = await mc.prisma.agent.findMany({ where: { id: { in: workers.map(({ id }) => id) } } });
    for (const { name, lastHeartbeatAt } of stored)
      expect({ name, seen: lastHeartbeatAt !== null }).toEqual({ name, seen: Number(name.slice(6)) % 2 === 0 });
  });
});

describe('an agent whose signs of life stop', () => {
  async function seen(name: string, heartbeat: { intervalSeconds?: number; enabled?: boolean } = {}) {
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId: board.id, name, heartbeat } });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    await beat(createAgent.id);
    const row = await mc.prisma.agent.findUniqueOrThrow({ where: { id: createAgent.id } });
    const at = row.lastSeenAt?.getTime() ?? expect.fail();
    return { id: createAgent.id, later: (seconds: number) => new Date(at + seconds * 1_000) };
  }
  const livenessOf = async (id: string) => (await mc.owner.run(ReadAgent, { id })).agent?.liveness;

  // Grace: a fifth of the interval, at least 15 s.
  it.each([
    [30, 45, 90],
    [75, 90, 225],
    [300, 360, 900],
    [86_400, 103_680, 259_200],
  ])('with an interval of %i s is LATE beyond %i s and OFFLINE beyond %i s', async (intervalSeconds, late, offline) => {
    const { id, later } = await seen(`Interval ${intervalSeconds}`, { intervalSeconds });
    await sweepLiveness(mc, later(late));
    expect(await livenessOf(id)).toBe('ONLINE');
    await sweepLiveness(mc, later(late + 0.001));
    expect(await livenessOf(id)).toBe('LATE');
    await sweepLiveness(mc, later(offline));
    expect(await livenessOf(id)).toBe('LATE');
    await sweepLiveness(mc, later(offline + 0.001));
    expect(await livenessOf(id)).toBe('OFFLINE');
    await sweepLiveness(mc, later(offline * 2));
    expect(await beat(id)).toMatchObject({ liveness: 'ONLINE' });
    const changes = (await logged(id)).filter(({ type }) => type === 'LIVENESS_CHANGED');
    expect(changes.map(({ liveness }) => liveness)).toEqual(['ONLINE', 'LATE', 'OFFLINE', 'ONLINE']);
    expect(changes[1]?.at).toBe(later(late + 0.001).toISOString());
  });

  it('is told live, and goes straight to OFFLINE after a long silence', async () => {
    const { id, later } = await seen('Silent', { intervalSeconds: 30 });
    const live = mc.owner.subscribe(AgentEvents, { filter: { types: ['LIVENESS_CHANGED'], agentId: id } });
    const all = mc.owner.subscribe(AgentEvents);
    await Promise.all([live.connected, all.connected]);
    await joined(mc.owner, all, beacon);
    await sweepLiveness(mc, later(10_000));
    expect(await livenessOf(id)).toBe('OFFLINE');
    const { agentEvents } = await all.first(
      (value) => value.agentEvents.agentId === id && value.agentEvents.type === 'LIVENESS_CHANGED',
    );
    expect(agentEvents).toMatchObject({ liveness: 'OFFLINE', status: 'IDLE', previousStatus: null });
    await Promise.all([live.stop(), all.stop()]);
  });

  it('is left alone when nothing can be expected of it', async () => {
    const quiet = await seen('No heartbeats', { enabled: false });
    const paused = await seen('Paused');
    await mc.prisma.agent.update({ where: { id: paused.id }, data: { status: 'PAUSED' } });
    const { id: never } = await addAgent(mc.owner, board.id, 'Never seen');
    await sweepLiveness(mc, quiet.later(1_000_000));
    expect(await livenessOf(quiet.id)).toBe('ONLINE');
    expect(await livenessOf(paused.id)).toBe('ONLINE');
    expect(await livenessOf(never)).toBe('UNKNOWN');
  });
});
