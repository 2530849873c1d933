import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleTasks } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
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
  assigneeId: z.string().nullish(),
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
    db: prisma,
    find: (id) => prisma.task.findUnique({ where: { id } }),
    id: input.id,
    organizationId: viewer.organizationId,
    same: settings,
    create: () =>
      prisma.$transaction(async (tx) => {
        if (settings.assigneeId !== null) await requireAgentOfBoard(tx, board.id, settings.assigneeId);
        const id = input.id ? { id: input.id } : {};
        return tx.task.create({ data: { ...id, ...settings, organizationId: viewer.organizationId } });
      }),
    taken: async () => 'This id is already in use.',
  });
}

const updateTaskInput = z.object({
  id: z.string(),
  title: title.optional(),
  description: description.optional(),
  status: z.enum(['INBOX', 'IN_PROGRESS', 'REVIEW', 'DONE']).optional(),
  assigneeId: z.string().nullish(),
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
  const task = await findTask(fleet, viewer, id);
  authorize(viewer, 'updateTask', { task });
  if (assigneeId !== undefined) authorize(viewer, 'assignTask', { task });
  return fleet.database.prisma.$transaction(async (tx) => {
    if (assigneeId !== undefined && assigneeId !== null) await requireAgentOfBoard(tx, task.boardId, assigneeId);
    const [updated] = await tx.task.updateManyAndReturn({
      where: { id: task.id },
      data: { ...definedOf(changes), ...(assigneeId !== undefined && { assigneeId }) },
    });
    if (!updated) throw new NotFoundError('task', id);
    return updated;
  });
}

/** The task, if there is one that the viewer can see. @throws NotFoundError */
async function findTask(fleet: Fleet, viewer: Viewer, id: string): Promise<Task> {
  const task = isId(id) ? await fleet.database.prisma.task.findFirst({ where: { id, ...visibleTasks(viewer) } }) : null;
  if (!task) throw new NotFoundError('task', id);
  return task;
}

async function requireAgentOfBoard(tx: Db, boardId: string, agentId: string): Promise<void> {
  const agent = isId(agentId)
    ? await tx.agent.findFirst({ where: { id: agentId, boardId, deletionRequestedAt: null }, select: { id: true } })
    : null;
  if (!agent) throw new NotFoundError('agent', agentId);
}

function withoutNulls(given: unknown, keys: string[]): unknown {
  if (typeof given !== 'object' || given === null) return given;
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => value !== null || !keys.includes(key)));
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function definedOf<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
