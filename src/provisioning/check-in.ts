import { type Db, Prisma } from '../db/database.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { listSessions } from '../gateway/sessions.ts';

/** How often an agent is woken that shows no sign of life. */
const WAKE_UPS = 3;

/**
 * Those that were woken and have not shown a sign of life within the time. Not while their gateway is away or has no usable
 * model; the time counts anew when the gateway is back.
 */
const silentAgents = (gatewayIds: string[], timeoutMs: number) => Prisma.sql`
  "Agent" a JOIN "Gateway" g ON g.id = a."gatewayId"
  WHERE a."wakeAttempts" > 0 AND a."gatewayId" = ANY(${gatewayIds}::uuid[])
    AND a.status NOT IN ('PAUSED', 'DELETED') AND a."provisioningPhase" = 'SUCCEEDED' AND a."nextAttemptAt" IS NULL
    AND g."connectionState" = 'CONNECTED' AND g."modelConfigured" IS NOT FALSE
    AND greatest(a."wokenAt", g."connectedAt") < now() - make_interval(secs => ${timeoutMs / 1_000})`;

/** Those of these gateways that have agents which were woken and have not shown a sign of life within the time. */
export async function gatewaysOfSilentAgents(db: Db, gatewayIds: string[], timeoutMs: number): Promise<string[]> {
  if (gatewayIds.length === 0) return [];
  const rows = await db.$queryRaw<{ gatewayId: string }[]>`
    SELECT DISTINCT a."gatewayId"::text FROM ${silentAgents(gatewayIds, timeoutMs)}`;
  return rows.map(({ gatewayId }) => gatewayId);
}

/**
 * Wakes the silent agents of a gateway again, three times in all; then they are OFFLINE, with an event that says so. An agent whose
 * turn waits at the gateway for those of others, or is under way, is not silent: the time counts anew for it. OpenClaw runs
 * eight turns at a time, so the last of a hundred that were woken together begins after minutes (measured on 2026.9.6).
 *
 * @returns whether there are agents to wake
 * @throws GatewayError when the gateway does not say what it does
 */
export async function wakeSilentAgents(
  db: Db,
  connection: GatewayConnection,
  gatewayId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const sessions = await listSessions(connection, {}, { signal });
  const busy = sessions.filter(({ hasActiveRun }) => hasActiveRun).map(({ agentId }) => agentId);
  await db.$executeRaw`
    UPDATE "Agent" SET "wokenAt" = now()
    WHERE "gatewayId" = ${gatewayId}::uuid AND "wakeAttempts" > 0 AND "openclawAgentId" = ANY(${busy}::text[])`;
  const seconds = Math.round(timeoutMs / 1_000);
  const [woken] = await db.$queryRaw<[{ count: number }]>`
    WITH silent AS (
      SELECT a.id, a."wakeAttempts"
      FROM ${silentAgents([gatewayId], timeoutMs)}
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
    SELECT count(*)::int AS count FROM woken`;
  return woken.count > 0;
}
