import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleBoards } from '../access/visibility.ts';
import { type Db, Prisma } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import { appendEvent } from '../events/log.ts';
import type { Board } from '../generated/prisma/client.ts';
import { dropBoardIfEmpty } from '../provisioning/leaving.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { slugOf } from '../provisioning/slug.ts';
import { newAgentRow } from './agent-row.ts';
import { identityProfileInput, storedProfile } from './agent-settings.ts';
import { boardFields } from './board-input.ts';
import { NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { findGateway, requireGateway } from './gateways.ts';
import { letGo } from './leaving.ts';
import { createOnce } from './once.ts';
import { isId, name, parseInput, uuid } from './validation.ts';

const createBoardInput = z.object({
  id: uuid.nullish(),
  gatewayId: z.string(),
  ...boardFields,
  name,
  lead: z.object({ name: name.nullish(), identityProfile: identityProfileInput.nullish() }).nullish(),
});

/**
 * Makes a board on a gateway, and its lead when one is asked for.
 * @throws ForbiddenError, ValidationError, NotFoundError (the gateway), ConflictError (the slug is taken)
 */
export async function createBoard(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Board> {
  authorize(viewer, 'createBoard');
  const input = parseInput(createBoardInput, given);
  const gateway = await findGateway(fleet, viewer, input.gatewayId);
  const { prisma } = fleet.database;
  const settings = {
    gatewayId: gateway.id,
    name: input.name,
    description: input.description ?? '',
    boardType: input.boardType ?? 'goal',
    objective: input.objective ?? null,
    successMetrics: input.successMetrics ?? null,
    targetDate: input.targetDate ?? null,
    maxAgents: input.maxAgents ?? 5,
    ...(input.slug && { slug: input.slug }),
  };
  return createOnce({
    prisma,
    find: (id) => prisma.board.findUnique({ where: { id } }),
    id: input.id,
    organizationId: viewer.organizationId,
    request: { ...settings, lead: input.lead ?? null },
    keptOf: ({ createdFrom }) => createdFrom,
    create: async (tx, createdFrom) => {
      // As it is now: it may have got another workspace root meanwhile.
      const there = await requireGateway(tx, gateway.id);
      const board = await tx.board.create({
        data: {
          ...settings,
          ...(input.id && { id: input.id }),
          createdFrom,
          organizationId: viewer.organizationId,
          slug: input.slug ?? (await freeSlug(tx, viewer.organizationId, input.name)),
          successMetrics: input.successMetrics ?? Prisma.DbNull,
        },
      });
      await recordActivity(tx, viewer.actor, { ...aboutBoard(board), action: 'BOARD_CREATED' });
      if (input.lead) {
        const lead = await tx.agent.create({
          data: newAgentRow({
            name: input.lead.name ?? 'Lead Agent',
            gateway: there,
            board: { id: board.id, isLead: true },
            settings: { identityProfile: storedProfile(input.lead.identityProfile) },
          }),
        });
        await requestReconcile(tx, gateway.id);
        await appendEvent(tx, lead, 'CREATED', { actor: viewer.actor });
      }
      return board;
    },
    taken: async () =>
      input.slug
        ? slugTaken(fleet, viewer.organizationId, input.slug)
        : `Another board named "${input.name}" is being created at this moment. Try again.`,
  });
}

/** What an activity says of its board. */
export function aboutBoard(board: Board) {
  return { organizationId: board.organizationId, gatewayId: board.gatewayId, boardId: board.id, object: board };
}

/** The sentence for a slug that another board has. */
export async function slugTaken(fleet: Fleet, organizationId: string, slug: string): Promise<string> {
  const where = { organizationId, slug, deletionRequestedAt: null };
  const holder = await fleet.database.prisma.board.findFirst({ where });
  return `The board "${holder?.name}" (${holder?.id}) already has the slug "${slug}".`;
}

/**
 * Deletes a board with its tasks, at once for everybody, and its agents, which leave their gateway one by one.
 * @throws ForbiddenError, NotFoundError
 */
export async function deleteBoard(fleet: Fleet, viewer: Viewer, id: string): Promise<{ id: string }> {
  const board = await findBoard(fleet, viewer, id);
  authorize(viewer, 'deleteBoard', { boardId: board.id });
  await fleet.database.prisma.$transaction(async (tx) => {
    // Waits for creates on this board, and makes later ones find it gone.
    const { count } = await tx.board.updateMany({
      where: { id: board.id, deletionRequestedAt: null },
      data: { deletionRequestedAt: new Date() },
    });
    if (count === 0) throw new NotFoundError('board', id);
    await tx.task.deleteMany({ where: { boardId: board.id } });
    await recordActivity(tx, viewer.actor, { ...aboutBoard(board), action: 'BOARD_DELETED' });
    await letGo(tx, { boardId: board.id }, viewer.actor);
    await dropBoardIfEmpty(tx, board.id);
  });
  return { id: board.id };
}

/** The board, if there is one that the viewer can see. @throws NotFoundError */
export async function findBoard(fleet: Fleet, viewer: Viewer, id: string): Promise<Board> {
  const board = isId(id)
    ? await fleet.database.prisma.board.findFirst({ where: { id, ...visibleBoards(viewer) } })
    : null;
  if (!board) throw new NotFoundError('board', id);
  return board;
}

/** The name as a slug; with a number behind it when another board of the organization has that one. */
async function freeSlug(tx: Db, organizationId: string, boardName: string): Promise<string> {
  // Boards of one name that are made at once take their numbers one after the other.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${`slugs ${organizationId}`}, 0))`;
  const base = slugOf(boardName) || 'board';
  const taken = await tx.board.findMany({
    where: { organizationId, slug: { startsWith: base } },
    select: { slug: true },
  });
  const slugs = new Set(taken.map((board) => board.slug));
  if (!slugs.has(base)) return base;
  let number = 2;
  while (slugs.has(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}
