import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../db/database.ts';
import { type KnownAgents, type PatchResult, writerOf } from '../gateway/config-writer.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJobs, type HeartbeatJob } from '../gateway/cron.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { fail } from './outcome.ts';
import { beats, wantedEntry } from './plan.ts';
import type { Reconciler } from './reconciler.ts';
import { both, recordStep } from './steps.ts';

/** How long a gateway takes at most to make the heartbeat job of an agent that it has just got. */
const HEARTBEAT_JOB_TRIES = 8;
const HEARTBEAT_JOB_POLL_MS = 100;

interface Registered<T> {
  /** The agents that the gateway has now. */
  registered: T[];
  /** The gateway's configuration before. */
  before: PatchResult['before'];
  revived: PatchResult['revived'];
}

/** Writes the entries of all agents at once. How it went is stored with each; those that failed are left out of what is returned. */
export async function registerAll<T extends Agent>(
  reconciler: Reconciler,
  connection: GatewayConnection,
  agents: T[],
): Promise<Registered<T>> {
  const { prisma } = reconciler.database;
  const startedAt = new Date();
  const started = performance.now();
  const record = (of: T[], outcome: 'RUNNING' | 'CHANGED' | 'UNCHANGED', durationMs: number | null) =>
    recordStep(
      reconciler,
      of.map((agent) => agent.id),
      { name: 'REGISTER', outcome, detail: null, startedAt, durationMs },
    );
  const known = await knownAgents(prisma, agents);
  const writer = writerOf(connection);
  const writing = Promise.allSettled(
    agents.map((agent) => writer.patch({ [agent.openclawAgentId]: wantedEntry(agent) }, known)),
  );
  const outcomes = await both(writing, record(agents, 'RUNNING', null));
  const durationMs = performance.now() - started;
  const changed: T[] = [];
  const unchanged: T[] = [];
  let before: PatchResult['before'] = { entries: {}, settings: '' };
  let revived: PatchResult['revived'] = new Set();
  for (const [index, agent] of agents.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === 'fulfilled') {
      (outcome.value.changed ? changed : unchanged).push(agent);
      ({ before, revived } = outcome.value);
    } else if (outcome) {
      await recordStep(reconciler, [agent.id], {
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
  return { registered: [...changed, ...unchanged], before, revived };
}

/** Those whose ids were on the gateway before: of the agents themselves, or of others that have left. */
async function knownAgents(db: Db, agents: Agent[]): Promise<KnownAgents> {
  const departed = await db.departedAgent.findMany({
    where: {
      gatewayId: { in: agents.map(({ gatewayId }) => gatewayId) },
      openclawAgentId: { in: agents.map(({ openclawAgentId }) => openclawAgentId) },
    },
  });
  const ids = new Set(departed.map(({ openclawAgentId }) => openclawAgentId));
  const known = agents.filter((agent) => agent.observedGeneration > 0 || ids.has(agent.openclawAgentId));
  /** Nothing is left of it: it gets all documents, and is woken, like a new one; also when this run ends before it comes to that. */
  const beforeMaking = async (agent: Agent) => {
    const data = { documentHashes: {}, wokenAt: null };
    await db.agent.updateMany({ where: { id: agent.id }, data });
    Object.assign(agent, data);
  };
  return Object.fromEntries(
    known.map((agent) => [
      agent.openclawAgentId,
      { workspace: agent.workspacePath, beforeMaking: () => beforeMaking(agent) },
    ]),
  );
}

/**
 * The heartbeat jobs by the agents' ids on the gateway. An agent that was registered just now may get its job some
 * moments later; one without heartbeats, or on a gateway without cron, has none.
 */
export async function heartbeatJobs(
  connection: GatewayConnection,
  agents: Agent[],
): Promise<Map<string, HeartbeatJob>> {
  const expected = agents.filter(beats);
  // All jobs of a gateway come in pages; those of one agent in one.
  const [only] = agents;
  const filter = agents.length === 1 && only ? { agentId: only.openclawAgentId } : {};
  for (let tries = 1; ; tries++) {
    const jobs = await findHeartbeatJobs(connection, filter);
    const complete = expected.every((agent) => jobs.has(agent.openclawAgentId));
    if (complete || tries >= HEARTBEAT_JOB_TRIES) return jobs;
    await sleep(HEARTBEAT_JOB_POLL_MS);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
