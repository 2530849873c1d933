import type { Db } from '../db/database.ts';

/**
 * Notes that a wake-up was sent. The agent may have shown a sign of life before this could be stored: then it is not
 * waited for any more.
 */
export async function recordWake(db: Db, agentId: string, sentAt: Date): Promise<void> {
  await db.$executeRaw`
    UPDATE "Agent"
    SET "wokenAt" = ${sentAt}, wakes = wakes + 1,
        "wakeAttempts" = CASE WHEN "lastSeenAt" >= ${sentAt}::timestamptz THEN 0 ELSE "wakeAttempts" + 1 END
    WHERE id = ${agentId}::uuid`;
}
