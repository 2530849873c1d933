import { v7 as newId } from 'uuid';
import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleGateways } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import type { Announcements } from '../events/announcements.ts';
import { endable } from '../events/endable.ts';
import { appendEvents, type EventSubject } from '../events/log.ts';
import type { AgentRequest, TemplateSync } from '../generated/prisma/client.ts';
import { requestReconcile } from '../provisioning/requests.ts';
import { findBoard } from './boards.ts';
import { lockAgents } from './change-agent.ts';
import { ConflictError, NotFoundError, ValidationError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { aboutGateway, findGateway } from './gateways.ts';
import { isUniqueViolation } from './once.ts';
import { isId, parseInput } from './validation.ts';

const syncInput = z.object({
  gatewayId: z.string(),
  boardId: z.string().nullish(),
  includeMain: z.boolean().nullish(),
  leadOnly: z.boolean().nullish(),
  rotateTokens: z.boolean().nullish(),
  overwrite: z.boolean().nullish(),
  forceBootstrap: z.boolean().nullish(),
  resetSessions: z.boolean().nullish(),
});

type Options = z.infer<typeof syncInput>;

/**
 * Brings the agents of a gateway in line with the templates as they are in the template folder now. Answers at once; the
 * sync's row tells how far it is.
 * @throws ForbiddenError, ValidationError (the board is of another gateway), NotFoundError, ConflictError (another sync
 *   of the gateway is running)
 */
export async function syncGatewayTemplates(fleet: Fleet, viewer: Viewer, given: unknown): Promise<TemplateSync> {
  authorize(viewer, 'syncGatewayTemplates');
  const options = parseInput(syncInput, given);
  const gateway = await findGateway(fleet, viewer, options.gatewayId);
  const board = options.boardId == null ? null : await findBoard(fleet, viewer, options.boardId);
  if (board && board.gatewayId !== gateway.id)
    throw new ValidationError([{ path: 'input.boardId', message: 'must be a board of this gateway' }]);
  const { prisma } = fleet.database;
  try {
    return await prisma.$transaction(async (tx) => {
      const { id: gatewayId, organizationId } = gateway;
      const sync = await tx.templateSync.create({ data: { id: newId(), organizationId, gatewayId, options } });
      const agents = await askAgents(tx, sync.id, options);
      // Files of adopted agents are left alone.
      const skipped = await tx.agent.count({ where: { ...chosenOf(options), isManaged: false } });
      const total = agents.length + skipped;
      const started = await tx.templateSync.update({
        where: { id: sync.id },
        data: { total, skipped, ...(agents.length === 0 && { phase: 'SUCCEEDED', finishedAt: new Date() }) },
      });
      await requestReconcile(tx, gatewayId);
      await recordActivity(tx, viewer.actor, {
        ...aboutGateway(gateway),
        action: 'TEMPLATES_SYNCED',
        message: `Of ${total} ${total === 1 ? 'agent' : 'agents'}.`,
      });
      const details = { message: 'A sync of its gateway’s templates was asked for.', actor: viewer.actor };
      await appendEvents(
        tx,
        agents.map((agent) => ({ agent, type: 'UPDATED', details })),
      );
      return started;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const running = await prisma.templateSync.findFirst({ where: { gatewayId: gateway.id, phase: 'RUNNING' } });
    throw new ConflictError(
      running
        ? `The sync ${running.id} of this gateway is still running: ${settledOf(running)} of ${running.total} agents are done.`
        : 'Another sync of this gateway has ended at this moment. Try again.',
    );
  }
}

/** A board has no main agent, so with a board only its own agents are chosen. */
function chosenOf({ gatewayId, boardId, includeMain, leadOnly }: Options) {
  const boardAgents = leadOnly ? (['BOARD_LEAD'] as const) : (['BOARD_LEAD', 'BOARD_WORKER'] as const);
  const withMain = (includeMain ?? true) && boardId == null;
  return {
    gatewayId,
    deletionRequestedAt: null,
    ...(boardId != null && { boardId }),
    kind: { in: withMain ? [...boardAgents, 'GATEWAY_MAIN' as const] : [...boardAgents] },
  };
}

function requestsOf({ rotateTokens, overwrite, forceBootstrap, resetSessions }: Options): AgentRequest[] {
  return [
    ...(overwrite ? (['OVERWRITE'] as const) : []),
    ...(rotateTokens ? (['ROTATE_TOKEN'] as const) : []),
    ...(resetSessions ? (['RESET_SESSION'] as const) : []),
    // A session without a past has to be told what it is for.
    ...(forceBootstrap || resetSessions ? (['WAKE'] as const) : []),
  ];
}

/** @returns the agents that the sync waits for */
async function askAgents(tx: Db, syncId: string, options: Options): Promise<EventSubject[]> {
  const ids = await lockAgents(tx, { ...chosenOf(options), isManaged: true });
  const requests = requestsOf(options);
  return tx.$queryRaw<EventSubject[]>`
    UPDATE "Agent"
    SET generation = generation + 1, "provisioningPhase" = 'PENDING', attempts = 0, "lastError" = NULL, "failingSince" = NULL,
        "nextAttemptAt" = now(), "templateSyncId" = ${syncId}::uuid,
        "wakeAttempts" = CASE WHEN ${requests.includes('WAKE')} THEN 0 ELSE "wakeAttempts" END,
        requests = ARRAY(SELECT DISTINCT unnest(requests || ${requests}::"AgentRequest"[]))
    WHERE id = ANY(${ids}::uuid[]) AND "deletionRequestedAt" IS NULL
    RETURNING id, "organizationId", "boardId", "gatewayId", status, liveness`;
}

/** How many agents of a sync are done with. */
function settledOf({ updated, unchanged, skipped, failures }: TemplateSync): number {
  return updated + unchanged + skipped + (failures as unknown[]).length;
}

/** The sync, if there is one that the viewer can see. @throws NotFoundError */
export async function findTemplateSync(fleet: Fleet, viewer: Viewer, id: string): Promise<TemplateSync> {
  const sync = isId(id)
    ? await fleet.database.prisma.templateSync.findFirst({ where: { id, gateway: visibleGateways(viewer) } })
    : null;
  if (!sync) throw new NotFoundError('template sync', id);
  return sync;
}

/** The sync as it is now, then at every change, until it has finished. */
export function followTemplateSync(
  { database }: Fleet,
  announcements: Announcements,
  id: string,
): AsyncGenerator<TemplateSync> {
  const changes = announcements.templateSyncs.subscribe((changed) => changed === null || changed === id);
  async function* states(): AsyncGenerator<TemplateSync> {
    try {
      for (;;) {
        const sync = await database.prisma.templateSync.findUnique({ where: { id } });
        // It went with its gateway.
        if (!sync) return;
        yield sync;
        if (sync.finishedAt !== null || (await changes.next()).done) return;
      }
    } finally {
      await changes.return?.();
    }
  }
  return endable(states(), () => changes.return?.());
}
