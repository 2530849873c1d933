import type { Actor } from '../access/viewer.ts';
import type { Db } from '../db/database.ts';
import { appendEvents } from '../events/log.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { settleInSync } from '../provisioning/template-sync.ts';
import { DUE, lockAgents } from './change-agent.ts';

/**
 * Asks for the removal of agents: their tokens stop working at once, their tasks are free again, and they leave their
 * gateway one after the other. Those that are leaving already are left out.
 */
export async function letGo(
  tx: Db,
  where: { id: string } | { boardId: string } | { gatewayId: string },
  actor: Actor,
): Promise<Agent[]> {
  const staying = { ...where, deletionRequestedAt: null };
  await lockAgents(tx, staying);
  const before = await tx.agent.findMany({ where: staying, orderBy: { id: 'asc' } });
  const leaving = await tx.agent.updateManyAndReturn({
    where: { ...staying, id: { in: before.map(({ id }) => id) } },
    data: {
      ...DUE,
      status: 'DELETED',
      deletionRequestedAt: new Date(),
      nextAttemptAt: new Date(),
      tokenHash: null,
      previousTokenHash: null,
      currentTaskId: null,
      requests: [],
    },
  });
  if (leaving.length === 0) return [];
  const assigneeId = { in: leaving.map(({ id }) => id) };
  await tx.task.updateMany({ where: { assigneeId, status: 'IN_PROGRESS' }, data: { status: 'INBOX' } });
  await tx.task.updateMany({ where: { assigneeId }, data: { assigneeId: null } });
  for (const agent of leaving) await settleInSync(tx, agent, 'skipped');
  for (const gatewayId of new Set(leaving.map((agent) => agent.gatewayId))) await requestReconcile(tx, gatewayId);
  const statuses = new Map(before.map(({ id, status }) => [id, status]));
  await appendEvents(
    tx,
    leaving
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((agent) => {
        const previousStatus = statuses.get(agent.id);
        return { agent, type: 'STATUS_CHANGED', details: { actor, ...(previousStatus && { previousStatus }) } };
      }),
  );
  return leaving;
}
