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
import type { ProvisioningMetrics } from './metrics.ts';
import { type EndedSync, settleInSync } from './template-sync.ts';

// How an agent's run ended, as it is stored and told.

interface Outcomes {
  database: Database;
  links: GatewayLinks;
  log: GatewayLog;
  metrics: ProvisioningMetrics;
}

/** What a run made of an agent. */
export interface Success {
  /** What an operator should know although it went well, or null. */
  hint: string | null;
  wroteDocuments: boolean;
}

/** The gateway is in line with the generation that this run has read; a later one makes the agent due again. */
export async function succeed({ database, log, metrics }: Outcomes, agent: Agent, success: Success): Promise<void> {
  const ended = await database.prisma.$transaction(async (tx) => {
    const [done] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, generation: agent.generation },
      data: {
        provisioningPhase: 'SUCCEEDED',
        observedGeneration: agent.generation,
        attempts: 0,
        nextAttemptAt: null,
        lastError: Prisma.DbNull,
        failingSince: null,
        provisioningHint: success.hint,
        provisioningFinishedAt: new Date(),
      },
    });
    if (!done) {
      const data = { provisioningPhase: 'PENDING', observedGeneration: agent.generation } as const;
      await tx.agent.updateMany({ where: { id: agent.id }, data });
      return null;
    }
    const [ready] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, status: 'PROVISIONING' },
      data: { status: 'READY' },
    });
    const events: NewEvent[] = [{ agent: ready ?? done, type: 'PROVISIONING', details: { message: 'SUCCEEDED' } }];
    const details = { previousStatus: 'PROVISIONING' } as const;
    if (ready) events.push({ agent: ready, type: 'STATUS_CHANGED', details });
    const sync = await settleInSync(tx, done, success.wroteDocuments ? 'updated' : 'unchanged');
    await appendEvents(tx, events);
    return sync;
  });
  metrics.provisioningEnded('succeeded', secondsOf(agent));
  log.info({ agentId: agent.id, name: agent.name, generation: agent.generation }, 'agent provisioned');
  tellEnd(log, agent, ended);
}

/**
 * Stores why it failed, as storeFailure does. When that cannot be stored, the agent is due as before, and is tried again at once.
 */
export async function fail(outcomes: Outcomes, agent: Agent, error: unknown, chance = Math.random()): Promise<void> {
  try {
    await storeFailure(outcomes, agent, error, chance);
  } catch (thrown) {
    outcomes.log.error({ err: thrown, agentId: agent.id }, 'cannot store why provisioning failed');
  }
}

/**
 * Stores why it failed, and when it is tried again: never by itself, when only a person can change something.
 * @param chance from 0 to 1: where within its range the time of the next try lies
 */
async function storeFailure(
  { database, links, log, metrics }: Outcomes,
  agent: Agent,
  error: unknown,
  chance: number,
): Promise<void> {
  // A gateway that was away and is back already has told so before this could be stored.
  const cameBack = (links.connectedSince(agent.gatewayId) ?? 0) > (agent.provisioningStartedAt ?? 0);
  const wasLetIn = cameBack && error instanceof GatewayError && error.connection !== 'UNREACHABLE';
  const failure = { ...describe(error), ...(wasLetIn && { retryable: true }) };
  if (failure.message === INTERNAL.message)
    log.error({ err: error, agentId: agent.id }, 'provisioning failed unexpectedly');
  else log.warn({ agentId: agent.id, name: agent.name, ...failure }, 'provisioning failed');
  const retryAfterMs = error instanceof GatewayError ? error.retryAfterMs : null;
  const delayMs = backoffMs(cameBack ? 1 : agent.attempts, retryAfterMs, chance);
  const provisioningPhase = failure.retryable ? 'RETRYING' : 'FAILED';
  metrics.provisioningEnded(failure.retryable ? 'retrying' : 'failed', secondsOf(agent));
  // The phase before this run began, and what it had failed with: the same again is no news.
  const before = agent.lastError as unknown as Failure | null;
  const isNews = agent.provisioningPhase !== provisioningPhase || before?.message !== failure.message;
  const ended = await database.prisma.$transaction(async (tx) => {
    const [failed] = await tx.agent.updateManyAndReturn({
      // A change that came during the run is tried at once, whatever became of the one before.
      where: { id: agent.id, generation: agent.generation },
      data: {
        provisioningPhase,
        lastError: { ...failure },
        nextAttemptAt: nextAttempt(agent, failure, delayMs),
        failingSince: agent.failingSince ?? new Date(),
        provisioningFinishedAt: new Date(),
      },
    });
    const sync = failed && !failure.retryable ? await settleInSync(tx, failed, failure) : null;
    const message = `${provisioningPhase}: ${failure.message}`;
    if (failed && isNews) await appendEvent(tx, failed, 'PROVISIONING', { message });
    return sync;
  });
  tellEnd(log, agent, ended);
}

function tellEnd(log: GatewayLog, { gatewayId }: Agent, sync: EndedSync | null): void {
  if (sync) log.info({ ...sync, gatewayId }, 'sync of templates ended');
}

/** Since this run began. */
export function secondsOf({ provisioningStartedAt }: Agent): number {
  return provisioningStartedAt === null ? 0 : (Date.now() - provisioningStartedAt.getTime()) / 1_000;
}

/** How often a removal is tried that only a person can help: sooner or later its gateway is forgotten with all of it. */
const STUCK_REMOVAL_MS = 60 * 60_000;

function nextAttempt(agent: Agent, failure: Failure, delayMs: number): Date | null {
  if (failure.retryable) return new Date(Date.now() + delayMs);
  return agent.deletionRequestedAt === null ? null : new Date(Date.now() + STUCK_REMOVAL_MS);
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
    const hint =
      'Correct the template or the text that is too long with updateAgent, or in the template folder and call syncGatewayTemplates.';
    return { message: error.message, code: 'VALIDATION', gatewayCode: null, retryable: false, hint };
  }
  return INTERNAL;
}
