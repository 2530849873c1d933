import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Db, Prisma } from '../db/database.ts';
import { appendEvent } from '../events/log.ts';
import { deleteAgent, listAgents } from '../gateway/agents.ts';
import { writerOf } from '../gateway/config-writer.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJobs, type HeartbeatJob } from '../gateway/cron.ts';
import { GatewayError } from '../gateway/errors.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { backoffMs } from './backoff.ts';
import { BudgetError } from './budgets.ts';
import { concurrently } from './concurrently.ts';
import { type Failure, failureOf } from './failure.ts';
import type { GatewayLinks } from './links.ts';
import { TemplateError } from './liquid.ts';
import { divideWork, wantedEntry } from './plan.ts';
import { provisionAgent } from './provision-agent.ts';
import { recordStep, runStep } from './steps.ts';
import type { AgentWithBoard, Workspaces } from './workspaces.ts';

export interface Reconciler {
  database: Database;
  links: GatewayLinks;
  workspaces: Workspaces;
  log: GatewayLog;
  /** Agents brought in line at the same time. */
  concurrency: number;
}

/** Agents are often asked for in a row; waiting this long for the next one lets them share a write. */
const GATHER_MS = 50;
/** How long a gateway takes at most to make the heartbeat job of an agent that it has just got. */
const HEARTBEAT_JOB_TRIES = 8;
const HEARTBEAT_JOB_POLL_MS = 100;

/**
 * Brings one gateway in line with all of its agents that are due: what was created, changed, or is to be removed, and
 * what failed and is to be tried again. May be stopped at any line; running it again finishes the work and makes
 * nothing twice. One agent's failure holds back no other.
 */
export async function reconcileGateway(reconciler: Reconciler, gatewayId: string, signal: AbortSignal): Promise<void> {
  await sleep(GATHER_MS);
  // A change that comes during a run makes its agent due again.
  while (!signal.aborted && (await runOnce(reconciler, gatewayId, signal))) {}
}

/** @returns whether there was anything to do */
async function runOnce(reconciler: Reconciler, gatewayId: string, signal: AbortSignal): Promise<boolean> {
  const { database, links } = reconciler;
  const { prisma } = database;
  const gateway = await prisma.gateway.findUnique({ where: { id: gatewayId } });
  if (!gateway) return false;
  const due = await prisma.agent.findMany({
    where: { gatewayId, nextAttemptAt: { lte: new Date() } },
    include: { board: true },
    orderBy: { id: 'asc' },
  });
  const leaving = await prisma.agent.findMany({
    where: { gatewayId, deletionRequestedAt: { not: null } },
    select: { openclawAgentId: true },
  });
  const work = divideWork(due, new Set(leaving.map((agent) => agent.openclawAgentId)));
  const agents = [...work.remove, ...work.provision];
  if (agents.length === 0) return false;

  await begin(prisma, agents);
  let connection: GatewayConnection;
  try {
    connection = await links.connect(gateway);
  } catch (error) {
    for (const agent of agents) await fail(reconciler, agent, error);
    return true;
  }
  await Promise.all([
    // A gateway removes one agent at a time, seconds each; the others do not wait for it.
    concurrently(work.remove, 1, (agent) => remove(reconciler, connection, agent)),
    provisionAll(reconciler, connection, work.provision, signal),
  ]);
  return true;
}

/** Marks a run's beginning. nextAttemptAt stays, so that the agents of a run that dies are still due. */
async function begin(db: Db, agents: Agent[]): Promise<void> {
  const ids = agents.map((agent) => agent.id);
  const startedAt = new Date();
  await db.agent.updateMany({
    where: { id: { in: ids } },
    data: {
      provisioningPhase: 'RUNNING',
      attempts: { increment: 1 },
      provisioningStartedAt: startedAt,
      provisioningFinishedAt: null,
    },
  });
  await db.provisioningStep.deleteMany({ where: { agentId: { in: ids } } });
  for (const agent of agents) {
    agent.attempts += 1;
    agent.provisioningStartedAt = startedAt;
  }
}

async function remove(reconciler: Reconciler, connection: GatewayConnection, agent: Agent): Promise<void> {
  const { prisma } = reconciler.database;
  try {
    await runStep(prisma, agent.id, 'REMOVE', async () => {
      const { removed } = await deleteAgent(connection, { agentId: agent.openclawAgentId });
      return { outcome: removed ? 'CHANGED' : 'UNCHANGED' };
    });
    await prisma.$transaction(async (tx) => {
      await tx.agent.deleteMany({ where: { id: agent.id } });
      await appendEvent(tx, agent, 'DELETED');
    });
    reconciler.log.info({ agentId: agent.id, name: agent.name }, 'agent removed');
  } catch (error) {
    await fail(reconciler, agent, error);
  }
}

async function provisionAll(
  reconciler: Reconciler,
  connection: GatewayConnection,
  agents: AgentWithBoard[],
  signal: AbortSignal,
): Promise<void> {
  if (agents.length === 0) return;
  const { database, workspaces } = reconciler;
  const registered = await registerAll(reconciler, connection, agents);
  if (registered.length === 0) return;
  let observed: Observed;
  try {
    observed = await observeAll(connection, registered);
  } catch (error) {
    for (const agent of registered) await fail(reconciler, agent, error);
    return;
  }
  await concurrently(registered, reconciler.concurrency, async (agent) => {
    const heartbeatJob = observed.heartbeatJobs.get(agent.openclawAgentId) ?? null;
    const permissionMode = observed.permissionModes.get(agent.openclawAgentId) ?? null;
    const facts = { heartbeatJob, permissionMode };
    try {
      const hint = await provisionAgent({ database, workspaces, connection, ...facts, agent, signal });
      await succeed(reconciler, agent, hint);
    } catch (error) {
      if (!signal.aborted) await fail(reconciler, agent, error);
    }
  });
}

/** What is asked of the gateway once for all agents of a run, by their ids there. */
interface Observed {
  heartbeatJobs: ReadonlyMap<string, HeartbeatJob>;
  permissionModes: ReadonlyMap<string, string | null>;
}

async function observeAll(connection: GatewayConnection, agents: Agent[]): Promise<Observed> {
  const [jobs, listed] = await Promise.all([heartbeatJobs(connection, agents), listAgents(connection)]);
  return {
    heartbeatJobs: jobs,
    permissionModes: new Map(listed.map(({ id, permissionMode }) => [id, permissionMode])),
  };
}

/** Writes all entries at once. @returns the agents that the gateway has now */
async function registerAll<T extends Agent>(
  reconciler: Reconciler,
  connection: GatewayConnection,
  agents: T[],
): Promise<T[]> {
  const { prisma } = reconciler.database;
  const startedAt = new Date();
  const started = performance.now();
  const record = (of: T[], outcome: 'RUNNING' | 'CHANGED' | 'UNCHANGED', durationMs: number | null) =>
    recordStep(
      prisma,
      of.map((agent) => agent.id),
      { name: 'REGISTER', outcome, detail: null, startedAt, durationMs },
    );
  await record(agents, 'RUNNING', null);
  const writer = writerOf(connection);
  const outcomes = await Promise.allSettled(
    agents.map((agent) => writer.patch({ [agent.openclawAgentId]: wantedEntry(agent) })),
  );
  const durationMs = performance.now() - started;
  const changed: T[] = [];
  const unchanged: T[] = [];
  for (const [index, agent] of agents.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === 'fulfilled') (outcome.value.changed ? changed : unchanged).push(agent);
    else if (outcome) {
      await recordStep(prisma, [agent.id], {
        name: 'REGISTER',
        outcome: 'FAILED',
        detail: messageOf(outcome.reason),
        startedAt,
        durationMs,
      });
      await fail(reconciler, agent, outcome.reason);
    }
  }
  if (changed.length > 0) await record(changed, 'CHANGED', durationMs);
  if (unchanged.length > 0) await record(unchanged, 'UNCHANGED', durationMs);
  return [...changed, ...unchanged];
}

/**
 * The heartbeat jobs by the agents' ids on the gateway. An agent that was registered just now may get its job some
 * moments later; one without heartbeats, or on a gateway without cron, has none.
 */
async function heartbeatJobs(connection: GatewayConnection, agents: Agent[]): Promise<Map<string, HeartbeatJob>> {
  const expected = agents.filter((agent) => agent.heartbeatEnabled && agent.status !== 'PAUSED');
  for (let tries = 1; ; tries++) {
    const jobs = await findHeartbeatJobs(connection);
    const complete = expected.every((agent) => jobs.has(agent.openclawAgentId));
    if (complete || tries >= HEARTBEAT_JOB_TRIES) return jobs;
    await sleep(HEARTBEAT_JOB_POLL_MS);
  }
}

/** The gateway is in line with the generation that this run has read; a later one makes the agent due again. */
async function succeed({ database, log }: Reconciler, agent: Agent, hint: string | null): Promise<void> {
  await database.prisma.$transaction(async (tx) => {
    const { count } = await tx.agent.updateMany({
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
    if (count === 0) {
      const data = { provisioningPhase: 'PENDING', observedGeneration: agent.generation } as const;
      await tx.agent.updateMany({ where: { id: agent.id }, data });
      return;
    }
    const [ready] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, status: 'PROVISIONING' },
      data: { status: 'READY' },
    });
    if (ready) await appendEvent(tx, ready, 'STATUS_CHANGED', { previousStatus: 'PROVISIONING' });
  });
  log.info({ agentId: agent.id, name: agent.name, generation: agent.generation }, 'agent provisioned');
}

/** Stores why it failed, and when it is tried again: never by itself, when only a person can change something. */
async function fail({ database, links, log }: Reconciler, agent: Agent, error: unknown): Promise<void> {
  const failure = describe(error);
  if (failure === INTERNAL) log.error({ err: error, agentId: agent.id }, 'provisioning failed unexpectedly');
  else log.warn({ agentId: agent.id, name: agent.name, ...failure }, 'provisioning failed');
  const retryAfterMs = error instanceof GatewayError ? error.retryAfterMs : null;
  // A gateway that was away and is back already has told so before this could be stored.
  const cameBack = (links.connectedSince(agent.gatewayId) ?? 0) > (agent.provisioningStartedAt ?? 0);
  const delayMs = backoffMs(cameBack ? 1 : agent.attempts, retryAfterMs, Math.random());
  await database.prisma.agent.updateMany({
    // A change that came during the run is tried at once, whatever became of the one before.
    where: { id: agent.id, generation: agent.generation },
    data: {
      provisioningPhase: failure.retryable ? 'RETRYING' : 'FAILED',
      lastError: { ...failure },
      nextAttemptAt: failure.retryable ? new Date(Date.now() + delayMs) : null,
      provisioningFinishedAt: new Date(),
    },
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
