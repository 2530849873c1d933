import type { Actor } from '../access/viewer.ts';
import type { Db } from '../db/database.ts';
import type { Agent, AgentEvent, AgentEventType, ProvisioningStep } from '../generated/prisma/client.ts';
import { actorColumns } from './activity.ts';

/** What an event says of its agent: who it is, and how it was when the event happened. */
export type EventSubject = Pick<Agent, 'id' | 'organizationId' | 'boardId' | 'gatewayId' | 'status' | 'liveness'>;

export interface EventDetails {
  at?: Date;
  previousStatus?: Agent['status'];
  step?: Omit<ProvisioningStep, 'agentId'>;
  message?: string;
  /** Who asked for it; left out for what this server does by itself. */
  actor?: Actor;
}

export interface NewEvent {
  agent: EventSubject;
  type: AgentEventType;
  details?: EventDetails;
}

/**
 * Appends events to the log, in this order, in the caller's transaction. Call it after all other writes of the
 * transaction: from here to its end it holds the organization's log (see the trigger agent_event_order).
 */
export async function appendEvents(tx: Db, events: NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.agentEvent.createMany({ data: events.map(({ agent, type, details }) => eventRow(agent, type, details)) });
}

/** Appends one event; see appendEvents. */
export function appendEvent(
  tx: Db,
  agent: EventSubject,
  type: AgentEventType,
  details: EventDetails = {},
): Promise<void> {
  return appendEvents(tx, [{ agent, type, details }]);
}

function eventRow(agent: EventSubject, type: AgentEventType, { step, actor, ...details }: EventDetails = {}) {
  return {
    type,
    agentId: agent.id,
    organizationId: agent.organizationId,
    boardId: agent.boardId,
    gatewayId: agent.gatewayId,
    status: agent.status,
    liveness: agent.liveness,
    ...details,
    ...(actor && actorColumns(actor)),
    ...(step && {
      stepName: step.name,
      stepOutcome: step.outcome,
      stepDetail: step.detail,
      stepStartedAt: step.startedAt,
      stepDurationMs: step.durationMs,
    }),
  };
}

/**
 * The events of an organization that come after `seq`, oldest first, at most `limit`.
 * In this order no event can later appear before one that was returned.
 */
export function readEvents(db: Db, organizationId: string, seq: bigint, limit: number): Promise<AgentEvent[]> {
  return db.agentEvent.findMany({
    where: { organizationId, seq: { gt: seq } },
    orderBy: { seq: 'asc' },
    take: limit,
  });
}

/** Where an organization's log stands now; 0 when it is empty. */
export async function lastSeq(db: Db, organizationId: string): Promise<bigint> {
  const { _max } = await db.agentEvent.aggregate({ where: { organizationId }, _max: { seq: true } });
  if (_max.seq !== null) return _max.seq;
  const where = { id: organizationId };
  const removed = await db.organization.findUnique({ where, select: { eventsRemovedSeq: true } });
  return removed?.eventsRemovedSeq ?? 0n;
}
