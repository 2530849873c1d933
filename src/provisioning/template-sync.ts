import type { Db } from '../db/database.ts';
import type { Agent, SyncPhase } from '../generated/prisma/client.ts';
import type { Failure } from './failure.ts';

/** What became of an agent in a sync of templates; a Failure when only a person can help it. */
export type SyncOutcome = 'updated' | 'unchanged' | 'skipped' | Pick<Failure, 'message'>;

/** A failure as a sync keeps it. */
export interface SyncFailure {
  agentId: string;
  message: string;
}

/** How a sync has ended. */
export interface EndedSync {
  syncId: string;
  phase: Exclude<SyncPhase, 'RUNNING'>;
  total: number;
}

/**
 * Counts an agent in the sync that waits for it, if one does; with the last one, the sync has ended.
 * @returns the sync, when it has ended with this one
 */
export async function settleInSync(
  tx: Db,
  agent: Pick<Agent, 'id' | 'templateSyncId'>,
  outcome: SyncOutcome,
): Promise<EndedSync | null> {
  const { templateSyncId } = agent;
  if (templateSyncId === null) return null;
  const { count } = await tx.agent.updateMany({
    where: { id: agent.id, templateSyncId },
    data: { templateSyncId: null },
  });
  if (count === 0) return null;
  const failures: SyncFailure[] = typeof outcome === 'string' ? [] : [{ agentId: agent.id, message: outcome.message }];
  const [sync] = await tx.$queryRaw<{ syncId: string; phase: SyncPhase; total: number }[]>`
    WITH counted AS (
      SELECT id, updated + ${Number(outcome === 'updated')}::int AS updated,
             unchanged + ${Number(outcome === 'unchanged')}::int AS unchanged,
             skipped + ${Number(outcome === 'skipped')}::int AS skipped,
             failures || ${JSON.stringify(failures)}::jsonb AS failures, total
      FROM "TemplateSync" WHERE id = ${templateSyncId}::uuid AND phase = 'RUNNING'
      FOR UPDATE
    )
    UPDATE "TemplateSync" s
    SET updated = counted.updated, unchanged = counted.unchanged, skipped = counted.skipped, failures = counted.failures,
        phase = (CASE
          WHEN counted.updated + counted.unchanged + counted.skipped + jsonb_array_length(counted.failures) < counted.total
            THEN 'RUNNING'
          WHEN jsonb_array_length(counted.failures) = 0 THEN 'SUCCEEDED'
          WHEN counted.updated + counted.unchanged = 0 THEN 'FAILED'
          ELSE 'PARTIAL' END)::"SyncPhase",
        "finishedAt" = CASE
          WHEN counted.updated + counted.unchanged + counted.skipped + jsonb_array_length(counted.failures) < counted.total
            THEN NULL ELSE clock_timestamp() END
    FROM counted WHERE s.id = counted.id
    RETURNING s.id AS "syncId", s.phase::text AS phase, s.total`;
  return sync && sync.phase !== 'RUNNING' ? { ...sync, phase: sync.phase } : null;
}
