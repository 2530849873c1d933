import type { Db } from '../db/database.ts';

/** How often an agent is woken that shows no sign of life. */
const WAKE_UPS = 3;

/**
 * Looks at the agents of these gateways that were woken and have not shown a sign of life within the time: each is woken
 * again, three times in all, and is then OFFLINE, with an event that says so. Not while its gateway is away or has no
 * usable model, and the time counts anew when the gateway is back.
 *
 * @returns the gateways with agents to wake
 */
export async function wakeSilentAgents(db: Db, gatewayIds: string[], timeoutMs: number): Promise<string[]> {
  if (gatewayIds.length === 0) return [];
  const seconds = Math.round(timeoutMs / 1_000);
  const silent = await db.$queryRaw<{ gatewayId: string }[]>`
    WITH silent AS (
      SELECT a.id, a."wakeAttempts"
      FROM "Agent" a JOIN "Gateway" g ON g.id = a."gatewayId"
      WHERE a."wakeAttempts" > 0 AND a."gatewayId" = ANY(${gatewayIds}::uuid[])
        AND a.status NOT IN ('PAUSED', 'DELETED') AND a."provisioningPhase" = 'SUCCEEDED' AND a."nextAttemptAt" IS NULL
        AND g."connectionState" = 'CONNECTED' AND g."modelConfigured" IS NOT FALSE
        AND greatest(a."wokenAt", g."connectedAt") < now() - make_interval(secs => ${timeoutMs / 1_000})
      ORDER BY a.id
      FOR UPDATE OF a
    ), woken AS (
      UPDATE "Agent" a
      SET requests = array_append(array_remove(a.requests, 'WAKE'), 'WAKE'), "nextAttemptAt" = now(),
          "provisioningPhase" = 'PENDING', attempts = 0
      FROM silent WHERE a.id = silent.id AND silent."wakeAttempts" < ${WAKE_UPS}
      RETURNING a.*
    ), given_up AS (
      UPDATE "Agent" a SET liveness = 'OFFLINE', "wakeAttempts" = 0
      FROM silent WHERE a.id = silent.id AND silent."wakeAttempts" >= ${WAKE_UPS}
      RETURNING a.*
    ), told AS (
      INSERT INTO "AgentEvent" ("organizationId", "agentId", "boardId", "gatewayId", type, at, status, liveness, message)
      SELECT "organizationId", id, "boardId", "gatewayId", type, clock_timestamp(), status, liveness, message
      FROM (
        SELECT *, 'UPDATED'::"AgentEventType" AS type,
               format('No sign of life within %s s of the wake-up: it is woken again (%s of %s).', ${seconds}::int,
                      "wakeAttempts" + 1, ${WAKE_UPS}::int) AS message
        FROM woken
        UNION ALL
        SELECT *, 'LIVENESS_CHANGED',
               format('No sign of life after %s wake-ups. Look at what its session at the gateway says, or wake it with wakeAgent.',
                      ${WAKE_UPS}::int)
        FROM given_up
      ) AS event ORDER BY id
    )
    SELECT DISTINCT "gatewayId"::text FROM woken`;
  return silent.map(({ gatewayId }) => gatewayId);
}
