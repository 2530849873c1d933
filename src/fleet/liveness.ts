import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import type { Log } from '../log.ts';

/** Between two looks, … */
const PAUSE_MS = 1_000;
/** … or so many times as long as the last one took: it reads all agents, 48 ms for 100,000; … */
const PAUSE_LOOKS = 20;
/** … but no longer than the shortest grace: one that waited for a lock, or for a database that was away, says nothing of the next. */
const LONGEST_PAUSE_MS = 15_000;
/** Of several processes one sweeps. */
const LEASE = 'liveness';
/** How long after the start gateways may take to be connected again before their agents are judged all the same. */
const RECONNECT_MS = 30_000;
/** What happened at a gateway meanwhile is asked of it when it is connected, and is here within this. */
const CATCH_UP_MS = 5_000;

/** Agents whose signs of life have stopped become LATE and then OFFLINE, each with an event. */
export class LivenessSweep {
  readonly #database: Database;
  readonly #log: Log;
  readonly #startedAt = new Date();
  readonly #stopping = new AbortController();
  #looking: Promise<void> | null = null;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  start(): void {
    this.#looking = this.#lookAgainAndAgain();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { signal } = this.#stopping;
    for (let pauseMs = PAUSE_MS; ; ) {
      await sleep(pauseMs, undefined, { signal }).catch(() => {}); // it is asked right here why it ended
      if (signal.aborted) return;
      const started = performance.now();
      await this.#sweep();
      pauseMs = pauseAfter(performance.now() - started);
    }
  }

  async #sweep(): Promise<void> {
    try {
      if (!(await this.#database.leases.acquire([LEASE])).has(LEASE)) return;
      const agents = await sweepLiveness(this.#database, new Date(), this.#startedAt);
      if (agents > 0) this.#log.info({ agents }, 'agents have become LATE or OFFLINE');
    } catch (error) {
      this.#log.error({ err: error }, 'cannot look for agents without signs of life');
    }
  }
}

/** How long to pause after a look that took so long. All in milliseconds. */
export function pauseAfter(lookMs: number): number {
  return Math.min(Math.max(PAUSE_MS, PAUSE_LOOKS * lookMs), LONGEST_PAUSE_MS);
}

/**
 * Makes agents LATE whose latest sign of life is older than an interval and its grace (a fifth of it, at least 15 s),
 * and OFFLINE those for which it is older than three intervals, with an event each, in one statement.
 * @param startedAt since when anybody looks: shortly after it, agents of gateways that are not connected again yet are left
 *   out, as nobody has heard of them while nobody listened
 * @returns how many have become so
 */
export async function sweepLiveness(
  { prisma }: Pick<Database, 'prisma'>,
  now: Date,
  startedAt: Date = new Date(0),
): Promise<number> {
  const everybody = now.getTime() - startedAt.getTime() >= RECONNECT_MS;
  const caughtUp = new Date(now.getTime() - CATCH_UP_MS);
  return prisma.$executeRaw`
    WITH stale AS (
      SELECT id,
             CASE WHEN "lastSeenAt" < ${now}::timestamptz - make_interval(secs => 3 * "heartbeatIntervalSeconds")
                  THEN 'OFFLINE' ELSE 'LATE' END::"Liveness" AS liveness
      FROM "Agent"
      WHERE (${everybody} OR "gatewayId" IN (
          SELECT id FROM "Gateway"
          WHERE "connectionState" = 'CONNECTED' AND "connectedAt" BETWEEN ${startedAt} AND ${caughtUp}
        ))
        AND liveness IN ('ONLINE', 'LATE') AND "heartbeatEnabled" AND status NOT IN ('PAUSED', 'DELETED')
        AND "lastSeenAt" < ${now}::timestamptz - make_interval(secs => CASE liveness
            WHEN 'ONLINE' THEN "heartbeatIntervalSeconds" + greatest(15, "heartbeatIntervalSeconds" / 5)
            ELSE 3 * "heartbeatIntervalSeconds" END)
      ORDER BY id
      FOR UPDATE
    ), changed AS (
      UPDATE "Agent" a SET liveness = stale.liveness
      FROM stale WHERE a.id = stale.id
      RETURNING a.*
    )
    INSERT INTO "AgentEvent" ("organizationId", "agentId", "boardId", "gatewayId", type, at, status, liveness)
    SELECT "organizationId", id, "boardId", "gatewayId", 'LIVENESS_CHANGED', ${now}, status, liveness
    FROM changed ORDER BY id`;
}
