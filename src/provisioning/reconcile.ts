import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Db } from '../db/database.ts';
import { appendEvent } from '../events/log.ts';
import { deleteAgent, listAgents } from '../gateway/agents.ts';
import { readConfig } from '../gateway/config.ts';
import { writerOf } from '../gateway/config-writer.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJobs, type HeartbeatJob } from '../gateway/cron.ts';
import { InFlight } from '../gateway/in-flight.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { Agent } from '../generated/prisma/client.ts';
import type { GatewayLinks } from './links.ts';
import { fail, succeed } from './outcome.ts';
import { divideWork, wantedEntry } from './plan.ts';
import { provisionAgent, wakeAgent } from './provision-agent.ts';
import { recordStep, runStep } from './steps.ts';
import { type CommandFacts, commandHints } from './tools-check.ts';
import type { AgentWithBoard, Workspaces } from './workspaces.ts';

export interface Reconciler {
  database: Database;
  links: GatewayLinks;
  workspaces: Workspaces;
  log: GatewayLog;
  /** Agents brought in line at the same time. */
  concurrency: number;
}

/** Agents are often asked for in a row. Waiting until none has come for this long lets them share a write, … */
const QUIET_MS = 100;
/** … but no longer than this: writes of the gateway's configuration take from half a second to many. */
const GATHER_MS = 3_000;
/** How long agents that could be woken wait for the others to get their documents. */
const WAKE_PATIENCE_MS = 15_000;
/** How long a gateway takes at most to make the heartbeat job of an agent that it has just got. */
const HEARTBEAT_JOB_TRIES = 8;
const HEARTBEAT_JOB_POLL_MS = 100;

/**
 * Brings one gateway in line with all of its agents that are due: what was created, changed, or is to be removed, and
 * what failed and is to be tried again. May be stopped at any line; running it again finishes the work and makes
 * nothing twice. One agent's failure holds back no other.
 */
export async function reconcileGateway(reconciler: Reconciler, gatewayId: string, signal: AbortSignal): Promise<void> {
  await gather(reconciler.database.prisma, gatewayId);
  // A change that comes during a run makes its agent due again.
  while (!signal.aborted && (await runOnce(reconciler, gatewayId, signal))) {}
}

async function gather(db: Db, gatewayId: string): Promise<void> {
  const deadline = performance.now() + GATHER_MS;
  for (let before = -1; performance.now() < deadline; ) {
    const due = await db.agent.count({ where: { gatewayId, nextAttemptAt: { lte: new Date() } } });
    if (due === 0 || due === before) return;
    before = due;
    await sleep(QUIET_MS);
  }
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
    removeAll(reconciler, connection, work.remove),
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

async function removeAll(reconciler: Reconciler, connection: GatewayConnection, agents: Agent[]): Promise<void> {
  for (const agent of agents) await remove(reconciler, connection, agent);
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
  const places = new InFlight(reconciler.concurrency);
  /** Runs a part of an agent's work when there is a place for it. Null when it failed, which is stored. */
  const attempt = <T>(agent: AgentWithBoard, work: () => Promise<T>): Promise<T | null> =>
    places.run(async () => {
      try {
        signal.throwIfAborted();
        return await work();
      } catch (error) {
        if (!signal.aborted) await fail(reconciler, agent, error);
        return null;
      }
    });
  const hintOf = commandHints(connection, observed);
  const all = registered.map((agent) => {
    const heartbeatJob = observed.heartbeatJobs.get(agent.openclawAgentId) ?? null;
    const askCommandHint = () => hintOf(agent.openclawAgentId);
    const task = { database, workspaces, connection, heartbeatJob, askCommandHint, agent, signal };
    return { task, provisioned: attempt(agent, () => provisionAgent(task)) };
  });
  // A turn occupies the gateway's one thread: 50 agents took 45 s when each was woken at once, and 19 s when the first
  // was woken after the last had its documents. But one that stalls keeps the others waiting for so long only.
  const documents = Promise.all(all.map(({ provisioned }) => provisioned));
  const ready = Promise.race([documents, sleep(WAKE_PATIENCE_MS, null, { ref: false })]);
  await Promise.all(
    all.map(async ({ task, provisioned }) => {
      const result = await provisioned;
      if (result === null) return;
      await ready;
      await attempt(task.agent, async () => {
        await wakeAgent(task, result.wakeMessage);
        await succeed(reconciler, task.agent, result.hint);
      });
    }),
  );
}

/** What is asked of the gateway once for all agents of a run, by their ids there. */
interface Observed extends CommandFacts {
  heartbeatJobs: ReadonlyMap<string, HeartbeatJob>;
}

async function observeAll(connection: GatewayConnection, agents: Agent[]): Promise<Observed> {
  const [jobs, listed, config] = await Promise.all([
    heartbeatJobs(connection, agents),
    listAgents(connection),
    readConfig(connection),
  ]);
  const permissionModes = new Map(listed.map(({ id, permissionMode }) => [id, permissionMode]));
  return { heartbeatJobs: jobs, permissionModes, entries: config.entries };
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
