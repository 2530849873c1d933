import { type Database, Prisma } from '../db/database.ts';
import { appendEvent, appendEvents, type NewEvent } from '../events/log.ts';
import { GatewayError } from '../gateway/errors.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { backoffMs } from './backoff.ts';
import { BudgetError } from './budgets.ts';
import { type Failure, failureOf } from './failure.ts';
import type { GatewayLinks } from './links.ts';
import { TemplateError } from './liquid.ts';

// How an agent's run ended, as it is stored and told.

interface Outcomes {
  database: Database;
  links: GatewayLinks;
  log: GatewayLog;
}

/** The gateway is in line with the generation that this run has read; a later one makes the agent due again. */
export async function succeed({ database, log }: Outcomes, agent: Agent, hint: string | null): Promise<void> {
  await database.prisma.$transaction(async (tx) => {
    const [done] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, generation: agent.generation },
      data: {
        provisioningPhase: 'SUCCEEDED',
        observedGeneration: agent.generation,
        attempts: 0,
        nextAttemptAt: null,
        lastError: Prisma.DbNull,
        provisioningHint: hint,
        provisioningFinishedAt: new Date(),
      },
    });
    if (!done) {
      const data = { provisioningPhase: 'PENDING', observedGeneration: agent.generation } as const;
      await tx.agent.updateMany({ where: { id: agent.id }, data });
      return;
    }
    const [ready] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, status: 'PROVISIONING' },
      data: { status: 'READY' },
    });
    const events: NewEvent[] = [{ agent: ready ?? done, type: 'PROVISIONING', details: { message: 'SUCCEEDED' } }];
    const details = { previousStatus: 'PROVISIONING' } as const;
    if (ready) events.push({ agent: ready, type: 'STATUS_CHANGED', details });
    await appendEvents(tx, events);
  });
  log.info({ agentId: agent.id, name: agent.name, generation: agent.generation }, 'agent provisioned');
}

/** Stores why it failed, and when it is tried again: never by itself, when only a person can change something. */
export async function fail({ database, links, log }: Outcomes, agent: Agent, error: unknown): Promise<void> {
  const failure = describe(error);
  if (failure === INTERNAL) log.error({ err: error, agentId: agent.id }, 'provisioning failed unexpectedly');
  else log.warn({ agentId: agent.id, name: agent.name, ...failure }, 'provisioning failed');
  const retryAfterMs = error instanceof GatewayError ? error.retryAfterMs : null;
  // A gateway that was away and is back already has told so before this could be stored.
  const cameBack = (links.connectedSince(agent.gatewayId) ?? 0) > (agent.provisioningStartedAt ?? 0);
  const delayMs = backoffMs(cameBack ? 1 : agent.attempts, retryAfterMs, Math.random());
  const provisioningPhase = failure.retryable ? 'RETRYING' : 'FAILED';
  // The phase before this run began, and what it had failed with: the same again is no news.
  const before = agent.lastError as unknown as Failure | null;
  const isNews = agent.provisioningPhase !== provisioningPhase || before?.message !== failure.message;
  await database.prisma.$transaction(async (tx) => {
    const [failed] = await tx.agent.updateManyAndReturn({
      // A change that came during the run is tried at once, whatever became of the one before.
      where: { id: agent.id, generation: agent.generation },
      data: {
        provisioningPhase,
        lastError: { ...failure },
        nextAttemptAt: failure.retryable ? new Date(Date.now() + delayMs) : null,
        provisioningFinishedAt: new Date(),
      },
    });
    const message = `${provisioningPhase}: ${failure.message}`;
    if (failed && isNews) await appendEvent(tx, failed, 'PROVISIONING', { message });
  });
}

const INTERNAL: Failure = {
  message: 'An unexpected error; the server’s log has more.',
  code: 'CONFLICT',
  gatewayCode: null,
  retryable: true,
  hint: null,
};

function describe(error: unknown): Failure {
  if (error instanceof GatewayError) return failureOf(error);
  if (error instanceof TemplateError || error instanceof BudgetError) {
    const hint = 'Change the template or the text that is too long; it is then tried again.';
    return { message: error.message, code: 'VALIDATION', gatewayCode: null, retryable: false, hint };
  }
  return INTERNAL;
}
