import type { Db } from '../db/database.ts';
import type { Agent, AgentRequest } from '../generated/prisma/client.ts';
import { traceparent } from '../spans.ts';

/**
 * Whoever holds a gateway's lease listens here. The payload is the gateway's id, followed by a space and the place in its trace
 * of what asks for it, when it is part of one: so the run is in the same trace, whichever process does it.
 */
export const RECONCILE_CHANNEL = 'reconcile';

/** Told by a trigger when a gateway is new, is another one now, or is gone; the payload is its id. */
export const SETTINGS_CHANNEL = 'gateway_settings';

/** Has whoever holds a gateway's lease connect to it again, when it waits for a person to make that possible. */
export async function announceSettings(db: Db, gatewayId: string): Promise<void> {
  await db.$executeRaw`SELECT pg_notify(${SETTINGS_CHANNEL}, ${gatewayId})`;
}

/** Asks for a gateway to be looked at now; in a transaction, after its commit. What is to be done is in the rows. */
export async function requestReconcile(db: Db, gatewayId: string): Promise<void> {
  const cause = traceparent();
  const payload = cause === null ? gatewayId : `${gatewayId} ${cause}`;
  await db.$executeRaw`SELECT pg_notify(${RECONCILE_CHANNEL}, ${payload})`;
}

/**
 * A gateway can be used again: what waits for it goes on now instead of at its next try.
 * @param changed whether also what only a person could mend may have changed: the gateway was restarted, or lets us in
 */
export async function retryNow(db: Db, gatewayId: string, changed: boolean): Promise<void> {
  const nextAttemptAt = new Date();
  // That it could not be reached, for whatever reason, is over.
  const mended = changed ? {} : { lastError: { path: ['code'], equals: 'GATEWAY_UNAVAILABLE' } };
  await db.agent.updateMany({
    where: {
      gatewayId,
      OR: [{ provisioningPhase: 'RETRYING' }, { provisioningPhase: 'FAILED', ...mended }],
    },
    data: { provisioningPhase: 'PENDING', attempts: 0, nextAttemptAt },
  });
  // Provisioned while the gateway had no usable model, and so not woken.
  await db.agent.updateMany({
    where: {
      gatewayId,
      provisioningPhase: 'SUCCEEDED',
      OR: [{ isManaged: true, wokenAt: null, status: { not: 'PAUSED' } }, { requests: { has: 'WAKE' } }],
    },
    data: { nextAttemptAt },
  });
}

/** Takes out a request that was done; one that was made again since the agent was read stays. */
export async function settleRequest(
  db: Db,
  agent: Pick<Agent, 'id' | 'generation' | 'requests'>,
  request: AgentRequest,
): Promise<void> {
  if (!agent.requests.includes(request)) return;
  await db.$executeRaw`
    UPDATE "Agent" SET requests = array_remove(requests, ${request}::"AgentRequest")
    WHERE id = ${agent.id}::uuid AND generation = ${agent.generation}`;
}
