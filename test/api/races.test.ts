import { v7 as newId } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { UNREACHABLE } from '../support/callers.ts';
import {
  CreateAgent,
  CreateBoard,
  CreateGateway,
  CreateTask,
  DeleteAgent,
  DeleteBoard,
  DeleteGateway,
  UpdateGateway,
  UpdateTask,
} from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

// What can be deleted meanwhile is not asked for: only whether it was done.
const OnlyCreateTask = graphql(
  `mutation OnlyCreateTask($input: CreateTaskInput!) { createTask(input: $input) { __typename } }`,
);
const CreateTaskAndReadBoard = graphql(`
  mutation CreateTaskAndReadBoard($input: CreateTaskInput!) {
    createTask(input: $input) { __typename ... on Task { id board { id name } } ... on Error { message } }
  }
`);

let mc: MissionControl;
let gateway: { id: string };
let number = 0;

beforeAll(async () => {
  mc = await startMissionControl();
  gateway = await addGateway(mc.owner, UNREACHABLE);
});
afterAll(() => mc.stop());

const createBoard = async (input: { id?: string; gatewayId: string; name: string; lead?: { name: string } }) =>
  (await mc.owner.run(CreateBoard, { input })).createBoard;
const createAgent = async (boardId: string, name: string, id?: string) =>
  (await mc.owner.run(CreateAgent, { input: { boardId, name, ...(id && { id }) } })).createAgent;
const createTask = async (input: { id?: string; boardId: string; assigneeId?: string }) =>
  (await mc.owner.run(CreateTask, { input: { title: 'T', ...input } })).createTask;
const onlyCreateTask = async (input: { boardId: string; assigneeId?: string }) =>
  (await mc.owner.run(OnlyCreateTask, { input: { title: 'T', ...input } })).createTask;

/** A gateway of this test's own, with boards that have a lead and a worker each. */
async function busyGateway(boards: number) {
  const { id } = await addGateway(mc.owner, UNREACHABLE, `Gateway ${++number}`);
  const boardIds: string[] = [];
  for (let count = 0; count < boards; count++) {
    const board = await addBoard(mc.owner, id, { name: `Board ${number}, ${count}`, lead: 'Lena', maxAgents: 100 });
    await addAgent(mc.owner, board.id, 'Worker');
    boardIds.push(board.id);
  }
  return { id, boardIds };
}

// Every answer is read by `run`, which fails for any error that is no member of the result.
describe('at the same time', () => {
  it('one id for objects of several types makes one of them', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Ids', maxAgents: 100 });
    for (let round = 0; round < 10; round++) {
      const id = newId();
      const { url, stateDir: workspaceRoot } = UNREACHABLE;
      const results = await Promise.all([
        createTask({ id, boardId: board.id }),
        createAgent(board.id, `Agent ${round}`, id),
        createBoard({ id, gatewayId: gateway.id, name: `Board ${round}` }),
        mc.owner
          .run(CreateGateway, { input: { id, name: `Gateway of round ${round}`, url, workspaceRoot } })
          .then((result) => result.createGateway),
      ]);
      const refused = results.filter(({ __typename }) => __typename === 'ConflictError');
      expect(refused, JSON.stringify(results)).toHaveLength(3);
      for (const each of refused) expect(each).toMatchObject({ message: expect.stringContaining(id) });
    }
  });

  it('a gateway that is deleted with its boards, and agents that are made there: each is done or refused', async () => {
    for (let round = 0; round < 6; round++) {
      const { id, boardIds } = await busyGateway(2);
      const [one = '', two = ''] = boardIds;
      const [first, { deleteGateway }, ...others] = await Promise.all([
        createAgent(one, 'First'),
        mc.owner.run(DeleteGateway, { id, force: true }),
        createAgent(two, 'Second'),
        createAgent(one, 'Third'),
      ]);
      expect(deleteGateway).toMatchObject({ __typename: 'Deleted', id });
      for (const { __typename } of [first, ...others]) expect(['Agent', 'NotFoundError']).toContain(__typename);
      expect(await mc.prisma.agent.count({ where: { gatewayId: id, deletionRequestedAt: null } })).toBe(0);
    }
  });

  it('a gateway’s workspace root that changes is that of all agents that are made there', async () => {
    for (let round = 0; round < 12; round++) {
      const { id } = await addGateway(mc.owner, UNREACHABLE, `Moved ${round}`);
      const board = await addBoard(mc.owner, id, { name: `Moved ${round}` });
      const results = await Promise.all([
        createBoard({ gatewayId: id, name: 'New', lead: { name: 'Leo' } }),
        mc.owner.run(UpdateGateway, { input: { id, workspaceRoot: '/moved' } }).then((result) => result.updateGateway),
        createAgent(board.id, 'New'),
      ]);
      expect(results.map(({ __typename }) => __typename)).toEqual(['Board', 'Gateway', 'Agent']);
      const agents = await mc.prisma.agent.findMany({ where: { gatewayId: id }, select: { workspacePath: true } });
      expect(agents).toHaveLength(3);
      for (const { workspacePath } of agents) expect(workspacePath).toMatch(/^\/moved\//);
    }
  });

  it('tasks that are given to an agent while it is deleted are nobody’s', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Assignments', maxAgents: 100 });
    for (let round = 0; round < 12; round++) {
      const { id: assigneeId } = await addAgent(mc.owner, board.id, `Agent ${round}`);
      const ids: string[] = [];
      for (const given of [{}, {}, { assigneeId }]) {
        const task = await createTask({ boardId: board.id, ...given });
        ids.push(task.__typename === 'Task' ? task.id : expect.fail(JSON.stringify(task)));
      }
      const assign = async (id = '') =>
        (await mc.owner.run(UpdateTask, { input: { id, assigneeId, status: 'IN_PROGRESS' } })).updateTask;
      const [first, { deleteAgent }, ...others] = await Promise.all([
        assign(ids[0]),
        mc.owner.run(DeleteAgent, { id: assigneeId }),
        assign(ids[1]),
        createTask({ boardId: board.id, assigneeId }),
        assign(ids[2]),
      ]);
      expect(deleteAgent).toMatchObject({ __typename: 'Agent', status: 'DELETED' });
      for (const { __typename } of [first, ...others]) expect(['Task', 'NotFoundError']).toContain(__typename);
      expect(await mc.prisma.task.count({ where: { assigneeId } })).toBe(0);
    }
  });

  it('tasks that are made on a board while it is deleted go with it', async () => {
    for (let round = 0; round < 12; round++) {
      const board = await addBoard(mc.owner, gateway.id, { name: `Going ${round}`, lead: 'Lena' });
      const { id: assigneeId } = await addAgent(mc.owner, board.id);
      const [first, { deleteBoard }, ...others] = await Promise.all([
        onlyCreateTask({ boardId: board.id }),
        mc.owner.run(DeleteBoard, { id: board.id }),
        onlyCreateTask({ boardId: board.id, assigneeId }),
        onlyCreateTask({ boardId: board.id }),
      ]);
      expect(deleteBoard).toMatchObject({ __typename: 'Deleted', id: board.id });
      for (const { __typename } of [first, ...others]) expect(['Task', 'NotFoundError']).toContain(__typename);
      expect(await mc.prisma.task.count({ where: { boardId: board.id } })).toBe(0);
    }
  });

  it('what was made and is gone when the answer tells more of it is told as deleted meanwhile', async () => {
    const board = await addBoard(mc.owner, gateway.id, { name: 'Gone' });
    // In place of somebody who deletes its board just then.
    await mc.prisma.$executeRaw`CREATE FUNCTION delete_at_once() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN DELETE FROM "Task" WHERE id = NEW.id; RETURN NULL; END'`;
    await mc.prisma.$executeRaw`CREATE CONSTRAINT TRIGGER delete_at_once AFTER INSERT ON "Task"
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION delete_at_once()`;
    const { errors } = await mc.owner.ask(CreateTaskAndReadBoard, { input: { boardId: board.id, title: 'T' } });
    await mc.prisma.$executeRaw`DROP FUNCTION delete_at_once CASCADE`;
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'The task was deleted meanwhile.',
        path: ['createTask', 'board'],
        extensions: { code: 'NOT_FOUND', requestId: expect.any(String) },
      }),
    ]);
  });
});
