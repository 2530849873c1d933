import { appendEvent } from '../events/log.ts';
import { deleteAgent } from '../gateway/agents.ts';
import { type ConfigSnapshot, readConfig } from '../gateway/config.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJobs, type HeartbeatJob } from '../gateway/cron.ts';
import { GatewayError } from '../gateway/errors.ts';
import { isApplied } from '../gateway/merge-patch.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { documentHashesOf } from './document-hashes.ts';
import { isMadeHere } from './identity.ts';
import { wantedEntry } from './plan.ts';
import type { Reconciler } from './reconciler.ts';
import { lostDocuments } from './seen-workspace.ts';

// What changed at a gateway without having been asked for. It is told in an event, and makes the agent due again.

/** Agents looked at before new work of the gateway gets its turn. */
const AGENTS_AT_ONCE = 8;

interface Drift {
  /** What was found, as parts of a sentence. */
  found: string[];
  /** Names of documents that have to be written again. */
  lost: readonly string[];
  /** Whether nothing is left of the agent, so that it has to be woken like a new one. */
  isGone: boolean;
}

/**
 * Compares the entries of the agents that should be in line: one request for all of them.
 * @returns whether any was another one, and the ids of all that are there
 */
export async function checkEntries(
  reconciler: Reconciler,
  gatewayId: string,
): Promise<{ isDifferent: boolean; present: string[] }> {
  const connection = reconciler.links.connected(gatewayId);
  if (!connection) return { isDifferent: false, present: [] };
  const { entries } = await readConfig(connection);
  const agents = await agentsInLine(reconciler, gatewayId);
  let isDifferent = false;
  for (const agent of agents) {
    const drift = driftOfEntry(agent, entries[agent.openclawAgentId]);
    if (!drift) continue;
    isDifferent = true;
    await makeDue(reconciler, agent, drift);
  }
  return { isDifferent, present: Object.keys(entries) };
}

/**
 * Removes agents again that have left, and are there all the same: a request that registered one was carried out after its
 * answer had been lost, when the removal had found nothing to remove any more.
 * @param present ids of the agents that the gateway has
 * @returns whether there were any
 * @throws GatewayError when one could not be removed, after the others were
 */
export async function removeRevenants(
  { database, links, log }: Reconciler,
  gatewayId: string,
  present: string[],
): Promise<boolean> {
  const connection = links.connected(gatewayId);
  if (!connection) return false;
  const where = { gatewayId, openclawAgentId: { in: present } };
  const departed = await database.prisma.departedAgent.findMany({ where });
  if (departed.length === 0) return false;
  const wanted = await database.prisma.agent.findMany({ where, select: { openclawAgentId: true } });
  const ids = new Set(wanted.map(({ openclawAgentId }) => openclawAgentId));
  // An adopted one had a name of somebody's own: whoever has it now may be another one.
  const revenants = departed.filter(({ openclawAgentId }) => isMadeHere(openclawAgentId) && !ids.has(openclawAgentId));
  const failures: unknown[] = [];
  for (const { openclawAgentId } of revenants) {
    try {
      log.warn({ gatewayId, openclawAgentId }, 'an agent that had left was there again, and is removed');
      await deleteAgent(connection, openclawAgentId);
    } catch (error) {
      log.warn({ err: error, gatewayId, openclawAgentId }, 'an agent that had left cannot be removed again');
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return revenants.length > 0;
}

/** Looks whether the documents of each agent that should be in line are there; `between` runs what has become due. */
export async function checkDocuments(
  reconciler: Reconciler,
  gatewayId: string,
  signal: AbortSignal,
  between: () => Promise<void>,
): Promise<void> {
  const agents = (await agentsInLine(reconciler, gatewayId)).filter((agent) => agent.isManaged);
  const connection = reconciler.links.connected(gatewayId);
  if (agents.length === 0 || !connection) return;
  const jobs = await findHeartbeatJobs(connection);
  for (let start = 0; start < agents.length; start += AGENTS_AT_ONCE) {
    if (signal.aborted || reconciler.links.connected(gatewayId) !== connection) return;
    const group = agents.slice(start, start + AGENTS_AT_ONCE);
    const check = (agent: Agent) =>
      checkDocumentsOf(reconciler, connection, agent, jobs.get(agent.openclawAgentId) ?? null).catch(
        (error: unknown) => {
          if (!(error instanceof GatewayError) || error.retryable) throw error;
          // Its own run says what a person has to do; the others are looked at all the same.
          const found = [`its documents cannot be looked at: ${error.message}`];
          return makeDue(reconciler, agent, { found, lost: [], isGone: false }, `Found at the gateway: ${found}`);
        },
      );
    await Promise.all(group.map(check));
    await between();
  }
}

async function checkDocumentsOf(
  reconciler: Reconciler,
  connection: GatewayConnection,
  agent: Agent,
  job: HeartbeatJob | null,
): Promise<void> {
  const { lost, hasToken } = await lostDocuments(connection, agent, job);
  const found = lost.map((name) => `${name} was not there`);
  if (!hasToken && !lost.includes('TOOLS.md')) found.push('TOOLS.md did not have the agent’s token');
  if (found.length > 0)
    await makeDue(reconciler, agent, { found, lost: hasToken ? lost : [...lost, 'TOOLS.md'], isGone: false });
}

function agentsInLine({ database }: Reconciler, gatewayId: string): Promise<Agent[]> {
  return database.prisma.agent.findMany({
    where: { gatewayId, provisioningPhase: 'SUCCEEDED', deletionRequestedAt: null },
    orderBy: { id: 'asc' },
  });
}

function driftOfEntry(agent: Agent, entry: ConfigSnapshot['entries'][string] | undefined): Drift | null {
  if (!entry) return { found: ['the agent was not there'], lost: [], isGone: true };
  const wanted = Object.entries(wantedEntry(agent));
  const found = wanted
    .filter(([key, value]) => !isApplied({ [key]: value }, entry))
    .map(([key]) => `its ${key} was ${JSON.stringify(entry[key] ?? null)}`);
  return found.length > 0 ? { found, lost: [], isGone: false } : null;
}

/** @param message for what is no drift, and what the agent's next run tells more of */
async function makeDue(
  { database, log }: Reconciler,
  agent: Agent,
  { found, lost, isGone }: Drift,
  message = `Found at the gateway, and repaired: ${found.join('; ')}.`,
): Promise<void> {
  const kept = Object.entries(documentHashesOf(agent)).filter(([name]) => !lost.includes(name));
  await database.prisma.$transaction(async (tx) => {
    const [due] = await tx.agent.updateManyAndReturn({
      where: { id: agent.id, generation: agent.generation, provisioningPhase: 'SUCCEEDED', deletionRequestedAt: null },
      data: {
        provisioningPhase: 'PENDING',
        attempts: 0,
        nextAttemptAt: new Date(),
        documentHashes: isGone ? {} : Object.fromEntries(kept),
        ...(isGone && { wokenAt: null }),
      },
    });
    if (due) await appendEvent(tx, due, 'UPDATED', { message });
  });
  log.warn({ agentId: agent.id, name: agent.name, found }, 'an agent was changed at its gateway');
}
