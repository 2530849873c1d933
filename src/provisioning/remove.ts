import { deleteAgent } from '../gateway/agents.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { hasReason } from '../gateway/errors.ts';
import type { Agent, Gateway } from '../generated/prisma/client.ts';
import { dropAgent } from './leaving.ts';
import { fail, secondsOf } from './outcome.ts';
import type { Reconciler } from './reconciler.ts';
import { runStep } from './steps.ts';

/** Removes agents from their gateway, then their rows. How it went is stored with each; never rejects for a gateway's failure. */
export async function removeAll(reconciler: Reconciler, connection: GatewayConnection, agents: Agent[]): Promise<void> {
  for (const agent of agents) await remove(reconciler, connection, agent);
}

async function remove(reconciler: Reconciler, connection: GatewayConnection, agent: Agent): Promise<void> {
  const { prisma } = reconciler.database;
  try {
    await runStep(reconciler, agent.id, 'REMOVE', async () => {
      // What was there before it was managed, and was never written to, stays.
      if (!agent.isManaged) return { outcome: 'UNCHANGED', detail: 'adopted: it stays on its gateway' };
      try {
        const wasThere = await deleteAgent(connection, agent.openclawAgentId);
        return { outcome: wasThere ? 'CHANGED' : 'UNCHANGED' };
      } catch (error) {
        if (!hasReason(error, 'protected-agent')) throw error;
        return { outcome: 'UNCHANGED', detail: 'the gateway keeps it: it is its own agent' };
      }
    });
    await dropAgent(prisma, agent);
    reconciler.metrics.provisioningEnded('removed', secondsOf(agent));
    reconciler.log.info({ agentId: agent.id, name: agent.name }, 'agent removed');
  } catch (error) {
    await fail(reconciler, agent, error);
  }
}

/** How long a gateway that is to go is waited for, when it cannot be reached. */
const FORGET_AFTER_MS = 24 * 60 * 60_000;

/** Whether a gateway that was deleted has been waited for long enough. */
export function isForgotten({ deletionRequestedAt }: Gateway): boolean {
  return deletionRequestedAt !== null && Date.now() - deletionRequestedAt.getTime() > FORGET_AFTER_MS;
}

/** The gateway was deleted and did not come back: what is on it stays there. */
export async function forgetAll(reconciler: Reconciler, gateway: Gateway, agents: Agent[]): Promise<void> {
  for (const agent of agents)
    await dropAgent(reconciler.database.prisma, agent, 'Left on its gateway, which could not be reached for a day.');
  reconciler.log.warn({ gatewayId: gateway.id, agents: agents.length }, 'a deleted gateway was not reached');
}
