import type { Viewer } from '../access/viewer.ts';
import { type Db, Prisma } from '../db/database.ts';
import { appendEvent, type EventDetails } from '../events/log.ts';
import type { Agent, AgentEventType, AgentRequest } from '../generated/prisma/client.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { ConflictError, NotFoundError } from './errors.ts';
import type { Fleet } from './fleet.ts';

/** What is asked for anew of an agent. */
export interface AgentChange {
  data: Prisma.AgentUncheckedUpdateInput;
  /** What is to be done once, beside bringing it in line. */
  requests?: AgentRequest[];
  event: { type: AgentEventType; details?: EventDetails };
}

/** What makes an agent's gateway be brought in line with its row, now. */
export const DUE = {
  generation: { increment: 1 },
  provisioningPhase: 'PENDING',
  attempts: 0,
  lastError: Prisma.DbNull,
  failingSince: null,
} as const;

/**
 * Stores what `decide` asks for of an agent, as it is now, and has its gateway brought in line. Nothing is stored when it
 * asks for nothing.
 * @throws NotFoundError, ConflictError (it is being deleted)
 */
export function changeAgent(
  { database }: Fleet,
  { actor }: Viewer,
  id: string,
  decide: (agent: Agent) => AgentChange | null,
): Promise<Agent> {
  return database.prisma.$transaction(async (tx) => {
    const agent = await lockAgent(tx, id);
    if (agent.deletionRequestedAt) throw new ConflictError('This agent is being deleted.');
    const change = decide(agent);
    if (!change) return agent;
    const requests = [...new Set([...agent.requests, ...(change.requests ?? [])])];
    const changed = await tx.agent.update({
      where: { id },
      data: {
        ...DUE,
        nextAttemptAt: new Date(),
        requests,
        ...(requests.includes('WAKE') && { wakeAttempts: 0 }),
        ...change.data,
      },
    });
    await requestReconcile(tx, changed.gatewayId);
    await appendEvent(tx, changed, change.event.type, { ...change.event.details, actor });
    return changed;
  });
}

/**
 * Locks the agents that meet a condition, in the order of their ids, like everybody who locks several: so nobody waits for
 * somebody who waits for them.
 * @returns their ids
 */
export async function lockAgents(tx: Db, where: Prisma.AgentWhereInput): Promise<string[]> {
  const ids = (await tx.agent.findMany({ where, select: { id: true } })).map(({ id }) => id);
  await tx.$queryRaw`SELECT 1 FROM "Agent" WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE`;
  return ids;
}

async function lockAgent(tx: Db, id: string): Promise<Agent> {
  await tx.$queryRaw`SELECT 1 FROM "Agent" WHERE id = ${id}::uuid FOR UPDATE`;
  const agent = await tx.agent.findUnique({ where: { id } });
  if (!agent) throw new NotFoundError('agent', id);
  return agent;
}
