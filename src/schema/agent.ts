import { listedAgents, visibleAgents } from '../access/visibility.ts';
import { agentDocuments, agentFiles, createAgent, deleteAgent } from '../fleet/agents.ts';
import { ConflictError, GatewayFailure, LimitExceededError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { heartbeat } from '../fleet/heartbeats.ts';
import { literally } from '../fleet/like.ts';
import { sendAgentMessage, wakeAgent } from '../fleet/messages.ts';
import { isId } from '../fleet/validation.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { sessionKeyOf } from '../provisioning/identity.ts';
import { agentDocument, workspaceFile } from './agent-document.ts';
import { agentKind, agentStatus, liveness } from './agent-enums.ts';
import { agentEventConnection, agentEventsOf } from './agent-event.ts';
import { builder } from './builder.ts';
import { beyondCursor, connectionObject, withoutCursor } from './connection.ts';
import { resultUnion } from './errors.ts';
import { identityProfile } from './identity-profile.ts';
import { node } from './node.ts';
import { PROVISIONING_COLUMNS, provisioning } from './provisioning.ts';

const heartbeatConfig = builder.simpleObject('HeartbeatConfig', {
  description: 'How often the gateway lets an agent look for work.',
  fields: (t) => ({
    enabled: t.boolean({ description: 'Whether it does.' }),
    intervalSeconds: t.int({ description: 'Seconds between two beats.' }),
  }),
});

export const agent = builder.prismaObject('Agent', {
  description: 'An agent: an entry, a workspace and a session on a gateway, kept in line with what was asked for here.',
  interfaces: [node],
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique on its board, regardless of case.' }),
    kind: t.expose('kind', { type: agentKind, description: 'Its part in the fleet.' }),
    isBoardLead: t.boolean({
      description: 'Whether it orchestrates its board’s other agents.',
      select: { kind: true },
      resolve: ({ kind }) => kind === 'BOARD_LEAD',
    }),
    isManaged: t.exposeBoolean('isManaged', {
      description:
        'False for an agent that was adopted: its files are left alone until it is reprovisioned with force.',
    }),
    status: t.expose('status', { type: agentStatus, description: 'What it is doing.' }),
    liveness: t.expose('liveness', { type: liveness, description: 'Whether it still shows signs of life.' }),
    board: t.relation('board', { nullable: true, description: 'Null for a gateway’s main agent.' }),
    gateway: t.relation('gateway', { description: 'Where it runs.' }),
    openclawAgentId: t.exposeString('openclawAgentId', {
      description: 'The agent’s id on the gateway, for example mc-c91361ef-…',
    }),
    sessionKey: t.string({
      description: 'Deterministic, for example agent:mc-c91361ef-…:main',
      select: { openclawAgentId: true },
      resolve: ({ openclawAgentId }) => sessionKeyOf(openclawAgentId),
    }),
    workspacePath: t.exposeString('workspacePath', { description: 'Its folder on the gateway’s machine.' }),
    identityProfile: t.field({
      type: identityProfile,
      description: 'Who it is.',
      select: { identityProfile: true },
      resolve: (self) => self.identityProfile,
    }),
    identityTemplate: t.exposeString('identityTemplate', {
      nullable: true,
      description: 'Liquid; replaces the built-in IDENTITY.md.',
    }),
    soulTemplate: t.exposeString('soulTemplate', {
      nullable: true,
      description: 'Liquid; replaces the built-in SOUL.md.',
    }),
    heartbeat: t.field({
      type: heartbeatConfig,
      description: 'How often the gateway lets it look for work.',
      select: { heartbeatEnabled: true, heartbeatIntervalSeconds: true },
      resolve: (self) => ({ enabled: self.heartbeatEnabled, intervalSeconds: self.heartbeatIntervalSeconds }),
    }),
    lastHeartbeatAt: t.expose('lastHeartbeatAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last reported in here.',
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The latest sign of life of any kind: a heartbeat here, or the agent’s own activity seen at the gateway.',
    }),
    currentTask: t.relation('currentTask', { nullable: true, description: 'What it said that it is working on.' }),
    provisioning: t.field({
      type: provisioning,
      description: 'How far its gateway has been brought in line with what was asked for.',
      select: PROVISIONING_COLUMNS,
      resolve: (self) => self,
    }),
    files: t.field({
      type: [workspaceFile],
      description: 'The files of the agent’s workspace, read live from the gateway.',
      resolve: ({ id }, _args, { fleet, viewer }) => agentFiles(fleet, viewer, id),
    }),
    documents: t.field({
      type: [agentDocument],
      description:
        'What provisioning would write now (TOOLS.md, IDENTITY.md, SOUL.md, HEARTBEAT.md, BOOTSTRAP.md, MEMORY.md, ' +
        'USER.md; for a lead also AGENTS.md, BOARD.md and APPROVALS.md), how each reaches the agent on this gateway, ' +
        'and how it differs from what the agent has. Writes nothing. Secrets are masked.',
      resolve: ({ id }, _args, { fleet, viewer }) => agentDocuments(fleet, viewer, id),
    }),
    events: t.field({
      type: agentEventConnection,
      description: 'What happened to it, oldest first.',
      args: t.arg.connectionArgs(),
      resolve: ({ id }, args, { fleet }) => agentEventsOf(fleet, id, args),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

export const agentConnection = connectionObject('Agent', agent, 'agents');

export const agentFilter = builder.inputType('AgentFilter', {
  description: 'Agents that match everything given.',
  fields: (t) => ({
    boardId: t.id({ description: 'On this board.' }),
    gatewayId: t.id({ description: 'On this gateway.' }),
    isManaged: t.boolean({ description: 'Whether their files are managed here.' }),
    kind: t.field({ type: [agentKind], description: 'Any of these.' }),
    status: t.field({ type: [agentStatus], description: 'Any of these.' }),
    liveness: t.field({ type: [liveness], description: 'Any of these.' }),
    search: t.string({ description: 'Part of the name, in any case.' }),
  }),
});

/** The condition that a filter stands for. An id that is none matches nothing. */
export function agentsMatching(filter: typeof agentFilter.$inferInput | null | undefined): Prisma.AgentWhereInput {
  const { boardId, gatewayId, isManaged, kind, status, liveness: states, search } = filter ?? {};
  if ([boardId, gatewayId].some((id) => id != null && !isId(id))) return { id: { in: [] } };
  return {
    ...(boardId && { boardId }),
    ...(gatewayId && { gatewayId }),
    ...(isManaged != null && { isManaged }),
    ...(kind && { kind: { in: kind } }),
    ...(status && { status: { in: status } }),
    ...(states && { liveness: { in: states } }),
    ...(search && { name: { contains: literally(search.replaceAll('\0', '\ufffd')), mode: 'insensitive' } }),
  };
}

export const identityProfileInput = builder.inputType('IdentityProfileInput', {
  description: 'Who an agent is. What is blank gets a default.',
  fields: (t) => ({
    role: t.string({ description: 'For example: DevOps Engineer. Default Generalist.' }),
    expertise: t.stringList({ description: 'What it knows well.' }),
    tone: t.string({ description: 'How it sounds.' }),
    communicationStyle: t.string({ description: 'Default: direct, concise, practical.' }),
    constraints: t.stringList({ description: 'What it must keep to.' }),
    workingHours: t.string({ description: 'When it is to work.' }),
    emoji: t.string({ description: 'Its sign.' }),
    extra: t.field({ type: 'JSON', description: 'Further fields, an object; templates see them as identity_<name>.' }),
  }),
});

const heartbeatConfigInput = builder.inputType('HeartbeatConfigInput', {
  description: 'How often the gateway lets an agent look for work.',
  fields: (t) => ({
    enabled: t.boolean({ defaultValue: true, description: 'Whether it does.' }),
    intervalSeconds: t.int({ defaultValue: 300, description: 'From 30 to 86400.' }),
  }),
});

const createAgentInput = builder.inputType('CreateAgentInput', {
  description: 'A new agent.',
  fields: (t) => ({
    id: t.id({ description: 'A UUID of your choice: the same create sent twice makes one agent.' }),
    name: t.string({ required: true, description: 'Unique on the board, regardless of case. 1 to 80 characters.' }),
    boardId: t.id({
      description:
        'The agent’s board. A lead that calls this with its own token may leave it out: it is its own board.',
    }),
    isBoardLead: t.boolean({ defaultValue: false, description: 'Whether it is to lead its board.' }),
    identityProfile: t.field({ type: identityProfileInput, description: 'Who it is.' }),
    identityTemplate: t.string({ description: 'Liquid; replaces the built-in IDENTITY.md.' }),
    soulTemplate: t.string({ description: 'Liquid; replaces the built-in SOUL.md.' }),
    heartbeat: t.field({ type: heartbeatConfigInput, description: 'How often the gateway lets it look for work.' }),
  }),
});

const heartbeatInput = builder.inputType('HeartbeatInput', {
  description: 'An agent’s report.',
  fields: (t) => ({
    id: t.id({ description: 'The agent; with an agent’s token it may be left out.' }),
    status: t.field({
      type: agentStatus,
      description: 'ACTIVE or IDLE. Left out: ACTIVE when a task is given, else IDLE.',
    }),
    currentTaskId: t.id({ description: 'The task that it works on.' }),
  }),
});

const sendAgentMessageInput = builder.inputType('SendAgentMessageInput', {
  description: 'A message to an agent.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The agent’s id.' }),
    message: t.string({ required: true, description: 'What to tell it.' }),
    idempotencyKey: t.string({ description: 'A repeat with the same key is delivered once.' }),
  }),
});

builder.queryFields((t) => ({
  agent: t.prismaField({
    type: agent,
    nullable: true,
    description: 'The agent with this id; also while it is on its way out.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    resolve: (query, _root, { id }, { fleet, viewer }) =>
      isId(id) ? fleet.database.prisma.agent.findFirst({ ...query, where: { id, ...visibleAgents(viewer) } }) : null,
  }),
  agents: t.prismaConnection(
    {
      type: agent,
      cursor: 'id',
      description: 'The agents, oldest first.',
      args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
      totalCount: (_root, { filter }, { fleet, viewer }) =>
        fleet.database.prisma.agent.count({ where: { AND: [listedAgents(viewer), agentsMatching(filter)] } }),
      resolve: (query, _root, { filter, ...page }, { fleet, viewer }) =>
        fleet.database.prisma.agent.findMany({
          ...withoutCursor(query),
          where: { AND: [listedAgents(viewer), agentsMatching(filter), beyondCursor(page)] },
          orderBy: { id: 'asc' },
        }),
    },
    agentConnection,
  ),
}));

builder.mutationFields((t) => ({
  createAgent: t.field({
    type: agent,
    description: 'Returns as soon as the request is durable, with the status PROVISIONING; follow agentEvents.',
    args: { input: t.arg({ type: createAgentInput, required: true, description: 'The agent.' }) },
    errors: resultUnion('CreateAgentResult', [ValidationError, NotFoundError, ConflictError, LimitExceededError]),
    resolve: (_root, { input }, { fleet, viewer }) => createAgent(fleet, viewer, input),
  }),
  deleteAgent: t.field({
    type: agent,
    description:
      'Removes it from the gateway (files and session), clears its task assignments, then removes its record.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    errors: resultUnion('DeleteAgentResult', [NotFoundError, ConflictError]),
    resolve: (_root, { id }, { fleet, viewer }) => deleteAgent(fleet, viewer, id),
  }),
  heartbeat: t.prismaField({
    type: agent,
    description:
      'An agent reports in. With an agent’s token, id may be left out; an agent may report only for itself. ' +
      'An operator with the role ADMIN or above may report for any agent.',
    args: { input: t.arg({ type: heartbeatInput, required: true, description: 'The report.' }) },
    errors: resultUnion('HeartbeatResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: async (query, _root, { input }, { fleet, viewer }) => {
      const id = await heartbeat(fleet, viewer, input);
      return fleet.database.prisma.agent.findUniqueOrThrow({ ...query, where: { id } });
    },
  }),
  wakeAgent: t.field({
    type: agent,
    description: 'Sends the wake-up message to the agent’s session again.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    errors: resultUnion('WakeAgentResult', [NotFoundError, ConflictError, GatewayFailure]),
    resolve: (_root, { id }, { fleet, viewer }) => wakeAgent(fleet, viewer, id),
  }),
  sendAgentMessage: t.field({
    type: agent,
    description: 'Sends a message to the agent’s session at its gateway.',
    args: { input: t.arg({ type: sendAgentMessageInput, required: true, description: 'The message.' }) },
    errors: resultUnion('SendAgentMessageResult', [ValidationError, NotFoundError, ConflictError, GatewayFailure]),
    resolve: (_root, { input }, { fleet, viewer }) => sendAgentMessage(fleet, viewer, input),
  }),
}));
