import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toCursor } from '../../src/events/cursor.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { asStranger, UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, CreateTask, Heartbeat, UpdateTask } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const TaskEvents = graphql(`
  subscription TaskEvents($boardId: ID!) {
    taskEvents(boardId: $boardId) { at taskId type task { id title status board { id } } }
  }
`);
const RemoveTask = graphql(`mutation RemoveTask($id: ID!) { deleteTask(id: $id) { __typename } }`);
const AgentsWithCursor = graphql(`
  query AgentsWithCursor { agents(first: 100) { eventCursor nodes { id status liveness } } }
`);
const BoardsWithCursors = graphql(`
  query BoardsWithCursors {
    boards(first: 100) { nodes { agents(first: 100) { ...ListedAgents } } }
  }
  fragment ListedAgents on AgentConnection { at: eventCursor nodes { id status liveness } }
`);

let mc: MissionControl;
let gateway: { id: string };
beforeAll(async () => {
  mc = await startMissionControl();
  gateway = await addGateway(mc.owner, UNREACHABLE);
});
afterAll(() => mc.stop());

async function addTask(boardId: string, title: string): Promise<string> {
  const { createTask } = await mc.owner.run(CreateTask, { input: { boardId, title } });
  return createTask.__typename === 'Task' ? createTask.id : expect.fail(JSON.stringify(createTask));
}

describe('taskEvents', () => {
  it('tells of the board’s tasks as they come, change and go, and of no other board’s', async () => {
    const [board, other] = [
      await addBoard(mc.owner, gateway.id, { name: 'Followed' }),
      await addBoard(mc.owner, gateway.id, { name: 'Not followed' }),
    ];
    const live = mc.owner.subscribe(TaskEvents, { boardId: board.id.toUpperCase() });
    // Until it is told of one, it may not have begun.
    await eventually(
      () => addTask(board.id, 'Beacon'),
      () => live.received.length > 0,
    );
    const foreign = await addTask(other.id, 'Elsewhere');
    const id = await addTask(board.id, 'Write');
    await mc.owner.run(UpdateTask, { input: { id, status: 'DONE' } });
    // Nothing of it changes.
    await mc.owner.run(UpdateTask, { input: { id, status: 'DONE' } });
    await mc.owner.run(RemoveTask, { id });
    await mc.owner.run(RemoveTask, { id: foreign });
    const last = await addTask(board.id, 'Last');
    await live.first(({ taskEvents }) => taskEvents.taskId === last);
    const told = live.received.map(({ value }) => value.taskEvents).filter(({ task }) => task?.title !== 'Beacon');
    expect(told.map(({ taskId, type }) => [taskId, type])).toEqual([
      [id, 'CREATED'],
      [id, 'UPDATED'],
      [id, 'DELETED'],
      [last, 'CREATED'],
    ]);
    expect(told[2]?.task).toBeNull();
    expect(told[3]?.task).toEqual({ id: last, title: 'Last', status: 'INBOX', board: { id: board.id } });
    await live.stop();
  });

  it('is refused for a board of another organization, and for none', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Ours' });
    const stranger = await asStranger(mc);
    for (const [client, boardId] of [
      [stranger, board.id],
      [mc.owner, 'no-uuid'],
      [mc.owner, gateway.id],
    ] as const)
      await expect(client.subscribe(TaskEvents, { boardId }).ended).rejects.toThrow('NOT_FOUND');
  });
});

describe('eventCursor', () => {
  it.each([
    [
      'of all agents',
      async () => {
        const { agents } = await mc.owner.run(AgentsWithCursor);
        return { cursor: agents.eventCursor, nodes: agents.nodes };
      },
    ],
    [
      'of lists within a list',
      async () => {
        const { boards } = await mc.owner.run(BoardsWithCursors);
        const [cursor, ...more] = new Set(boards.nodes.map(({ agents }) => agents.at));
        expect(more).toEqual([]);
        return {
          cursor: cursor ?? expect.fail('There is no board.'),
          nodes: boards.nodes.flatMap((b) => b.agents.nodes),
        };
      },
    ],
  ])('%s, and what follows it, miss nothing that is written meanwhile', async (title, list) => {
    const board = await addBoard(mc.owner, gateway.id, { name: `Busy ${title}` });
    const ids: string[] = [];
    for (const name of ['A', 'B']) ids.push((await addAgent(mc.owner, board.id, name)).id);
    let isOver = false;
    const writing = (async () => {
      for (let beat = 0; !isOver; beat++)
        for (const id of ids)
          await mc.owner.run(Heartbeat, { input: { id, status: beat % 2 === 0 ? 'ACTIVE' : 'IDLE' } });
    })();
    for (let round = 0; round < 5; round++) {
      const { cursor, nodes } = await list();
      const followed = mc.owner.subscribe(AgentEvents, { filter: { boardId: board.id }, after: cursor });
      const changes = () => followed.received.map(({ value }) => value.agentEvents);
      for (const id of ids) {
        const listed = nodes.find((node) => node.id === id) ?? expect.fail('The agent is not listed.');
        const told = await eventually(
          () => changes().filter((event) => event.agentId === id && event.type === 'STATUS_CHANGED'),
          (events) => events.length >= 2,
        );
        const log = await mc.prisma.agentEvent.findMany({
          where: { agentId: id, type: 'STATUS_CHANGED' },
          orderBy: { seq: 'asc' },
        });
        const [before, after] = [
          log.filter(({ seq }) => toCursor(seq) <= cursor),
          log.filter(({ seq }) => toCursor(seq) > cursor),
        ];
        expect(told.map((event) => event.cursor)).toEqual(after.slice(0, told.length).map(({ seq }) => toCursor(seq)));
        // What the list says was so when the cursor was taken, or has come since, and is told.
        const known = [before.at(-1)?.status ?? 'PROVISIONING', ...after.map(({ status }) => status)];
        expect(known).toContain(listed.status);
      }
      await followed.stop();
    }
    isOver = true;
    await writing;
  });
});
