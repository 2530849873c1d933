import { v7 as newId } from 'uuid';
import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { appendEvent } from '../events/log.ts';
import { listAgents } from '../gateway/agents.ts';
import { type AgentEntry, readConfig } from '../gateway/config.ts';
import type { Agent, Gateway } from '../generated/prisma/client.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { nameHolder, refuseTakenPlace } from './agents.ts';
import { findBoard } from './boards.ts';
import { atGateway, ConflictError, NotFoundError, ValidationError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { findGateway, requireGateway } from './gateways.ts';
import { isUniqueViolation } from './once.ts';
import { line, name, parseInput } from './validation.ts';

export interface UnmanagedAgent {
  openclawAgentId: string;
  name: string | null;
  workspacePath: string | null;
}

/** Agents that exist on the gateway and that this server does not manage. @throws ForbiddenError, GatewayFailure */
export async function unmanagedAgents(fleet: Fleet, viewer: Viewer, gatewayId: string): Promise<UnmanagedAgent[]> {
  authorize(viewer, 'inspectGateway');
  const { prisma } = fleet.database;
  const gateway = await prisma.gateway.findUniqueOrThrow({ where: { id: gatewayId } });
  const present = await atGateway(async () => listAgents(await fleet.links.connect(gateway)));
  const managed = await prisma.agent.findMany({ where: { gatewayId }, select: { openclawAgentId: true } });
  const ids = new Set(managed.map(({ openclawAgentId }) => openclawAgentId));
  return present
    .filter(({ id }) => !ids.has(id))
    .map(({ id, name, workspace }) => ({ openclawAgentId: id, name, workspacePath: workspace }));
}

const adoptAgentInput = z.object({
  gatewayId: z.string(),
  openclawAgentId: line(200),
  boardId: z.string(),
  name: name.nullish(),
});

/**
 * Takes an agent that already exists on a gateway under management. It keeps its workspace, and its heartbeat as far as that can
 * be expressed here, which the event tells; its files
 * are left alone until it is reprovisioned with force, and stay when it is deleted here before that.
 * @throws ForbiddenError, ValidationError (the board is of another gateway), NotFoundError (the gateway, the board, or
 *   the agent on the gateway), ConflictError (it is managed already, or the name is taken), GatewayFailure
 */
export async function adoptAgent(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Agent> {
  authorize(viewer, 'adoptAgent');
  const input = parseInput(adoptAgentInput, given);
  const { prisma } = fleet.database;
  const gateway = await findGateway(fleet, viewer, input.gatewayId);
  const board = await findBoard(fleet, viewer, input.boardId);
  if (board.gatewayId !== gateway.id)
    throw new ValidationError([{ path: 'input.boardId', message: 'must be a board of this gateway' }]);
  await refuseManaged(fleet, gateway, input.openclawAgentId);
  const found = await atGateway(() => findAtGateway(fleet, gateway, input.openclawAgentId));
  const agentName = input.name ?? name.safeParse(found.name).data ?? input.openclawAgentId.slice(0, 80);
  const heartbeat = heartbeatOf(found.entry);
  try {
    return await prisma.$transaction(async (tx) => {
      // Before the board, as whoever deletes the gateway does.
      await requireGateway(tx, gateway.id);
      await refuseTakenPlace(tx, board, agentName, false);
      const agent = await tx.agent.create({
        data: {
          id: newId(),
          organizationId: gateway.organizationId,
          gatewayId: gateway.id,
          boardId: board.id,
          kind: 'BOARD_WORKER',
          name: agentName,
          isManaged: false,
          openclawAgentId: input.openclawAgentId,
          workspacePath: found.workspacePath,
          ...heartbeat,
          nextAttemptAt: new Date(),
        },
      });
      await requestReconcile(tx, gateway.id);
      await appendEvent(tx, agent, 'CREATED', { message: toldOf(found.entry, heartbeat), actor: viewer.actor });
      return agent;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    await refuseManaged(fleet, gateway, input.openclawAgentId);
    const holder = await nameHolder(prisma, board.id, agentName);
    throw new ConflictError(`The agent ${holder?.id} of this board is already named "${holder?.name}".`);
  }
}

async function refuseManaged({ database }: Fleet, gateway: Gateway, openclawAgentId: string): Promise<void> {
  const managed = await database.prisma.agent.findFirst({ where: { gatewayId: gateway.id, openclawAgentId } });
  if (!managed) return;
  const how = managed.deletionRequestedAt ? 'is being deleted' : `is managed already, as "${managed.name}"`;
  throw new ConflictError(`The agent ${openclawAgentId} ${how} (${managed.id}).`);
}

interface Found {
  name: string | null;
  workspacePath: string;
  entry: AgentEntry;
}

async function findAtGateway({ links }: Fleet, gateway: Gateway, openclawAgentId: string): Promise<Found> {
  const connection = await links.connect(gateway);
  const [agents, { entries }] = await Promise.all([listAgents(connection), readConfig(connection)]);
  const found = agents.find(({ id }) => id === openclawAgentId);
  if (!found) throw new NotFoundError('agent', openclawAgentId);
  const entry = entries[openclawAgentId] ?? {};
  return { name: found.name, workspacePath: found.workspace ?? entry.workspace ?? '', entry };
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of what OpenClaw takes as a duration: a number of minutes, or parts such as 1h30m. Null for anything else. */
function secondsIn(every: string): number | null {
  if (/^\d+(\.\d+)?$/.test(every)) return Number(every) * 60;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(every)) return null;
  const parts = every.matchAll(/([\d.]+)([a-z]+)/g);
  return [...parts].reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (SECONDS[unit] ?? 0), 0);
}

/** The heartbeat that the agent has. Without one of its own it gets none, as soon as any agent has one. */
function heartbeatOf({ heartbeat }: AgentEntry): { heartbeatEnabled: boolean; heartbeatIntervalSeconds?: number } {
  const seconds = Math.round(secondsIn(heartbeat?.every?.trim().toLowerCase() ?? '') ?? 0);
  if (seconds === 0) return { heartbeatEnabled: false };
  return { heartbeatEnabled: true, heartbeatIntervalSeconds: Math.min(86_400, Math.max(30, seconds)) };
}

/** What is not as it was, as sentences of the event. */
function toldOf(
  { heartbeat }: AgentEntry,
  { heartbeatEnabled, heartbeatIntervalSeconds }: ReturnType<typeof heartbeatOf>,
) {
  const every = heartbeat?.every?.trim();
  const now = heartbeatEnabled ? `every ${heartbeatIntervalSeconds} s` : 'off';
  const isKept = !every || secondsIn(every.toLowerCase()) === (heartbeatIntervalSeconds ?? 0);
  const target = heartbeat?.target;
  return [
    'Adopted from its gateway.',
    ...(isKept ? [] : [`Its heartbeat was every ${every}, and is ${now}.`]),
    ...(heartbeatEnabled && target && target !== 'none'
      ? [`What it says at a heartbeat went to ${target}, and is not delivered any more.`]
      : []),
  ].join(' ');
}
