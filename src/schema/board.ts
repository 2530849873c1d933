import { listedAgents, visibleBoards, visibleTasks } from '../access/visibility.ts';
import { createBoard } from '../fleet/boards.ts';
import { ConflictError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { isId } from '../fleet/validation.ts';
import { agent, agentConnection, agentFilter, agentsMatching, identityProfileInput } from './agent.ts';
import { builder } from './builder.ts';
import { beyondCursor, checkCursors, connectionObject, withoutCursor } from './connection.ts';
import { resultUnion } from './errors.ts';
import { node } from './node.ts';
import { taskConnection, taskFilter, tasksMatching } from './task.ts';

const board = builder.prismaObject('Board', {
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
    lead: t.prismaField({
      type: agent,
      nullable: true,
      description: 'The agent that orchestrates the others.',
      resolve: (query, { id }, _args, { fleet }) =>
        fleet.database.prisma.agent.findFirst({
          ...query,
          where: { boardId: id, kind: 'BOARD_LEAD', deletionRequestedAt: null },
        }),
    }),
    agents: t.relatedConnection(
      'agents',
      {
        cursor: 'id',
        totalCount: true,
        description: 'Its agents, the lead included, oldest first.',
        args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
        query: ({ filter, ...page }, { viewer }) => {
          checkCursors(page);
          return { where: { AND: [listedAgents(viewer), agentsMatching(filter)] }, orderBy: { id: 'asc' } };
        },
      },
      agentConnection,
    ),
    tasks: t.relatedConnection(
      'tasks',
      {
        cursor: 'id',
        totalCount: true,
        description: 'Its tasks, oldest first.',
        args: { filter: t.arg({ type: taskFilter, description: 'Only these.' }) },
        query: ({ filter, ...page }, { viewer }) => {
          checkCursors(page);
          return { where: { AND: [visibleTasks(viewer), tasksMatching(filter)] }, orderBy: { id: 'asc' } };
        },
      },
      taskConnection,
    ),
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

builder.queryFields((t) => ({
  board: t.prismaField({
    type: board,
    nullable: true,
    description: 'The board with this id.',
    args: { id: t.arg.id({ required: true, description: 'The board’s id.' }) },
    resolve: (query, _root, { id }, { fleet, viewer }) =>
      isId(id) ? fleet.database.prisma.board.findFirst({ ...query, where: { id, ...visibleBoards(viewer) } }) : null,
  }),
  boards: t.prismaConnection(
    {
      type: board,
      cursor: 'id',
      description: 'The boards, oldest first.',
      args: { gatewayId: t.arg.id({ description: 'Only the boards on this gateway.' }) },
      totalCount: (_root, { gatewayId }, { fleet, viewer }) =>
        fleet.database.prisma.board.count({ where: { AND: [visibleBoards(viewer), onGateway(gatewayId)] } }),
      resolve: (query, _root, { gatewayId, ...page }, { fleet, viewer }) =>
        fleet.database.prisma.board.findMany({
          ...withoutCursor(query),
          where: { AND: [visibleBoards(viewer), onGateway(gatewayId), beyondCursor(page)] },
          orderBy: { id: 'asc' },
        }),
    },
    boardConnection,
  ),
}));

/** An id that is none matches nothing. */
function onGateway(gatewayId: string | null | undefined) {
  if (gatewayId === null || gatewayId === undefined) return {};
  return isId(gatewayId) ? { gatewayId } : { id: { in: [] } };
}

builder.mutationField('createBoard', (t) =>
  t.field({
    type: board,
    description: 'Makes a board, and its lead when one is asked for.',
    args: { input: t.arg({ type: createBoardInput, required: true, description: 'The board.' }) },
    errors: resultUnion('CreateBoardResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => createBoard(fleet, viewer, input),
  }),
);
