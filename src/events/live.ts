import { Prisma } from '../db/database.ts';
import type { AgentStatus, Liveness } from '../generated/prisma/client.ts';
import type { EventSubject } from './log.ts';

/** The channel for heartbeats that change nothing: subscribers see them, the log does not keep them. */
export const LIVE_CHANNEL = 'agent_heartbeats';

/** PostgreSQL refuses a NOTIFY payload of 8,000 bytes; one heartbeat takes about 230. */
const HEARTBEATS_PER_NOTIFY = 30;

export interface LiveHeartbeat {
  agent: EventSubject;
  at: Date;
}

type Encoded = [string, string, string | null, string, AgentStatus, Liveness, number];

/**
 * A query that tells every process of heartbeats when the statement that it is part of commits.
 * @param agents a table of the agents: organizationId, id, boardId, gatewayId, status, liveness
 */
export function tellHeartbeats(agents: Prisma.Sql, at: Date): Prisma.Sql {
  return Prisma.sql`
    SELECT pg_notify(${LIVE_CHANNEL}, jsonb_agg(jsonb_build_array(
             "organizationId", id, "boardId", "gatewayId", status, liveness, ${at.getTime()}::bigint
           ))::text)
    FROM (SELECT *, (row_number() OVER (ORDER BY id) - 1) / ${HEARTBEATS_PER_NOTIFY}::int AS part FROM ${agents}) AS numbered
    GROUP BY part`;
}

/** The heartbeats of one notification. Only this file writes and reads its form. */
export function decodeHeartbeats(payload: string): LiveHeartbeat[] {
  const encoded: Encoded[] = JSON.parse(payload);
  return encoded.map(([organizationId, id, boardId, gatewayId, status, liveness, at]) => ({
    agent: { organizationId, id, boardId, gatewayId, status, liveness },
    at: new Date(at),
  }));
}
