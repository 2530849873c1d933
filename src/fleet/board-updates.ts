import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { type Db, Prisma } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import { appendEvents } from '../events/log.ts';
import type { Board } from '../generated/prisma/client.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { boardFields } from './board-input.ts';
import { aboutBoard, findBoard, slugTaken } from './boards.ts';
import { DUE, lockAgents } from './change-agent.ts';
import { ConflictError, NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { isSame, isUniqueViolation } from './once.ts';
import { parseInput } from './validation.ts';

const updateBoardInput = z.object({ id: z.string(), ...boardFields });

type Updates = Omit<z.infer<typeof updateBoardInput>, 'id'>;

/** Fields that agents' documents show. */
const SHOWN_TO_AGENTS = ['name', 'boardType', 'objective'];

/**
 * Changes what is given of a board; the rest stays. Null clears the objective, the success metrics and the target date,
 * and means the same as leaving it out for the others. Agents whose documents show what has changed get them anew.
 * @throws ForbiddenError, ValidationError, NotFoundError, ConflictError (the slug is taken)
 */
export async function updateBoard(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Board> {
  const { id, ...input } = parseInput(updateBoardInput, given);
  const { id: boardId } = await findBoard(fleet, viewer, id);
  authorize(viewer, 'updateBoard', { boardId });
  try {
    return await fleet.database.prisma.$transaction(async (tx) => {
      const before = await lockBoard(tx, boardId);
      const changes = changesOf(before, input);
      const changed = Object.keys(changes);
      if (changed.length === 0) return before;
      const board = await tx.board.update({ where: { id: boardId }, data: changes });
      const message = `Changed: ${changed.join(', ')}.`;
      await recordActivity(tx, viewer.actor, { ...aboutBoard(board), action: 'BOARD_UPDATED', message });
      if (changed.some((field) => SHOWN_TO_AGENTS.includes(field))) await tellAgents(tx, viewer, board, changed);
      return board;
    });
  } catch (error) {
    if (!isUniqueViolation(error) || !input.slug) throw error;
    throw new ConflictError(await slugTaken(fleet, viewer.organizationId, input.slug));
  }
}

async function lockBoard(tx: Db, id: string): Promise<Board> {
  await tx.$queryRaw`SELECT 1 FROM "Board" WHERE id = ${id}::uuid FOR UPDATE`;
  const board = await tx.board.findFirst({ where: { id, deletionRequestedAt: null } });
  if (!board) throw new NotFoundError('board', id);
  return board;
}

/** What differs, by the names of the input's fields. */
function changesOf(board: Board, input: Updates): Prisma.BoardUpdateInput {
  const { objective, targetDate, successMetrics, ...others } = input;
  const wanted = Object.entries({
    ...Object.fromEntries(Object.entries(others).filter(([, value]) => value !== null)),
    objective,
    targetDate,
    successMetrics,
  }).filter(([field, value]) => value !== undefined && !isSame(board[field as keyof Board], value));
  return Object.fromEntries(
    wanted.map(([field, value]) => [field, field === 'successMetrics' && value === null ? Prisma.DbNull : value]),
  );
}

async function tellAgents(tx: Db, { actor }: Viewer, board: Board, changed: string[]): Promise<void> {
  const where = { boardId: board.id, deletionRequestedAt: null };
  await lockAgents(tx, where);
  const agents = await tx.agent.updateManyAndReturn({ where, data: { ...DUE, nextAttemptAt: new Date() } });
  await requestReconcile(tx, board.gatewayId);
  const message = `Its board has changed: ${changed.join(', ')}.`;
  await appendEvents(
    tx,
    agents
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((agent) => ({ agent, type: 'UPDATED', details: { message, actor } })),
  );
}
