import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../db/database.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import type { HeartbeatJob } from '../gateway/cron.ts';
import { InFlight } from '../gateway/in-flight.ts';
import type { Agent, Gateway } from '../generated/prisma/client.ts';
import { inSpanOf } from '../spans.ts';
import { checkDocuments, checkEntries, removeRevenants } from './drift.ts';
import { fail, succeed } from './outcome.ts';
import { divideWork } from './plan.ts';
import { provisionDocuments } from './provision-documents.ts';
import { provisionSession, wakeAgent } from './provision-session.ts';
import type { Reconciler } from './reconciler.ts';
import { heartbeatJobs, registerAll } from './register.ts';
import { forgetAll, isForgotten, removeAll } from './remove.ts';
import { Stage } from './stage.ts';
import { commandHints } from './tools-check.ts';
import type { AgentWithBoard } from './workspaces.ts';

/**
 * Agents are often asked for in a row, which takes about 20 ms each on the embedded database. Waiting until none has come for this
 * long lets them share a write, …
 */
const QUIET_MS = 50;
/** … but no longer than this: writes of the gateway's configuration take from half a second to many. */
const GATHER_MS = 3_000;

/** What to compare at a gateway, although nothing was asked for. */
export interface Checks {
  /** The agents' entries in its configuration: one request for all of them. */
  entries: boolean;
  /** Whether the documents of each agent are still there: some requests for each. */
  documents: boolean;
}

/**
 * Brings one gateway in line with all of its agents that are due: what was created, changed, or is to be removed, and
 * what failed and is to be tried again; and with what `checks` finds to have changed there. May be stopped at any line;
 * running it again finishes the work and makes nothing twice. One agent's failure holds back no other.
 *
 * @returns whether the entries of agents had been changed by somebody else
 */
export async function reconcileGateway(
  reconciler: Reconciler,
  gatewayId: string,
  checks: Checks,
  signal: AbortSignal,
): Promise<{ foundDrift: boolean }> {
  await gather(reconciler.database.prisma, gatewayId);
  const run = () => runWhileDue(reconciler, gatewayId, signal);
  await run();
  const compares = checks.entries && !signal.aborted;
  const { isDifferent, present } = compares
    ? await checkEntries(reconciler, gatewayId)
    : { isDifferent: false, present: [] };
  if (isDifferent) await run();
  if (checks.documents && !signal.aborted) await checkDocuments(reconciler, gatewayId, signal, run);
  // Last: one that cannot be removed keeps nobody from being repaired.
  const removed = present.length > 0 && !signal.aborted && (await removeRevenants(reconciler, gatewayId, present));
  return { foundDrift: isDifferent || removed };
}

/** A change that comes during a run makes its agent due again. */
async function runWhileDue(reconciler: Reconciler, gatewayId: string, signal: AbortSignal): Promise<void> {
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
  const { prisma } = reconciler.database;
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

  const attributes = { 'gateway.id': gatewayId, 'provisioning.agents': agents.length };
  const causes = reconciler.causes.take(gatewayId);
  await inSpanOf(causes, 'provision', { attributes }, () => runFor(reconciler, gateway, work, signal));
  return true;
}

/** Does what is due. */
async function runFor(
  reconciler: Reconciler,
  gateway: Gateway,
  work: ReturnType<typeof divideWork<AgentWithBoard>>,
  signal: AbortSignal,
): Promise<void> {
  await begin(reconciler.database.prisma, [...work.remove, ...work.provision]);
  const provision = await withTemplates(reconciler, gateway, work.provision);
  const agents = [...work.remove, ...provision];
  let connection: GatewayConnection;
  try {
    connection = await reconciler.links.connect(gateway);
  } catch (error) {
    if (isForgotten(gateway)) return forgetAll(reconciler, gateway, work.remove);
    // Of one chance, so that they are tried together: each try is an attempt to connect.
    const chance = Math.random();
    for (const agent of agents) await fail(reconciler, agent, error, chance);
    return;
  }
  const parts = await Promise.allSettled([
    // A gateway removes one agent at a time, seconds each; the others do not wait for it.
    removeAll(reconciler, connection, work.remove),
    provisionAll(reconciler, connection, provision, signal),
  ]);
  // Only when both have ended: the next run must not meet this one.
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
}

/**
 * Whoever asks for a sync has changed the templates. With a mistake in them the ones before stay.
 * @returns the agents whose templates are there: with a mistake, those that are in no sync
 */
async function withTemplates(
  reconciler: Reconciler,
  gateway: Gateway,
  agents: AgentWithBoard[],
): Promise<AgentWithBoard[]> {
  const inSync = agents.filter((agent) => agent.templateSyncId !== null);
  const syncId = inSync[0]?.templateSyncId;
  if (!syncId) return agents;
  try {
    reconciler.workspaces.readTemplatesAgain();
    reconciler.log.info({ syncId, gatewayId: gateway.id, agents: inSync.length }, 'sync of templates under way');
    return agents;
  } catch (error) {
    for (const agent of inSync) await fail(reconciler, agent, error);
    return agents.filter((agent) => agent.templateSyncId === null);
  }
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

async function provisionAll(
  reconciler: Reconciler,
  connection: GatewayConnection,
  agents: AgentWithBoard[],
  signal: AbortSignal,
): Promise<void> {
  if (agents.length === 0) return;
  const { database, workspaces, metrics } = reconciler;
  const { registered, before, revived } = await registerAll(reconciler, connection, agents);
  if (registered.length === 0) return;
  let jobs: ReadonlyMap<string, HeartbeatJob>;
  try {
    jobs = await heartbeatJobs(connection, registered);
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
  const hintOf = commandHints(connection, before);
  // A turn occupies the gateway's one thread, and so does the first change of a session, most of all between other requests: 50
  // agents took 24 to 39 s when each had its session right after its documents, and 15 to 19 s like this.
  const documents = new Stage(registered.length);
  const sessions = new Stage(registered.length);
  await Promise.all(
    registered.map(async (agent) => {
      const heartbeatJob = jobs.get(agent.openclawAgentId) ?? null;
      const wasRevived = revived.has(agent.openclawAgentId);
      const task = { database, metrics, workspaces, connection, agent, signal, heartbeatJob, wasRevived };
      const written = await documents.pass(attempt(agent, () => provisionDocuments(task)));
      const prepared = await sessions.pass(written && attempt(agent, () => provisionSession(task).then(() => written)));
      if (!prepared) return;
      await attempt(agent, async () => {
        const asked = agent.isManaged ? hintOf(agent.openclawAgentId) : null;
        const wake = prepared.wakeMessage !== null && wakeAgent(task, prepared.wakeMessage);
        // Only when both have ended, also when one fails: the next try must not meet this one.
        await Promise.allSettled([asked, wake]);
        await wake;
        await succeed(reconciler, agent, { ...prepared, hint: await asked });
      });
    }),
  );
}
