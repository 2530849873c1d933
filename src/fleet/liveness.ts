import type { Database } from '../db/database.ts';
import type { Log } from '../log.ts';

const SWEEP_MS = 1_000;

/** Agents whose signs of life have stopped become LATE and then OFFLINE, each with an event. */
export class LivenessSweep {
  readonly #database: Database;
  readonly #log: Log;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#sweep().finally(() => {
        this.#running = null;
      });
    }, SWEEP_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  async #sweep(): Promise<void> {
    try {
      await sweepLiveness(this.#database, new Date());
    } catch (error) {
      this.#log.error({ err: error }, 'cannot look for agents without signs of life');
    }
  }
}

/**
 * Makes agents LATE whose latest sign of life is older than an interval and its grace (a fifth of it, at least 15 s),
 * and OFFLINE those for which it is older than three intervals, with an event each, in one statement.
 */
export async function sweepLiveness({ prisma }: Pick<Database, 'prisma'>, now: Date): Promise<void> {
  await prisma.$executeRaw`
    WITH stale AS (
      SELECT id,
             CASE WHEN "lastSeenAt" < ${now}::timestamptz - make_interval(secs => 3 * "heartbeatIntervalSeconds")
                  THEN 'OFFLINE' ELSE 'LATE' END::"Liveness" AS liveness
      FROM "Agent"
      WHERE liveness IN ('ONLINE', 'LATE') AND "heartbeatEnabled" AND status NOT IN ('PAUSED', 'DELETED')
        AND "lastSeenAt" < ${now}::timestamptz
            - make_interval(secs => "heartbeatIntervalSeconds" + greatest(15, "heartbeatIntervalSeconds" / 5))
      ORDER BY id
      FOR UPDATE
    ), changed AS (
      UPDATE "Agent" a SET liveness = stale.liveness
      FROM stale WHERE a.id = stale.id AND a.liveness <> stale.liveness
      RETURNING a.*
    )
    INSERT INTO "AgentEvent" ("organizationId", "agentId", "boardId", "gatewayId", type, at, status, liveness)
    SELECT "organizationId", id, "boardId", "gatewayId", 'LIVENESS_CHANGED', ${now}, status, liveness
    FROM changed ORDER BY id`;
}
