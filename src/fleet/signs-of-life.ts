import type { Database } from '../db/database.ts';
import { appendEvents, type NewEvent } from '../events/log.ts';
import type { Fact } from '../gateway/observation.ts';
import type { AgentStatus, Liveness } from '../generated/prisma/client.ts';
import type { Log } from '../log.ts';
import { SeenRuns, type Sign } from './seen-runs.ts';

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

/**
 * An agent is written at most so often in so many milliseconds, which is once a second, but a short run's beginning and end
 * are both told at once. Of what comes when it was written too often the latest counts.
 */
const WRITES = 4;
const WRITES_MS = 4_000;
/** How soon the same status is written again, for the time of the sign alone. */
const SAME_STATUS_MS = 10_000;

type RunsListed = Extract<Fact, { kind: 'runs-listed' }>;

interface Written {
  status: Sign['status'];
  /** The times of the latest writes, newest first, at most WRITES. */
  times: number[];
}

/**
 * Turns runs that are seen at gateways into the status of agents: one that works is ACTIVE although it told nobody,
 * and IDLE when its run has ended.
 */
export class SignsOfLife {
  readonly #database: Database;
  readonly #log: Log;
  readonly #gateways = new Map<string, SignsOfGateway>();
  readonly #settling = new Set<Promise<void>>();

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Takes what a gateway's events have told. */
  see(gatewayId: string, facts: Fact[]): void {
    // By this server's clock, as everything else that lastSeenAt is compared with.
    const at = new Date();
    const known = this.#gateways.get(gatewayId);
    const signs =
      known ??
      new SignsOfGateway(
        (due) => writeSigns(this.#database, gatewayId, due),
        (error) => this.#log.error({ err: error, gatewayId }, 'cannot store what was seen at a gateway'),
      );
    this.#gateways.set(gatewayId, signs);
    for (const fact of facts) {
      signs.take(fact, at);
      if (fact.kind === 'runs-listed') this.#settle(gatewayId, { ...fact, at });
    }
  }

  #settle(gatewayId: string, listed: RunsListed): void {
    const settled = settleRuns(this.#database, gatewayId, listed)
      .catch((error: unknown) =>
        this.#log.error({ err: error, gatewayId }, 'cannot store which agents of a gateway work'),
      )
      .finally(() => this.#settling.delete(settled));
    this.#settling.add(settled);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#gateways.values()].map((signs) => signs.stop()));
    await Promise.all(this.#settling);
  }
}

/** The signs of one gateway's agents, written together, and each agent's at most once a second. */
class SignsOfGateway {
  readonly #runs = new SeenRuns();
  readonly #write: (signs: Sign[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  readonly #unwritten = new Map<string, Sign>();
  readonly #written = new Map<string, Written>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #stopped = false;

  constructor(write: (signs: Sign[]) => Promise<void>, onError: (error: unknown) => void) {
    this.#write = write;
    this.#onError = onError;
  }

  take(fact: Fact, at: Date): void {
    // Agents come and go; who was written when matters for seconds only.
    if (fact.kind === 'runs-listed') this.#written.clear();
    for (const sign of this.#runs.take(fact, at)) this.#unwritten.set(sign.agentId, sign);
    this.#writeDue();
  }

  /** Writes what is left, whenever it was due. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#writing;
    if (this.#unwritten.size > 0) await this.#write([...this.#unwritten.values()]).catch(this.#onError);
  }

  #writeDue(): void {
    if (this.#writing || this.#stopped || this.#unwritten.size === 0) return;
    const now = Date.now();
    const due = [...this.#unwritten.values()].filter((sign) => this.#dueAt(sign) <= now);
    if (due.length > 0) {
      this.#writing = this.#writeNow(due, now).finally(() => {
        this.#writing = null;
        this.#writeDue();
      });
      return;
    }
    const next = Math.min(...[...this.#unwritten.values()].map((sign) => this.#dueAt(sign)));
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#writeDue(), next - now);
  }

  #dueAt({ agentId, status }: Sign): number {
    const written = this.#written.get(agentId);
    if (!written) return 0;
    const { times } = written;
    if (written.status === status) return (times[0] ?? 0) + SAME_STATUS_MS;
    return (times[WRITES - 1] ?? 0) + WRITES_MS;
  }

  async #writeNow(signs: Sign[], now: number): Promise<void> {
    for (const { agentId, status } of signs) {
      this.#unwritten.delete(agentId);
      const times = this.#written.get(agentId)?.times ?? [];
      this.#written.set(agentId, { status, times: [now, ...times].slice(0, WRITES) });
    }
    await this.#write(signs).catch(this.#onError);
  }
}

async function writeSigns({ prisma }: Database, gatewayId: string, signs: Sign[]): Promise<void> {
  await prisma.$transaction(async (tx) => {
    const seen = await tx.$queryRaw<Seen[]>`
      WITH sign AS (
        SELECT * FROM unnest(${signs.map((sign) => sign.agentId)}::text[], ${signs.map((sign) => sign.status)}::text[],
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

/**
 * What happened at a gateway while nobody listened. An agent that is ACTIVE because a run of it was seen, and has none under
 * way, is IDLE; the end of a run is a sign of life of that time. What an agent said of itself later stays.
 */
async function settleRuns({ prisma }: Database, gatewayId: string, { running, ended, at }: RunsListed): Promise<void> {
  await prisma.$transaction(async (tx) => {
    const settled = await tx.$queryRaw<Seen[]>`
      WITH ended AS (
        SELECT "openclawAgentId", least(max(at), ${at}) AS at
        FROM unnest(${ended.map(({ agentId }) => agentId)}::text[], ${ended.map((run) => run.at)}::timestamptz[])
             AS e ("openclawAgentId", at)
        GROUP BY 1
      ), before AS (
        SELECT a.id, a.status, a.liveness, ended.at,
               a.status = 'ACTIVE' AND a."lastSeenAt" <= ${at}
                 AND (a."lastHeartbeatAt" IS NULL OR a."lastHeartbeatAt" < a."lastSeenAt") AS "isStale",
               coalesce(ended.at > a."lastSeenAt" OR a."lastSeenAt" IS NULL, false) AS "isSeen",
               coalesce(ended.at > ${at}::timestamptz - make_interval(secs => a."heartbeatIntervalSeconds"), false) AS "isRecent"
        FROM "Agent" a LEFT JOIN ended USING ("openclawAgentId")
        WHERE a."gatewayId" = ${gatewayId}::uuid AND a."openclawAgentId" <> ALL(${running}::text[])
          AND a.status IN ('READY', 'ACTIVE', 'IDLE')
        ORDER BY a.id
        FOR UPDATE OF a
      )
      UPDATE "Agent" a
      SET status = CASE WHEN "isStale" OR ("isSeen" AND a.status = 'READY') THEN 'IDLE' ELSE a.status END::"AgentStatus",
          liveness = CASE WHEN "isSeen" AND "isRecent" THEN 'ONLINE' ELSE a.liveness END::"Liveness",
          "lastSeenAt" = CASE WHEN "isSeen" AND before.at IS NOT NULL THEN before.at ELSE a."lastSeenAt" END,
          "wakeAttempts" = CASE WHEN "isSeen" AND before.at > a."wokenAt" THEN 0 ELSE a."wakeAttempts" END
      FROM before WHERE a.id = before.id AND ("isStale" OR ("isSeen" AND before.at IS NOT NULL))
      RETURNING a.id, a."organizationId", a."boardId", a."gatewayId", a.status, a.liveness,
                before.status AS "previousStatus", before.liveness AS "previousLiveness"`;
    await appendEvents(tx, settled.flatMap(eventsOf));
  });
}

function eventsOf(agent: Seen): NewEvent[] {
  const events: NewEvent[] = [];
  const { previousStatus } = agent;
  if (agent.status !== previousStatus) events.push({ agent, type: 'STATUS_CHANGED', details: { previousStatus } });
  if (agent.liveness !== agent.previousLiveness) events.push({ agent, type: 'LIVENESS_CHANGED' });
  return events;
}
