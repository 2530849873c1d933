import { visibleTasks } from '../access/visibility.ts';
import { ConflictError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { createTask, deleteTask, updateTask } from '../fleet/tasks.ts';
import { isId } from '../fleet/validation.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { builder } from './builder.ts';
import { rowById } from './by-id.ts';
import { connectionObject } from './connection.ts';
import { deleted, resultUnion } from './errors.ts';
import { node } from './node.ts';

const taskStatus = builder.enumType('TaskStatus', {
  description: 'How far a task has come.',
  values: {
    INBOX: { description: 'Nobody has begun it.' },
    IN_PROGRESS: { description: 'Its assignee works on it.' },
    REVIEW: { description: 'Done as far as the assignee can tell; somebody is to look at it.' },
    DONE: { description: 'Finished.' },
  },
});

export const task = builder.prismaObject('Task', {
  description: 'Something to be done by an agent of a board.',
  interfaces: [node],
  select: { id: true },
  fields: (t) => ({
    board: t.relation('board', { description: 'Where it belongs.' }),
    title: t.exposeString('title', { description: 'In one line.' }),
    description: t.exposeString('description', { description: 'All that its assignee needs to know.' }),
    status: t.expose('status', { type: taskStatus, description: 'How far it has come.' }),
    assignee: t.relation('assignee', { nullable: true, description: 'Who is to do it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

export const taskConnection = connectionObject('Task', task, 'tasks');

export const taskFilter = builder.inputType('TaskFilter', {
  description: 'Tasks that match everything given.',
  fields: (t) => ({
    status: t.field({ type: [taskStatus], description: 'Any of these.' }),
    assigneeId: t.id({ description: 'Assigned to this agent.' }),
  }),
});

/** The condition that a filter stands for. An id that is none matches nothing. */
export function tasksMatching(filter: typeof taskFilter.$inferInput | null | undefined): Prisma.TaskWhereInput {
  const { status, assigneeId } = filter ?? {};
  if (assigneeId != null && !isId(assigneeId)) return { id: { in: [] } };
  return { ...(status && { status: { in: status } }), ...(assigneeId && { assigneeId }) };
}

const createTaskInput = builder.inputType('CreateTaskInput', {
  description: 'A new task.',
  fields: (t) => ({
    id: t.id({ description: 'A UUID of your choice: the same create sent twice makes one task.' }),
    boardId: t.id({ required: true, description: 'Where it belongs.' }),
    title: t.string({ required: true, description: 'In one line, at most 200 characters.' }),
    description: t.string({ defaultValue: '', description: 'All that its assignee needs to know.' }),
    assigneeId: t.id({ description: 'An agent of the board.' }),
  }),
});

const updateTaskInput = builder.inputType('UpdateTaskInput', {
  description: 'What is to change of a task; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The task’s id.' }),
    title: t.string({ description: 'In one line, at most 200 characters.' }),
    description: t.string({ description: 'All that its assignee needs to know.' }),
    status: t.field({ type: taskStatus, description: 'How far it has come.' }),
    assigneeId: t.id({ description: 'null clears the assignment.' }),
  }),
});

builder.queryField('task', (t) =>
  t.field({
    type: task,
    nullable: true,
    description: 'The task with this id.',
    args: { id: t.arg.id({ required: true, description: 'The task’s id.' }) },
    resolve: (_root, { id }, context, info) => rowById(context, info, 'task', id, visibleTasks(context.viewer)),
  }),
);

builder.mutationFields((t) => ({
  createTask: t.field({
    type: task,
    description: 'Puts a task on a board.',
    args: { input: t.arg({ type: createTaskInput, required: true, description: 'The task.' }) },
    errors: resultUnion('CreateTaskResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => createTask(fleet, viewer, input),
  }),
  updateTask: t.field({
    type: task,
    description: 'Changes what is given of a task.',
    args: { input: t.arg({ type: updateTaskInput, required: true, description: 'The changes.' }) },
    errors: resultUnion('UpdateTaskResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => updateTask(fleet, viewer, input),
  }),
  deleteTask: t.field({
    type: deleted,
    description: 'Deletes a task. An agent that works on it has no current task then.',
    args: { id: t.arg.id({ required: true, description: 'The task’s id.' }) },
    errors: resultUnion('DeleteTaskResult', [NotFoundError]),
    resolve: (_root, { id }, { fleet, viewer }) => deleteTask(fleet, viewer, id),
  }),
}));
