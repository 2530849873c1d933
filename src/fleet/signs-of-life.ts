import type { Database } from '../db/database.ts';
import { appendEvents, type NewEvent } from '../events/log.ts';
import type { Fact, RunEnded, RunStarted } from '../gateway/observation.ts';
import type { AgentStatus, Liveness } from '../generated/prisma/client.ts';
import type { Log } from '../log.ts';

type Sign = RunStarted | RunEnded;

interface Seen {
  id: string;
  organizationId: string;
  boardId: string | null;
  gatewayId: string;
  status: AgentStatus;
  liveness: Liveness;
  previousStatus: AgentStatus;
  previousLiveness: Liveness;
}

/** How soon the same sign of an agent is written again. */
const SAME_SIGN_MS = 1_000;

/**
 * Turns runs that are seen at gateways into the status of agents: one that works is ACTIVE although it told nobody,
 * and IDLE when its run has ended.
 */
export class SignsOfLife {
  readonly #database: Database;
  readonly #log: Log;
  /** Per gateway what was seen and is not written yet, by the agent's id there: the latest counts. */
  readonly #unwritten = new Map<string, Map<string, Sign>>();
  /** The latest sign of each agent: one run is told several times over. */
  readonly #latest = new Map<string, Sign>();
  #writing: Promise<void> | null = null;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Takes what a gateway's events have told. */
  see(gatewayId: string, facts: Fact[]): void {
    const runs = facts.filter((fact) => fact.kind === 'run-started' || fact.kind === 'run-ended');
    const signs = runs.filter((sign) => isSign(sign) && this.#isNews(gatewayId, sign));
    if (signs.length === 0) return;
    const ofGateway = this.#unwritten.get(gatewayId) ?? new Map<string, Sign>();
    this.#unwritten.set(gatewayId, ofGateway);
    for (const sign of signs) ofGateway.set(sign.agentId, sign);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  /** Whether it says something else than the sign before, or the same again a second later. */
  #isNews(gatewayId: string, sign: Sign): boolean {
    const key = `${gatewayId} ${sign.agentId}`;
    const before = this.#latest.get(key);
    if (before?.kind === sign.kind && sign.at.getTime() - before.at.getTime() < SAME_SIGN_MS) return false;
    this.#latest.set(key, sign);
    return true;
  }

  async stop(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (const [gatewayId, signs] of this.#unwritten) {
      this.#unwritten.delete(gatewayId);
      try {
        await this.#write(gatewayId, [...signs.values()]);
      } catch (error) {
        this.#log.error({ err: error, gatewayId }, 'cannot store what was seen at a gateway');
      }
    }
    if (this.#unwritten.size > 0) await this.#writeAll();
  }

  async #write(gatewayId: string, signs: Sign[]): Promise<void> {
    await this.#database.prisma.$transaction(async (tx) => {
      const seen = await tx.$queryRaw<Seen[]>`
        WITH sign AS (
          SELECT * FROM unnest(${signs.map((sign) => sign.agentId)}::text[], ${signs.map(statusOf)}::text[],
                               ${signs.map((sign) => sign.at)}::timestamptz[]) AS s ("openclawAgentId", status, at)
        ), before AS (
          SELECT a.id, a.status, a.liveness, sign.status AS "newStatus", sign.at
          FROM sign JOIN "Agent" a ON a."gatewayId" = ${gatewayId}::uuid AND a."openclawAgentId" = sign."openclawAgentId"
          WHERE a.status NOT IN ('PAUSED', 'DELETED') AND (a."lastSeenAt" IS NULL OR a."lastSeenAt" <= sign.at)
          ORDER BY a.id
          FOR UPDATE OF a
        )
        UPDATE "Agent" a
        SET status = before."newStatus"::"AgentStatus", liveness = 'ONLINE', "lastSeenAt" = before.at, "wakeAttempts" = 0
        FROM before WHERE a.id = before.id
        RETURNING a.id, a."organizationId", a."boardId", a."gatewayId", a.status, a.liveness,
                  before.status AS "previousStatus", before.liveness AS "previousLiveness"`;
      await appendEvents(tx, seen.flatMap(eventsOf));
    });
  }
}

/** A heartbeat that was due and skipped is no sign of life. */
function isSign(fact: Sign): boolean {
  return fact.kind === 'run-started' || fact.outcome !== 'skipped';
}

function statusOf(sign: Sign): 'ACTIVE' | 'IDLE' {
  return sign.kind === 'run-started' ? 'ACTIVE' : 'IDLE';
}

function eventsOf(agent: Seen): NewEvent[] {
  const events: NewEvent[] = [];
  const { previousStatus } = agent;
  if (agent.status !== previousStatus) events.push({ agent, type: 'STATUS_CHANGED', details: { previousStatus } });
  if (agent.liveness !== agent.previousLiveness) events.push({ agent, type: 'LIVENESS_CHANGED' });
  return events;
}
