import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleBoards } from '../access/visibility.ts';
import { type Db, Prisma } from '../db/database.ts';
import { appendEvent } from '../events/log.ts';
import type { Board } from '../generated/prisma/client.ts';
import { newAgentRow } from './agent-row.ts';
import { identityProfileInput, storedProfile } from './agent-settings.ts';
import { NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { findGateway } from './gateways.ts';
import { createOnce } from './once.ts';
import { instant, isId, json, line, name, parseInput, text, uuid } from './validation.ts';

const createBoardInput = z.object({
  id: uuid.nullish(),
  gatewayId: z.string(),
  name,
  slug: z
    .string()
    .trim()
    .max(80, 'must have at most 80 characters')
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters and digits, in words joined by single hyphens')
    .nullish(),
  description: text(10_000).nullish(),
  boardType: line(40).nullish(),
  objective: text(10_000).nullish(),
  successMetrics: json(20_000, 10).nullish(),
  targetDate: instant.nullish(),
  maxAgents: z.int().min(0, 'must not be negative').max(1_000, 'must be at most 1000').nullish(),
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
    db: prisma,
    find: (id) => prisma.board.findUnique({ where: { id } }),
    id: input.id,
    organizationId: viewer.organizationId,
    same: settings,
    create: () =>
      prisma.$transaction(async (tx) => {
        const board = await tx.board.create({
          data: {
            ...settings,
            ...(input.id && { id: input.id }),
            organizationId: viewer.organizationId,
            slug: input.slug ?? (await freeSlug(tx, viewer.organizationId, input.name)),
            successMetrics: input.successMetrics ?? Prisma.DbNull,
          },
        });
        if (input.lead) {
          const lead = await tx.agent.create({
            data: newAgentRow({
              name: input.lead.name ?? 'Lead Agent',
              gateway,
              board: { id: board.id, isLead: true },
              settings: { identityProfile: storedProfile(input.lead.identityProfile) },
            }),
          });
          await fleet.queue.enqueue(tx, gateway.id);
          await appendEvent(tx, lead, 'CREATED');
        }
        return board;
      }),
    taken: async () => {
      const { slug } = input;
      if (!slug) return `Another board named "${input.name}" is being created at this moment. Try again.`;
      const holder = await prisma.board.findFirst({ where: { organizationId: viewer.organizationId, slug } });
      return `The board "${holder?.name}" (${holder?.id}) already has the slug "${slug}".`;
    },
  });
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
  const base = slugOf(boardName);
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

function slugOf(boardName: string): string {
  const slug = boardName
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return slug || 'board';
}
