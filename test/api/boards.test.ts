import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import type { UpdateBoardInput } from '../../src/generated/client/graphql.ts';
import { asAgent, asOperator, asStranger, UNREACHABLE } from '../support/callers.ts';
import { CreateTask, Heartbeat, UpdateTask } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';

const UpdateBoard = graphql(`
  mutation UpdateBoard($input: UpdateBoardInput!) {
    updateBoard(input: $input) {
      __typename
      ... on Board { id name slug description boardType objective successMetrics targetDate maxAgents }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);
const DeleteTask = graphql(`
  mutation DeleteTask($id: ID!) {
    deleteTask(id: $id) { __typename ... on Deleted { id } ... on Error { message code } }
  }
`);
const WhatWasDone = graphql(`
  query WhatWasDone($board: ID!, $gateway: ID!) {
    board(id: $board) {
      activity(last: 100) { nodes { action objectId objectName message at actor { kind id name credential } } }
      agents { nodes { id provisioning { generation } events(last: 100) { nodes { type message actor { kind name } } } } }
    }
    gateway(id: $gateway) { activity(last: 100) { nodes { action objectId } } }
  }
`);
const ActivityOfAll = graphql(
  `query ActivityOfAll { activity(last: 100) { nodes { action objectId actor { name } } } }`,
);

let mc: MissionControl;
let gateway: { id: string };
let number = 0;

beforeAll(async () => {
  mc = await startMissionControl();
  gateway = await addGateway(mc.owner, UNREACHABLE);
});
afterAll(() => mc.stop());

const update = async (input: UpdateBoardInput, client = mc.owner) =>
  (await client.run(UpdateBoard, { input })).updateBoard;

async function newBoard() {
  number += 1;
  return addBoard(mc.owner, gateway.id, { name: `Board ${number}`, lead: 'Lea' });
}

async function doneTo(boardId: string) {
  const { board, gateway: its } = await mc.owner.run(WhatWasDone, { board: boardId, gateway: gateway.id });
  if (!board || !its) expect.fail('The board is not there.');
  // That the gateway is away is told in its own time.
  const agents = board.agents.nodes.map(({ events, ...agent }) => ({
    ...agent,
    events: events.nodes.filter(({ type }) => type !== 'PROVISIONING'),
  }));
  return { activity: board.activity.nodes, agents, gatewayActivity: its.activity.nodes };
}

/** Whether agents show the field in their documents, which they get anew then. */
const FIELDS: [string, Omit<UpdateBoardInput, 'id'>, boolean][] = [
  ['name', { name: 'Renamed' }, true],
  ['slug', { slug: 'another-slug' }, false],
  ['description', { description: 'About it' }, false],
  ['boardType', { boardType: 'workflow' }, true],
  ['objective', { objective: 'More stars' }, true],
  ['successMetrics', { successMetrics: { stars: 100 } }, false],
  ['targetDate', { targetDate: '2030-01-01T00:00:00.000Z' }, false],
  ['maxAgents', { maxAgents: 0 }, false],
];

describe('updateBoard', () => {
  it.each(FIELDS)('changes %s and nothing else', async (field, change, isShown) => {
    const { id } = await newBoard();
    const before = await update({ id });
    const done = await doneTo(id);
    expect(await update({ id, ...change })).toEqual({ ...before, ...change });
    const after = await doneTo(id);
    expect(after.activity.slice(done.activity.length)).toMatchObject([
      { action: 'BOARD_UPDATED', objectId: id, message: `Changed: ${field}.` },
    ]);
    const [lead] = after.agents;
    expect(lead?.provisioning.generation).toBe(isShown ? 2 : 1);
    const told = lead?.events.filter(({ type }) => type === 'UPDATED');
    expect(told).toEqual(
      isShown
        ? [
            {
              type: 'UPDATED',
              message: `Its board has changed: ${field}.`,
              actor: { kind: 'OPERATOR', name: 'ADMIN_TOKEN' },
            },
          ]
        : [],
    );
  });

  it('clears what can be empty by null, leaves the rest by null, and tells nothing where nothing changes', async () => {
    const { id } = await newBoard();
    const all = Object.assign({}, ...FIELDS.map(([, change]) => change), { slug: 'all-fields' });
    const full = await update({ id, ...all });
    expect(full).toMatchObject(all);
    const nulls = Object.fromEntries(FIELDS.map(([field]) => [field, null]));
    const cleared = { ...full, objective: null, successMetrics: null, targetDate: null };
    expect(await update({ id, ...nulls })).toEqual(cleared);
    const before = [await storedFleet(mc), await doneTo(id)];
    expect(await update({ id, ...nulls })).toEqual(cleared);
    expect(await update({ id, name: 'Renamed', maxAgents: 0 })).toEqual(cleared);
    expect(await update({ id })).toEqual(cleared);
    expect([await storedFleet(mc), await doneTo(id)]).toEqual(before);
  });

  it('is refused with a slug that is taken, for bad input, and to who may not; and changes nothing', async () => {
    const [{ id }, other] = [await newBoard(), await newBoard()];
    const [member, stranger] = [await asOperator(mc, 'MEMBER'), await asStranger(mc)];
    const before = await storedFleet(mc);
    expect(await update({ id, name: 'Never', slug: other.slug })).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining(other.id),
    });
    for (const [field, value] of [
      ['name', ''],
      ['slug', 'No Slug'],
      ['boardType', ' '],
      ['objective', 'x'.repeat(10_001)],
      ['maxAgents', -1],
    ])
      expect(await update({ id, objective: 'Never', [field as string]: value })).toMatchObject({
        __typename: 'ValidationError',
        fields: [{ path: `input.${field}` }],
      });
    expect(await update({ id, name: 'Never' }, stranger)).toMatchObject({ __typename: 'NotFoundError' });
    expect(await update({ id: 'no-uuid', name: 'Never' })).toMatchObject({ __typename: 'NotFoundError' });
    const { errors } = await member.ask(UpdateBoard, { input: { id, name: 'Never' } });
    expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
    expect(await storedFleet(mc)).toEqual(before);
  });
});

describe('who did what', () => {
  it('is kept with boards, tasks and gateways, and stays when they are gone', async () => {
    const { id: boardId } = await newBoard();
    const member = await asOperator(mc, 'MEMBER');
    const { id: agentId } = await addAgent(mc.owner, boardId, 'Wanda');
    const { createTask } = await member.run(CreateTask, { input: { boardId, title: 'Write' } });
    if (createTask.__typename !== 'Task') expect.fail(JSON.stringify(createTask));
    const { id } = createTask;
    await mc.owner.run(UpdateTask, { input: { id, assigneeId: agentId, status: 'IN_PROGRESS' } });
    const agent = await asAgent(mc, agentId);
    await agent.run(UpdateTask, { input: { id, status: 'REVIEW' } });
    await agent.run(Heartbeat, { input: { currentTaskId: id } });
    expect((await mc.prisma.agent.findUniqueOrThrow({ where: { id: agentId } })).currentTaskId).toBe(id);

    expect((await agent.ask(DeleteTask, { id })).errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
    expect((await (await asStranger(mc)).run(DeleteTask, { id })).deleteTask.__typename).toBe('NotFoundError');
    expect((await member.run(DeleteTask, { id })).deleteTask).toEqual({ __typename: 'Deleted', id });
    expect((await member.run(DeleteTask, { id })).deleteTask.__typename).toBe('NotFoundError');
    expect((await mc.prisma.agent.findUniqueOrThrow({ where: { id: agentId } })).currentTaskId).toBeNull();

    const { activity, agents, gatewayActivity } = await doneTo(boardId);
    const owner = { kind: 'OPERATOR', name: 'ADMIN_TOKEN' };
    const task = { objectId: id, objectName: 'Write' };
    expect(activity).toMatchObject([
      { action: 'BOARD_CREATED', objectId: boardId, actor: owner },
      { ...task, action: 'TASK_CREATED', actor: { kind: 'OPERATOR', name: 'Test MEMBER' } },
      { ...task, action: 'TASK_UPDATED', message: 'Changed: status, assignee.', actor: owner },
      {
        ...task,
        action: 'TASK_UPDATED',
        message: 'Changed: status.',
        actor: { kind: 'AGENT', id: agentId, name: 'Wanda' },
      },
      { ...task, action: 'TASK_DELETED', actor: { kind: 'OPERATOR', name: 'Test MEMBER' } },
    ]);
    // Of a gateway, what was done to it and to its boards.
    const ofGateway = gatewayActivity.filter(({ objectId }) => [gateway.id, boardId].includes(objectId));
    expect(ofGateway).toEqual([
      { action: 'GATEWAY_CREATED', objectId: gateway.id },
      { action: 'BOARD_CREATED', objectId: boardId },
    ]);
    expect(gatewayActivity.map(({ action }) => action)).not.toContain('TASK_CREATED');
    const told = agents.find((each) => each.id === agentId)?.events;
    expect(told).toMatchObject([
      { type: 'CREATED', actor: owner },
      { type: 'STATUS_CHANGED', actor: { kind: 'AGENT', name: 'Wanda' } },
      { type: 'LIVENESS_CHANGED', actor: { kind: 'AGENT', name: 'Wanda' } },
      { type: 'HEARTBEAT', actor: { kind: 'AGENT', name: 'Wanda' } },
    ]);
    const all = (await mc.owner.run(ActivityOfAll)).activity.nodes;
    expect(all.filter(({ objectId }) => objectId === id)).toHaveLength(4);
    expect((await member.ask(ActivityOfAll)).errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
    // The first characters of a token, never the token.
    expect(JSON.stringify(activity)).not.toContain('test-admin-token-that-is-long-enough');
  });
});
