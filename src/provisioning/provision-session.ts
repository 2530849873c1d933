import { abortChat, sendChat } from '../gateway/chat.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { hasReason } from '../gateway/errors.ts';
import { sessionKeyOf } from '../gateway/session-key.ts';
import { listSessions, patchSessionLabel, resetSession } from '../gateway/sessions.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { isRequested } from './plan.ts';
import type { Provisioning } from './provision-documents.ts';
import { settleRequest } from './requests.ts';
import { runStep } from './steps.ts';
import { recordWake } from './wake.ts';

/**
 * Brings the agent's session in line.
 * @throws GatewayError
 */
export async function provisionSession(provisioning: Provisioning): Promise<void> {
  await prepareSession(provisioning);
  provisioning.signal.throwIfAborted();
  await resetSessionIfAsked(provisioning);
}

/** The agent's main session, with the agent's name as its label, and without a run when the agent is paused. */
async function prepareSession(provisioning: Provisioning): Promise<void> {
  const { agent, connection } = provisioning;
  const key = sessionKeyOf(agent.openclawAgentId);
  await runStep(provisioning, agent.id, 'PREPARE_SESSION', async () => {
    const stopped = agent.status === 'PAUSED' && (await abortChat(connection, { sessionKey: key })).runIds.length > 0;
    const labelled = await labelSession(connection, agent, key);
    if (stopped) return { outcome: 'CHANGED', detail: 'the run under way was stopped' };
    return { outcome: labelled ? 'CHANGED' : 'UNCHANGED' };
  });
}

/** @returns whether the label was another one */
async function labelSession(connection: GatewayConnection, agent: Agent, key: string): Promise<boolean> {
  if (!agent.isManaged) return false;
  if (agent.observedGeneration > 0) {
    const sessions = await listSessions(connection, { agentId: agent.openclawAgentId });
    if (sessions.some((session) => session.key === key && session.label === agent.name)) return false;
  }
  await patchSessionLabel(connection, { key, label: agent.name });
  return true;
}

async function resetSessionIfAsked(provisioning: Provisioning): Promise<void> {
  const { agent, database, connection } = provisioning;
  if (!isRequested(agent, 'RESET_SESSION')) return;
  await runStep(
    provisioning,
    agent.id,
    'RESET_SESSION',
    async () => {
      await resetSession(connection, sessionKeyOf(agent.openclawAgentId));
      return { outcome: 'CHANGED' };
    },
    () => settleRequest(database.prisma, agent, 'RESET_SESSION'),
  );
}

/**
 * Wakes the agent, if that was not done before or is asked for again. A run that finds no model fails without a word, so
 * without one the agent is not woken, and the gateway's hint says why; it is when the gateway has one.
 */
export async function wakeAgent(provisioning: Provisioning, message: string): Promise<void> {
  const { agent, database, connection } = provisioning;
  await runStep(
    provisioning,
    agent.id,
    'WAKE',
    async () => {
      if (agent.wokenAt !== null && !isRequested(agent, 'WAKE')) return { outcome: 'UNCHANGED' };
      if (agent.status === 'PAUSED') return { outcome: 'UNCHANGED', detail: 'not woken: it is paused' };
      if (connection.info.modelConfigured === false)
        return { outcome: 'UNCHANGED', detail: 'not woken: the gateway has no usable model' };
      const sentAt = new Date();
      await sendWakeMessage(connection, agent, message);
      return { outcome: 'CHANGED', sentAt };
    },
    async (result) => {
      if ('sentAt' in result) await recordWake(database.prisma, agent.id, result.sentAt);
      if ('sentAt' in result) await settleRequest(database.prisma, agent, 'WAKE');
    },
  );
}

async function sendWakeMessage(connection: GatewayConnection, agent: Agent, message: string): Promise<void> {
  try {
    await sendChat(connection, {
      sessionKey: sessionKeyOf(agent.openclawAgentId),
      message,
      idempotencyKey: `mc-wake-${agent.id}-${agent.wakes + 1}`,
    });
  } catch (error) {
    // It was sent before and its answer was lost: now it has another text, or is answered with how its run failed.
    const wasSent = hasReason(error, 'message-conflict') || (agent.attempts > 1 && hasReason(error, 'unavailable'));
    if (!wasSent) throw error;
  }
}
