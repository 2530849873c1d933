import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleAgents } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
import { appendEvent } from '../events/log.ts';
import type { Agent, Board } from '../generated/prisma/client.ts';
import { storedProfileOf } from '../provisioning/profile.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import type { AgentDocument, WorkspaceFile } from '../provisioning/workspaces.ts';
import { newAgentRow } from './agent-row.ts';
import { heartbeatInput, identityProfileInput, storedProfile, templateInput } from './agent-settings.ts';
import { findBoard } from './boards.ts';
import {
  atGateway,
  ConflictError,
  type FieldProblem,
  LimitExceededError,
  NotFoundError,
  ValidationError,
} from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { requireGateway } from './gateways.ts';
import { letGo } from './leaving.ts';
import { literally } from './like.ts';
import { createOnce } from './once.ts';
import { isId, name, parseInput, uuid } from './validation.ts';

const createAgentInput = z.object({
  id: uuid.nullish(),
  name,
  boardId: z.string().nullish(),
  isBoardLead: z.boolean().nullish(),
  identityProfile: identityProfileInput.nullish(),
  identityTemplate: templateInput,
  soulTemplate: templateInput,
  heartbeat: heartbeatInput.nullish(),
});

/**
 * Stores a new agent. The answer is durable; the gateway is brought in line with it from then on.
 * @throws ForbiddenError, ValidationError, NotFoundError (the board), ConflictError (the name is taken, or the board
 *   has a lead), LimitExceededError (a lead has created as many workers as its board allows)
 */
export async function createAgent(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Agent> {
  const input = parseInput(createAgentInput, given);
  const boardId = input.boardId ?? (viewer.kind === 'AGENT' ? viewer.boardId : null);
  if (boardId === null)
    throw new ValidationError([{ path: 'input.boardId', message: 'is required: every agent has a board' }]);
  const board = await findBoard(fleet, viewer, boardId);
  authorize(viewer, 'createAgent', { boardId: board.id });
  const isLead = input.isBoardLead ?? false;
  if (isLead && viewer.kind === 'AGENT')
    throw new ValidationError([{ path: 'input.isBoardLead', message: 'must be false: a lead creates workers' }]);

  const { prisma } = fleet.database;
  const settings = {
    name: input.name,
    identityProfile: storedProfile(input.identityProfile),
    identityTemplate: input.identityTemplate ?? null,
    soulTemplate: input.soulTemplate ?? null,
    heartbeatEnabled: input.heartbeat?.enabled ?? true,
    heartbeatIntervalSeconds: input.heartbeat?.intervalSeconds ?? 300,
  };
  checkTemplates(fleet, settings, settings.identityProfile);
  return createOnce({
    prisma,
    find: (id) => prisma.agent.findUnique({ where: { id } }),
    id: input.id,
    organizationId: viewer.organizationId,
    request: { ...settings, boardId: board.id, isLead },
    keptOf: ({ createdFrom }) => createdFrom,
    create: async (tx, createdFrom) => {
      // Before the board, as whoever deletes the gateway does.
      const gateway = await requireGateway(tx, board.gatewayId);
      await refuseTakenPlace(tx, board, settings.name, isLead);
      if (viewer.kind === 'AGENT') await refuseBeyondLimit(tx, board);
      const agent = await tx.agent.create({
        data: {
          ...newAgentRow({ id: input.id, name: settings.name, gateway, board: { id: board.id, isLead }, settings }),
          createdFrom,
        },
      });
      await requestReconcile(tx, gateway.id);
      await appendEvent(tx, agent, 'CREATED', { actor: viewer.actor });
      return agent;
    },
    taken: async () => `Another agent of this board is already named "${settings.name}".`,
  });
}

/** Renders the templates that were given, so that a mistake in one is told now and nothing is stored. */
export function checkTemplates(
  fleet: Fleet,
  templates: { identityTemplate?: string | null | undefined; soulTemplate?: string | null | undefined },
  identityProfile: unknown,
): void {
  const problems: FieldProblem[] = [];
  for (const field of ['identityTemplate', 'soulTemplate'] as const) {
    const source = templates[field];
    const error =
      source == null ? null : fleet.workspaces.checkTemplate(field, source, storedProfileOf(identityProfile));
    if (error) problems.push({ path: `input.${field}`, message: error });
  }
  if (problems.length > 0) throw new ValidationError(problems);
}

/** @throws ConflictError that names who has the name, or the lead's place */
export async function refuseTakenPlace(tx: Db, board: Board, agentName: string, isLead: boolean): Promise<void> {
  // Also makes creates on one board wait for each other, so that counts and names hold under concurrency.
  const there = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Board" WHERE id = ${board.id}::uuid AND "deletionRequestedAt" IS NULL FOR UPDATE`;
  if (there.length === 0) throw new NotFoundError('board', board.id);
  const holders = await tx.agent.findMany({
    where: {
      boardId: board.id,
      deletionRequestedAt: null,
      OR: [
        { name: { equals: literally(agentName), mode: 'insensitive' } },
        ...(isLead ? [{ kind: 'BOARD_LEAD' as const }] : []),
      ],
    },
    select: { id: true, name: true, kind: true },
  });
  for (const holder of holders) {
    if (holder.name.toLowerCase() === agentName.toLowerCase())
      throw new ConflictError(`The agent ${holder.id} of this board is already named "${holder.name}".`);
    if (isLead && holder.kind === 'BOARD_LEAD')
      throw new ConflictError(`The board already has a lead: "${holder.name}" (${holder.id}). Delete that one first.`);
  }
}

/** Who has a name on a board, in any case. */
export function nameHolder(db: Db, boardId: string, agentName: string): Promise<Agent | null> {
  const name = { equals: literally(agentName), mode: 'insensitive' } as const;
  return db.agent.findFirst({ where: { boardId, deletionRequestedAt: null, name } });
}

async function refuseBeyondLimit(tx: Db, board: Board): Promise<void> {
  const workers = await tx.agent.count({
    where: { boardId: board.id, kind: 'BOARD_WORKER', deletionRequestedAt: null },
  });
  if (workers < board.maxAgents) return;
  throw new LimitExceededError(
    `This board may have ${board.maxAgents} workers and has ${workers}. Ask an operator to raise maxAgents.`,
    board.maxAgents,
  );
}

/**
 * Asks for an agent's removal: its token stops working at once, its tasks are free again, and it leaves its gateway.
 * Asking again changes nothing.
 * @throws ForbiddenError, NotFoundError, ConflictError (a gateway's main agent leaves with its gateway)
 */
export async function deleteAgent(fleet: Fleet, viewer: Viewer, id: string): Promise<Agent> {
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'deleteAgent', { agent });
  if (agent.kind === 'GATEWAY_MAIN')
    throw new ConflictError('This is the main agent of its gateway. It leaves when the gateway is deleted.');
  return fleet.database.prisma.$transaction(async (tx) => {
    const [leaving] = await letGo(tx, { id: agent.id }, viewer.actor);
    if (leaving) return leaving;
    // Somebody else was first; it may have left its gateway since.
    const gone = await tx.agent.findUnique({ where: { id: agent.id } });
    if (!gone) throw new NotFoundError('agent', id);
    return gone;
  });
}

/** The agent, if there is one that the viewer can see. @throws NotFoundError */
export async function findAgent(fleet: Fleet, viewer: Viewer, id: string): Promise<Agent> {
  const agent = isId(id)
    ? await fleet.database.prisma.agent.findFirst({ where: { id, ...visibleAgents(viewer) } })
    : null;
  if (!agent) throw new NotFoundError('agent', id);
  return agent;
}

/** What provisioning would write now. @throws ForbiddenError, GatewayFailure */
export function agentDocuments(fleet: Fleet, viewer: Viewer, agentId: string): Promise<AgentDocument[]> {
  authorize(viewer, 'inspectGateway');
  return atGateway(() => fleet.workspaces.preview(agentId));
}

/** The files of the agent's workspace, read live. @throws ForbiddenError, GatewayFailure */
export function agentFiles(fleet: Fleet, viewer: Viewer, agentId: string): Promise<WorkspaceFile[]> {
  authorize(viewer, 'inspectGateway');
  return atGateway(() => fleet.workspaces.files(agentId));
}
