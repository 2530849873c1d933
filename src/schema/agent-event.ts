import { type ResolveCursorConnectionArgs, resolveCursorConnection } from '@pothos/plugin-relay';
import { GraphQLError } from 'graphql';
import { seesAgent, visibleAgents } from '../access/visibility.ts';
import { fromCursor, toCursor } from '../events/cursor.ts';
import type { FeedEvent, FeedStart } from '../events/feed.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { AgentEvent } from '../generated/prisma/client.ts';
import { agentEventType, agentStatus, liveness } from './agent-enums.ts';
import { builder, DEFAULT_PAGE_SIZE, LARGEST_PAGE } from './builder.ts';
import { provisioningStep } from './provisioning.ts';

const agentEvent = builder.objectRef<AgentEvent>('AgentEvent').implement({
  description: 'Something that happened to an agent.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Opaque and ordered. Pass the latest one you have seen as after to miss nothing.',
      resolve: ({ seq }) => toCursor(seq),
    }),
    type: t.expose('type', { type: agentEventType, description: 'What happened.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    agentId: t.exposeID('agentId', { description: 'To which agent.' }),
    agent: t.prismaField({
      type: 'Agent',
      nullable: true,
      description: 'As it is now; null once it is deleted.',
      resolve: (query, { agentId }, _args, { fleet, viewer }) =>
        fleet.database.prisma.agent.findFirst({ ...query, where: { id: agentId, ...visibleAgents(viewer) } }),
    }),
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
  }),
});

export const agentEventConnection = builder.connectionObject(
  { type: agentEvent, name: 'AgentEventConnection', description: 'A page of events.' },
  { name: 'AgentEventEdge', description: 'One of a page of events, with its cursor.' },
);

/** A page of what happened to an agent. */
export function agentEventsOf(
  fleet: Fleet,
  agentId: string,
  args: Parameters<typeof resolveCursorConnection>[0]['args'],
) {
  return resolveCursorConnection(
    { args, defaultSize: DEFAULT_PAGE_SIZE, maxSize: LARGEST_PAGE, toCursor: ({ seq }: AgentEvent) => toCursor(seq) },
    ({ before, after, limit, inverted }: ResolveCursorConnectionArgs) =>
      fleet.database.prisma.agentEvent.findMany({
        where: {
          agentId,
          seq: {
            ...(after != null && { gt: seqOf('after', after) }),
            ...(before != null && { lt: seqOf('before', before) }),
          },
        },
        orderBy: { seq: inverted ? 'desc' : 'asc' },
        take: limit,
      }),
  );
}

/** The largest number that the log's column holds. */
const LAST_SEQ = 2n ** 63n - 1n;

function seqOf(argument: string, cursor: string): bigint {
  const seq = fromCursor(cursor);
  if (seq !== null && seq <= LAST_SEQ) return seq;
  throw new GraphQLError(`${argument} is not a cursor of this API.`, { extensions: { code: 'BAD_USER_INPUT' } });
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
      'from there on, in order, then live: nothing is missed and nothing comes twice.',
    args: {
      filter: t.arg({ type: agentEventFilter, description: 'Only these.' }),
      since: t.arg({ type: 'DateTime', description: 'Begin with what happened at this instant or later.' }),
      after: t.arg.string({ description: 'Begin after the event with this cursor.' }),
    },
    subscribe: (_root, { filter, since, after }, { feed, viewer }) =>
      feed.subscribe(
        viewer.organizationId,
        startOf(after, since),
        (event) => seesAgent(viewer, event) && matches(filter, event),
      ),
    resolve: (event) => event,
  }),
);

function startOf(after: string | null | undefined, since: Date | null | undefined): FeedStart {
  if (after != null) return { after: seqOf('after', after) };
  return since ? { since } : null;
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
