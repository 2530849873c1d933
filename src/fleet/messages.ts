import { createHash } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { appendEvent } from '../events/log.ts';
import { sendChat } from '../gateway/chat.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { sessionKeyOf } from '../gateway/session-key.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { recordWake } from '../provisioning/wake.ts';
import { findAgent } from './agents.ts';
import { atGateway, ConflictError, GatewayFailure } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { parseInput, text } from './validation.ts';

const sendAgentMessageInput = z.object({
  id: z.string(),
  message: text(20_000).refine((message) => message.trim() !== '', 'must not be empty'),
  idempotencyKey: z.string().min(1, 'must not be empty').max(200, 'must have at most 200 characters').nullish(),
});

/**
 * Sends a message to the agent's session at its gateway. With an idempotencyKey a repeat is delivered once.
 * @throws ForbiddenError, ValidationError, NotFoundError, ConflictError (it is being deleted, or is not on its gateway
 *   yet, or the key was used for another message), GatewayFailure
 */
export async function sendAgentMessage(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Agent> {
  const input = parseInput(sendAgentMessageInput, given);
  const agent = await findAgent(fleet, viewer, input.id);
  authorize(viewer, 'sendAgentMessage', { agent });
  const { status } = await chat(fleet, agent, input.message, messageKey(agent.id, input.idempotencyKey ?? newId()));
  return fleet.database.prisma.$transaction(async (tx) => {
    // As it is now: the message may have been under way for long.
    const reached = (await tx.agent.findUnique({ where: { id: agent.id } })) ?? agent;
    const message = summary(input.message);
    if (status === 'started') await appendEvent(tx, reached, 'MESSAGE_SENT', { message, actor: viewer.actor });
    return reached;
  });
}

/**
 * Sends the wake-up message to the agent's session again.
 * @throws ForbiddenError, NotFoundError, ConflictError (as for sendAgentMessage, or it is paused), GatewayFailure
 */
export async function wakeAgent(fleet: Fleet, viewer: Viewer, id: string): Promise<Agent> {
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'wakeAgent', { agent });
  if (agent.status === 'PAUSED') throw new ConflictError('This agent is paused. Let it go on with resumeAgent.');
  if (!agent.isManaged)
    throw new ConflictError(
      'This agent was adopted and has no wake-up message. Reprovision it with force: true first.',
    );
  const sentAt = new Date();
  await chat(fleet, agent, await fleet.workspaces.wakeMessage(agent.id), messageKey(agent.id, newId()));
  return fleet.database.prisma.$transaction(async (tx) => {
    await tx.agent.updateMany({ where: { id: agent.id }, data: { wakeAttempts: 0 } });
    await recordWake(tx, agent.id, sentAt);
    const woken = await tx.agent.findUniqueOrThrow({ where: { id: agent.id } });
    await appendEvent(tx, woken, 'MESSAGE_SENT', { message: 'Woken', actor: viewer.actor });
    return woken;
  });
}

async function chat(fleet: Fleet, agent: Agent, message: string, idempotencyKey: string): Promise<{ status: string }> {
  if (agent.deletionRequestedAt) throw new ConflictError('This agent is being deleted.');
  if (agent.observedGeneration === 0)
    throw new ConflictError('This agent is not on its gateway yet. Try again when its provisioning has succeeded.');
  const gateway = await fleet.database.prisma.gateway.findUniqueOrThrow({ where: { id: agent.gatewayId } });
  const sessionKey = sessionKeyOf(agent.openclawAgentId);
  try {
    return await atGateway(async () => {
      const connection = await fleet.links.connect(gateway);
      refuseWithoutModel(connection);
      return sendChat(connection, { sessionKey, message, idempotencyKey });
    });
  } catch (error) {
    if (error instanceof GatewayFailure && /already used for different input/.test(error.message))
      throw new ConflictError('This idempotencyKey was already used for another message. Choose another one.');
    throw error;
  }
}

/** Such a gateway takes the message all the same, and its run fails some seconds later without a word. */
function refuseWithoutModel({ info }: GatewayConnection): void {
  if (info.modelConfigured !== false) return;
  throw new GatewayFailure({
    message: 'The gateway has no usable model, so its agents cannot run.',
    code: 'GATEWAY_UNAVAILABLE',
    gatewayCode: null,
    retryable: true,
    hint: info.hint,
  });
}

/** The gateway's key space is one for all senders: ours cannot meet another's. */
function messageKey(agentId: string, key: string): string {
  return `mc-message-${createHash('sha256').update(`${agentId}\n${key}`).digest('hex').slice(0, 32)}`;
}

function summary(message: string): string {
  const [firstLine = ''] = message.trim().split('\n', 1);
  return firstLine.length > 120 ? `${firstLine.slice(0, 119)}…` : firstLine;
}
