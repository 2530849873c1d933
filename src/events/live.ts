import type { Db } from '../db/database.ts';
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

/** Tells every process of these heartbeats when the transaction commits. */
export async function notifyHeartbeats(tx: Db, heartbeats: LiveHeartbeat[]): Promise<void> {
  const payloads: string[] = [];
  for (let start = 0; start < heartbeats.length; start += HEARTBEATS_PER_NOTIFY) {
    const part = heartbeats.slice(start, start + HEARTBEATS_PER_NOTIFY);
    payloads.push(
      JSON.stringify(
        part.map(({ agent, at }): Encoded => {
          return [agent.organizationId, agent.id, agent.boardId, agent.gatewayId, agent.status, agent.liveness, +at];
        }),
      ),
    );
  }
  if (payloads.length > 0)
    await tx.$executeRaw`SELECT pg_notify(${LIVE_CHANNEL}, p) FROM unnest(${payloads}::text[]) AS p`;
}

/** The heartbeats of one notification. Only this file writes and reads its form. */
export function decodeHeartbeats(payload: string): LiveHeartbeat[] {
  const encoded: Encoded[] = JSON.parse(payload);
  return encoded.map(([organizationId, id, boardId, gatewayId, status, liveness, at]) => ({
    agent: { organizationId, id, boardId, gatewayId, status, liveness },
    at: new Date(at),
  }));
}
