import type { GraphQLResolveInfo } from 'graphql';
import { seesAgent } from '../access/visibility.ts';
import { actorOf } from '../events/activity.ts';
import { fromCursor, toCursor } from '../events/cursor.ts';
import type { FeedEvent } from '../events/feed-event.ts';
import { eventsOfAgents, type Slice } from '../events/pages.ts';
import type { FeedStart } from '../events/replay.ts';
import type { AgentEvent } from '../generated/prisma/client.ts';
import { actor } from './actor.ts';
import { agentEventType, agentStatus, liveness } from './agent-enums.ts';
import { readTogether } from './batch.ts';
import { builder } from './builder.ts';
import { anyOf } from './connection.ts';
import type { Context } from './context.ts';
import { type List, notACursor } from './page.ts';
import { provisioningStep } from './provisioning.ts';

export const agentEvent = builder.objectRef<AgentEvent>('AgentEvent').implement({
  description: 'Something that happened to an agent.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Opaque and ordered. Pass the latest one you have seen as after to miss nothing.',
      resolve: ({ seq }) => toCursor(seq),
    }),
    type: t.expose('type', { type: agentEventType, description: 'What happened.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    agentId: t.exposeID('agentId', { description: 'To which agent.' }),
    status: t.expose('status', { type: agentStatus, description: 'As it was when the event happened.' }),
    previousStatus: t.expose('previousStatus', {
      type: agentStatus,
      nullable: true,
      description: 'For STATUS_CHANGED, what it was before.',
    }),
    liveness: t.expose('liveness', { type: liveness, description: 'As it was when the event happened.' }),
    step: t.field({
      type: provisioningStep,
      nullable: true,
      description: 'For PROVISIONING, the step that began or ended.',
      resolve: ({ stepName, stepOutcome, stepDetail, stepStartedAt, stepDurationMs, at }) =>
        stepName && stepOutcome
          ? {
              name: stepName,
              outcome: stepOutcome,
              detail: stepDetail,
              startedAt: stepStartedAt ?? at,
              durationMs: stepDurationMs,
            }
          : null,
    }),
    message: t.exposeString('message', { nullable: true, description: 'More about it, for people.' }),
    actor: t.field({
      type: actor,
      nullable: true,
      description:
        'Who asked for it; null for what this server did or saw by itself, and for heartbeats that changed nothing.',
      resolve: actorOf,
    }),
  }),
});

export const agentEventConnection = builder.connectionObject(
  { type: agentEvent, name: 'AgentEventConnection', description: 'A page of events.' },
  { name: 'AgentEventEdge', description: 'One of a page of events, with its cursor.' },
);

/** What happened to an agent, in the order of the log; read together with that of other agents. */
export function eventsOf(context: Context, info: GraphQLResolveInfo, agentId: string): List<AgentEvent, bigint> {
  const { prisma } = context.fleet.database;
  const read = async (what: string, slice: Slice<bigint>) => {
    const found = await readTogether(context, info, what, agentId, async (ids) =>
      Map.groupBy(await eventsOfAgents(prisma, ids, slice), (event) => event.agentId),
    );
    return found ?? [];
  };
  return {
    toCursor: ({ seq }) => toCursor(seq),
    fromCursor: seqOf,
    read: (slice) => read('page', slice),
    has: async (range) => (await read(Object.keys(range).join(), anyOf(range))).length > 0,
  };
}

/** The largest number that the log's column holds. */
const LAST_SEQ = 2n ** 63n - 1n;

function seqOf(cursor: string): bigint | null {
  const seq = fromCursor(cursor);
  return seq !== null && seq <= LAST_SEQ ? seq : null;
}

const agentEventFilter = builder.inputType('AgentEventFilter', {
  description: 'Events that match everything given.',
  fields: (t) => ({
    agentId: t.id({ description: 'Of this agent.' }),
    boardId: t.id({ description: 'Of agents of this board.' }),
    gatewayId: t.id({ description: 'Of agents on this gateway.' }),
    types: t.field({ type: [agentEventType], description: 'Any of these.' }),
  }),
});

type Filter = typeof agentEventFilter.$inferInput | null | undefined;

builder.subscriptionField('agentEvents', (t) =>
  t.field({
    type: agentEvent,
    description:
      'Agents as they change. With after (a cursor) or since (an instant), first everything that happened ' +
      'from there on, in order, then live: nothing is missed and nothing comes twice. Over server-sent events each event ' +
      'has its cursor as id, and the header Last-Event-ID counts for after. When what comes after a cursor or an instant is ' +
      'not kept any more, the answer is an error with the code CURSOR_EXPIRED; a client that reads too slowly is ended with ' +
      'SUBSCRIPTION_OVERFLOW, and resumes after its last cursor.',
    args: {
      filter: t.arg({ type: agentEventFilter, description: 'Only these.' }),
      since: t.arg({ type: 'DateTime', description: 'Begin with what happened at this instant or later.' }),
      after: t.arg.string({ description: 'Begin after the event with this cursor.' }),
    },
    subscribe: (_root, { filter, since, after }, { feed, viewer, lastEventId }) =>
      feed.subscribe(viewer.organizationId, startOf(lastEventId ?? after, since), {
        agentId: filter?.agentId?.toLowerCase(),
        boardId: filter?.boardId?.toLowerCase(),
        gatewayId: filter?.gatewayId?.toLowerCase(),
        wants: (event) => seesAgent(viewer, event) && matches(filter, event),
      }),
    resolve: (event) => event,
  }),
);

const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00Z');

function startOf(after: string | null | undefined, since: Date | null | undefined): FeedStart {
  if (after != null) return { after: seqOf(after) ?? notACursor('after') };
  // PostgreSQL has no year 0.
  return since ? { since: new Date(Math.max(since.getTime(), FIRST_INSTANT)) } : null;
}

function matches(filter: Filter, event: FeedEvent): boolean {
  const { agentId, boardId, gatewayId, types } = filter ?? {};
  return (
    (agentId == null || event.agentId === agentId.toLowerCase()) &&
    (boardId == null || event.boardId === boardId.toLowerCase()) &&
    (gatewayId == null || event.gatewayId === gatewayId.toLowerCase()) &&
    (!types || types.includes(event.type))
  );
}
