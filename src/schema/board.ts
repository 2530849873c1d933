import { listedAgents, visibleBoards, visibleTasks } from '../access/visibility.ts';
import { updateBoard } from '../fleet/board-updates.ts';
import { createBoard, deleteBoard } from '../fleet/boards.ts';
import { ConflictError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { isId } from '../fleet/validation.ts';
import { activityConnection, activityOfOne } from './activity.ts';
import { agent, agentConnection, agentFilter, agentsMatching, identityProfileInput } from './agent.ts';
import { readTogether, selectionOf } from './batch.ts';
import { builder } from './builder.ts';
import { rowById } from './by-id.ts';
import { connectionObject, listOf, listOfEach } from './connection.ts';
import { deleted, resultUnion } from './errors.ts';
import { node } from './node.ts';
import { pageOf } from './page.ts';
import { task, taskConnection, taskFilter, tasksMatching } from './task.ts';

export const board = builder.prismaObject('Board', {
  description: 'A team of agents with a goal: a lead, workers and tasks, on one gateway.',
  interfaces: [node],
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people.' }),
    slug: t.exposeString('slug', { description: 'For URLs; unique in the organization.' }),
    description: t.exposeString('description', { description: 'What it is about.' }),
    boardType: t.exposeString('boardType', { description: 'For example: goal, workflow.' }),
    objective: t.exposeString('objective', { nullable: true, description: 'What the board is to reach.' }),
    successMetrics: t.expose('successMetrics', {
      type: 'JSON',
      nullable: true,
      description: 'How one can tell that it was reached.',
    }),
    targetDate: t.expose('targetDate', { type: 'DateTime', nullable: true, description: 'When it is to be reached.' }),
    maxAgents: t.exposeInt('maxAgents', { description: 'How many workers the board’s lead may create.' }),
    gateway: t.relation('gateway', { description: 'Where its agents run.' }),
    lead: t.field({
      type: agent,
      nullable: true,
      description: 'The agent that orchestrates the others.',
      resolve({ id }, _args, context, info) {
        const selection = selectionOf(context, info, { id: true, boardId: true });
        return readTogether(context, info, 'lead', id, async (ids) => {
          const leads = await context.fleet.database.prisma.agent.findMany({
            ...selection,
            where: { boardId: { in: [...ids] }, kind: 'BOARD_LEAD', deletionRequestedAt: null },
          });
          return new Map(leads.map((lead) => [lead.boardId ?? '', lead]));
        });
      },
    }),
    agents: t.connection(
      {
        type: agent,
        description: 'Its agents, the lead included, oldest first.',
        args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
        resolve: ({ id }, { filter, ...page }, context, info) => {
          const where = { AND: [listedAgents(context.viewer), agentsMatching(filter)] };
          return pageOf(page, listOfEach(context, info, { parents: 'board', id, relation: 'agents' }, where));
        },
      },
      agentConnection,
    ),
    tasks: t.connection(
      {
        type: task,
        description: 'Its tasks, oldest first.',
        args: { filter: t.arg({ type: taskFilter, description: 'Only these.' }) },
        resolve: ({ id }, { filter, ...page }, context, info) => {
          const where = { AND: [visibleTasks(context.viewer), tasksMatching(filter)] };
          return pageOf(page, listOfEach(context, info, { parents: 'board', id, relation: 'tasks' }, where));
        },
      },
      taskConnection,
    ),
    activity: t.field({
      type: activityConnection,
      description: 'What was done to it and to its tasks, and by whom, oldest first.',
      args: t.arg.connectionArgs(),
      resolve: ({ id }, args, context, info) => pageOf(args, activityOfOne(context, info, { boardId: id })),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

export const boardConnection = connectionObject('Board', board, 'boards');

const boardLeadInput = builder.inputType('BoardLeadInput', {
  description: 'The lead of a new board.',
  fields: (t) => ({
    name: t.string({ defaultValue: 'Lead Agent', description: 'Unique on the board, regardless of case.' }),
    identityProfile: t.field({ type: identityProfileInput, description: 'Who the lead is.' }),
  }),
});

const createBoardInput = builder.inputType('CreateBoardInput', {
  description: 'A new board.',
  fields: (t) => ({
    id: t.id({ description: 'A UUID of your choice: the same create sent twice makes one board.' }),
    gatewayId: t.id({ required: true, description: 'Where its agents are to run.' }),
    name: t.string({ required: true, description: 'For people. 1 to 80 characters.' }),
    slug: t.string({ description: 'Made from the name when left out; unique in the organization.' }),
    description: t.string({ defaultValue: '', description: 'What it is about.' }),
    boardType: t.string({ defaultValue: 'goal', description: 'For example: goal, workflow.' }),
    objective: t.string({ description: 'What the board is to reach.' }),
    successMetrics: t.field({ type: 'JSON', description: 'How one can tell that it was reached.' }),
    targetDate: t.field({ type: 'DateTime', description: 'When it is to be reached.' }),
    maxAgents: t.int({ defaultValue: 5, description: 'How many workers the board’s lead may create.' }),
    lead: t.field({ type: boardLeadInput, description: 'Create and provision the board’s lead as well.' }),
  }),
});

const updateBoardInput = builder.inputType('UpdateBoardInput', {
  description:
    'What is to change of a board; what is left out stays. Null clears objective, successMetrics and targetDate.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The board’s id.' }),
    name: t.string({ description: 'For people. 1 to 80 characters.' }),
    slug: t.string({ description: 'Unique in the organization.' }),
    description: t.string({ description: 'What it is about.' }),
    boardType: t.string({ description: 'For example: goal, workflow.' }),
    objective: t.string({ description: 'What the board is to reach.' }),
    successMetrics: t.field({ type: 'JSON', description: 'How one can tell that it was reached.' }),
    targetDate: t.field({ type: 'DateTime', description: 'When it is to be reached.' }),
    maxAgents: t.int({
      description: 'How many workers the board’s lead may create. Those that are there stay when there are more.',
    }),
  }),
});

builder.queryFields((t) => ({
  board: t.field({
    type: board,
    nullable: true,
    description: 'The board with this id.',
    args: { id: t.arg.id({ required: true, description: 'The board’s id.' }) },
    resolve: (_root, { id }, context, info) => rowById(context, info, 'board', id, visibleBoards(context.viewer)),
  }),
  boards: t.connection(
    {
      type: board,
      description: 'The boards, oldest first.',
      args: { gatewayId: t.arg.id({ description: 'Only the boards on this gateway.' }) },
      resolve: (_root, { gatewayId, ...page }, context, info) => {
        const where = { AND: [visibleBoards(context.viewer), onGateway(gatewayId)] };
        return pageOf(page, listOf(context, info, 'board', where));
      },
    },
    boardConnection,
  ),
}));

/** An id that is none matches nothing. */
function onGateway(gatewayId: string | null | undefined) {
  if (gatewayId === null || gatewayId === undefined) return {};
  return isId(gatewayId) ? { gatewayId } : { id: { in: [] } };
}

builder.mutationFields((t) => ({
  createBoard: t.field({
    type: board,
    description: 'Makes a board, and its lead when one is asked for.',
    args: { input: t.arg({ type: createBoardInput, required: true, description: 'The board.' }) },
    errors: resultUnion('CreateBoardResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => createBoard(fleet, viewer, input),
  }),
  updateBoard: t.field({
    type: board,
    description: 'Changes a board. Agents whose documents show what has changed get them anew.',
    args: { input: t.arg({ type: updateBoardInput, required: true, description: 'What is to change.' }) },
    errors: resultUnion('UpdateBoardResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => updateBoard(fleet, viewer, input),
  }),
  deleteBoard: t.field({
    type: deleted,
    description:
      'Deletes its agents and tasks too. It is gone at once for everybody; its agents leave their gateway one by one, and ' +
      'can be followed by agentEvents.',
    args: { id: t.arg.id({ required: true, description: 'The board’s id.' }) },
    errors: resultUnion('DeleteBoardResult', [NotFoundError]),
    resolve: (_root, { id }, { fleet, viewer }) => deleteBoard(fleet, viewer, id),
  }),
}));
