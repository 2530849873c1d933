import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleTasks } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import type { Task } from '../generated/prisma/client.ts';
import { findBoard } from './boards.ts';
import { NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { createOnce } from './once.ts';
import { isId, line, parseInput, text, uuid } from './validation.ts';

const title = line(200);
const description = text(20_000);

const createTaskInput = z.object({
  id: uuid.nullish(),
  boardId: z.string(),
  title,
  description: description.nullish(),
  assigneeId: z.string().toLowerCase().nullish(),
});

/**
 * Puts a task on a board.
 * @throws ForbiddenError, ValidationError, NotFoundError (the board, or the assignee on it), ConflictError
 */
export async function createTask(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Task> {
  const input = parseInput(createTaskInput, given);
  const board = await findBoard(fleet, viewer, input.boardId);
  authorize(viewer, 'createTask', { boardId: board.id });
  const { prisma } = fleet.database;
  const settings = {
    boardId: board.id,
    title: input.title,
    description: input.description ?? '',
    assigneeId: input.assigneeId ?? null,
  };
  return createOnce({
    prisma,
    find: (id) => prisma.task.findUnique({ where: { id } }),
    id: input.id,
    organizationId: viewer.organizationId,
    request: settings,
    keptOf: ({ createdFrom }) => createdFrom,
    create: async (tx, createdFrom) => {
      await requireBoard(tx, board.id);
      if (settings.assigneeId !== null) await requireAgentOfBoard(tx, board.id, settings.assigneeId);
      const id = input.id ? { id: input.id } : {};
      const { organizationId } = viewer;
      const task = await tx.task.create({ data: { ...id, ...settings, createdFrom, organizationId } });
      await recordActivity(tx, viewer.actor, { ...aboutTask(task), action: 'TASK_CREATED' });
      return task;
    },
    taken: async () => 'This id is already in use.',
  });
}

const updateTaskInput = z.object({
  id: z.string(),
  title: title.optional(),
  description: description.optional(),
  status: z.enum(['INBOX', 'IN_PROGRESS', 'REVIEW', 'DONE']).optional(),
  assigneeId: z.string().toLowerCase().nullish(),
});

/**
 * Changes what is given of a task; the rest stays.
 * @throws ForbiddenError, ValidationError, NotFoundError (the task, or the assignee on its board)
 */
export async function updateTask(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Task> {
  // For these three, null means the same as leaving it out; for the assignee it means nobody.
  const { id, assigneeId, ...changes } = parseInput(
    updateTaskInput,
    withoutNulls(given, ['title', 'description', 'status']),
  );
  const { id: taskId, boardId } = await findTask(fleet, viewer, id);
  return fleet.database.prisma.$transaction(async (tx) => {
    // Before the task, as whoever deletes the agent does.
    const isThere = assigneeId == null || (await lockAgentOfBoard(tx, boardId, assigneeId));
    // Whose task it is may have changed meanwhile: then so has who may change it.
    const before = await lockTask(tx, taskId);
    authorize(viewer, 'updateTask', { task: before });
    if (assigneeId !== undefined) authorize(viewer, 'assignTask', { task: before });
    if (!isThere) throw new NotFoundError('agent', assigneeId);
    const wanted = Object.entries({ ...changes, assigneeId }).filter(
      ([field, value]) => value !== undefined && before[field as keyof Task] !== value,
    );
    if (wanted.length === 0) return before;
    const updated = await tx.task.update({ where: { id: taskId }, data: Object.fromEntries(wanted) });
    const message = `Changed: ${wanted.map(([field]) => (field === 'assigneeId' ? 'assignee' : field)).join(', ')}.`;
    await recordActivity(tx, viewer.actor, { ...aboutTask(updated), action: 'TASK_UPDATED', message });
    return updated;
  });
}

/**
 * Deletes a task. An agent that works on it has no current task then.
 * @throws ForbiddenError, NotFoundError
 */
export async function deleteTask(fleet: Fleet, viewer: Viewer, id: string): Promise<{ id: string }> {
  const task = await findTask(fleet, viewer, id);
  authorize(viewer, 'deleteTask', { task });
  await fleet.database.prisma.$transaction(async (tx) => {
    const { count } = await tx.task.deleteMany({ where: { id: task.id } });
    if (count === 0) throw new NotFoundError('task', id);
    await recordActivity(tx, viewer.actor, { ...aboutTask(task), action: 'TASK_DELETED' });
  });
  return { id: task.id };
}

async function lockTask(tx: Db, id: string): Promise<Task> {
  await tx.$queryRaw`SELECT 1 FROM "Task" WHERE id = ${id}::uuid FOR UPDATE`;
  const task = await tx.task.findUnique({ where: { id } });
  if (!task) throw new NotFoundError('task', id);
  return task;
}

/** What an activity says of its task. */
function aboutTask(task: Task) {
  return { organizationId: task.organizationId, boardId: task.boardId, object: { id: task.id, name: task.title } };
}

/** The task, if there is one that the viewer can see. @throws NotFoundError */
async function findTask(fleet: Fleet, viewer: Viewer, id: string): Promise<Task> {
  const task = isId(id) ? await fleet.database.prisma.task.findFirst({ where: { id, ...visibleTasks(viewer) } }) : null;
  if (!task) throw new NotFoundError('task', id);
  return task;
}

/** Makes sure that the board is not on its way out, until the end of the transaction. @throws NotFoundError */
async function requireBoard(tx: Db, id: string): Promise<void> {
  const there = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Board" WHERE id = ${id}::uuid AND "deletionRequestedAt" IS NULL FOR SHARE`;
  if (there.length === 0) throw new NotFoundError('board', id);
}

async function requireAgentOfBoard(tx: Db, boardId: string, agentId: string): Promise<void> {
  if (!(await lockAgentOfBoard(tx, boardId, agentId))) throw new NotFoundError('agent', agentId);
}

/** Whether the board has the agent, and it is not on its way out; then it stays so until the end of the transaction. */
async function lockAgentOfBoard(tx: Db, boardId: string, agentId: string): Promise<boolean> {
  if (!isId(agentId)) return false;
  const there = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Agent"
    WHERE id = ${agentId}::uuid AND "boardId" = ${boardId}::uuid AND "deletionRequestedAt" IS NULL
    FOR KEY SHARE`;
  return there.length > 0;
}

function withoutNulls(given: unknown, keys: string[]): unknown {
  if (typeof given !== 'object' || given === null) return given;
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => value !== null || !keys.includes(key)));
}
