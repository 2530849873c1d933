import { listedAgents, visibleAgents } from '../access/visibility.ts';
import { toCursor } from '../events/cursor.ts';
import { adoptAgent } from '../fleet/adoption.ts';
import { pauseAgent, reprovisionAgent, resumeAgent, updateAgent } from '../fleet/agent-updates.ts';
import { agentDocuments, agentFiles, createAgent, deleteAgent } from '../fleet/agents.ts';
import { ConflictError, GatewayFailure, LimitExceededError, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { heartbeat } from '../fleet/heartbeats.ts';
import { literally } from '../fleet/like.ts';
import { sendAgentMessage, wakeAgent } from '../fleet/messages.ts';
import { isId } from '../fleet/validation.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { sessionKeyOf } from '../provisioning/identity.ts';
import { agentById } from './agent-by-id.ts';
import { agentDocument, workspaceFile } from './agent-document.ts';
import { agentKind, agentStatus, liveness } from './agent-enums.ts';
import { agentEvent, agentEventConnection, eventsOf } from './agent-event.ts';
import { builder, READ_LIVE } from './builder.ts';
import { rowById } from './by-id.ts';
import { connectionObject, listOf } from './connection.ts';
import { resultUnion } from './errors.ts';
import { identityProfile } from './identity-profile.ts';
import { node } from './node.ts';
import { pageOf } from './page.ts';
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
      extensions: READ_LIVE,
      resolve: ({ id }, _args, { fleet, viewer }) => agentFiles(fleet, viewer, id),
    }),
    documents: t.field({
      type: [agentDocument],
      description:
        'What provisioning would write now (TOOLS.md, IDENTITY.md, SOUL.md, HEARTBEAT.md, BOOTSTRAP.md, MEMORY.md, ' +
        'USER.md; for a lead also AGENTS.md, BOARD.md and APPROVALS.md), how each reaches the agent on this gateway, ' +
        'and how it differs from what the agent has. Writes nothing. Secrets are masked.',
      extensions: READ_LIVE,
      resolve: ({ id }, _args, { fleet, viewer }) => agentDocuments(fleet, viewer, id),
    }),
    events: t.field({
      type: agentEventConnection,
      description: 'What happened to it, oldest first.',
      args: t.arg.connectionArgs(),
      resolve: ({ id }, args, context, info) => pageOf(args, eventsOf(context, info, id)),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

export const agentConnection = connectionObject('Agent', agent, 'agents');

builder.objectField(agentConnection, 'eventCursor', (t) =>
  t.string({
    description: 'Where the event log stood when this was read: agentEvents(after:) from here misses nothing.',
    // Taken before the operation: a list that is read before its cursor could lack what the cursor has behind it.
    resolve: (_page, _args, { logPosition }) => toCursor(logPosition ?? 0n),
  }),
);

builder.objectField(agentEvent, 'agent', (t) =>
  t.field({
    type: agent,
    nullable: true,
    description:
      'As it was when somebody was told of the event, at most half a minute ago: what has changed since comes with a later ' +
      'event. Null once it is deleted.',
    resolve: ({ agentId }, _args, context, info) => agentById(context, info, agentId),
  }),
);

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

const updateAgentInput = builder.inputType('UpdateAgentInput', {
  description: 'What is to change of an agent; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The agent’s id.' }),
    name: t.string({ description: 'Unique on the board, regardless of case. 1 to 80 characters.' }),
    identityProfile: t.field({
      type: identityProfileInput,
      description: 'Who it is. Only the fields that are given change; null clears one.',
    }),
    identityTemplate: t.string({ description: 'Liquid; null gives way to the built-in IDENTITY.md.' }),
    soulTemplate: t.string({ description: 'Liquid; null gives way to the built-in SOUL.md.' }),
    heartbeat: t.field({
      type: heartbeatConfigInput,
      description: 'How often the gateway lets it look for work; replaced as a whole.',
    }),
    force: t.boolean({
      defaultValue: false,
      description:
        'Write every file again, even those that already exist or belong to the agent. An adopted agent becomes a ' +
        'managed one by it.',
    }),
  }),
});

const reprovisionAgentInput = builder.inputType('ReprovisionAgentInput', {
  description: 'An agent to be brought in line again.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The agent’s id.' }),
    force: t.boolean({
      defaultValue: false,
      description:
        'Write every file again, even those that already exist or belong to the agent. An adopted agent becomes a ' +
        'managed one by it.',
    }),
    rotateToken: t.boolean({
      defaultValue: false,
      description: 'Give it a new token; the old one works until the new one is in its workspace.',
    }),
    resetSession: t.boolean({ defaultValue: false, description: 'Begin its session afresh, and wake it.' }),
  }),
});

const adoptAgentInput = builder.inputType('AdoptAgentInput', {
  description: 'An agent that already exists on a gateway.',
  fields: (t) => ({
    gatewayId: t.id({ required: true, description: 'The gateway that it is on.' }),
    openclawAgentId: t.string({ required: true, description: 'Its id there; see Gateway.unmanagedAgents.' }),
    boardId: t.id({ required: true, description: 'The board that it is to work on, of the same gateway.' }),
    name: t.string({ description: 'Unique on the board, regardless of case. Left out: its name on the gateway.' }),
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
  agent: t.field({
    type: agent,
    nullable: true,
    description: 'The agent with this id; also while it is on its way out.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    resolve: (_root, { id }, context, info) => rowById(context, info, 'agent', id, visibleAgents(context.viewer)),
  }),
  agents: t.connection(
    {
      type: agent,
      description: 'The agents, oldest first.',
      args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
      resolve: (_root, { filter, ...page }, context, info) => {
        const where = { AND: [listedAgents(context.viewer), agentsMatching(filter)] };
        return pageOf(page, listOf(context, info, 'agent', where));
      },
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
  updateAgent: t.field({
    type: agent,
    description: 'Changes an agent. Returns as soon as the request is durable; follow provisioning or agentEvents.',
    args: { input: t.arg({ type: updateAgentInput, required: true, description: 'What is to change.' }) },
    errors: resultUnion('UpdateAgentResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => updateAgent(fleet, viewer, input),
  }),
  pauseAgent: t.field({
    type: agent,
    description: 'Stops it: its heartbeats at the gateway are turned off, and the run under way is aborted.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    errors: resultUnion('PauseAgentResult', [NotFoundError, ConflictError]),
    resolve: (_root, { id }, { fleet, viewer }) => pauseAgent(fleet, viewer, id),
  }),
  resumeAgent: t.field({
    type: agent,
    description: 'Lets a paused agent go on, and wakes it.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    errors: resultUnion('ResumeAgentResult', [NotFoundError, ConflictError]),
    resolve: (_root, { id }, { fleet, viewer }) => resumeAgent(fleet, viewer, id),
  }),
  reprovisionAgent: t.field({
    type: agent,
    description: 'Brings it in line again, and tries again now what failed.',
    args: { input: t.arg({ type: reprovisionAgentInput, required: true, description: 'Which, and how.' }) },
    errors: resultUnion('ReprovisionAgentResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => reprovisionAgent(fleet, viewer, input),
  }),
  adoptAgent: t.field({
    type: agent,
    description:
      'Takes an agent that already exists on a gateway under management, leaving its files alone. It stays on its gateway ' +
      'when it is deleted here, unless it was reprovisioned with force.',
    args: { input: t.arg({ type: adoptAgentInput, required: true, description: 'The agent.' }) },
    errors: resultUnion('AdoptAgentResult', [ValidationError, NotFoundError, ConflictError, GatewayFailure]),
    resolve: (_root, { input }, { fleet, viewer }) => adoptAgent(fleet, viewer, input),
  }),
  deleteAgent: t.field({
    type: agent,
    description:
      'Removes it from the gateway (files and session), clears its task assignments, then removes its record.',
    args: { id: t.arg.id({ required: true, description: 'The agent’s id.' }) },
    errors: resultUnion('DeleteAgentResult', [NotFoundError, ConflictError]),
    resolve: (_root, { id }, { fleet, viewer }) => deleteAgent(fleet, viewer, id),
  }),
  heartbeat: t.field({
    type: agent,
    description:
      'An agent reports in. With an agent’s token, id may be left out; an agent may report only for itself. ' +
      'An operator with the role ADMIN or above may report for any agent.',
    args: { input: t.arg({ type: heartbeatInput, required: true, description: 'The report.' }) },
    errors: resultUnion('HeartbeatResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => heartbeat(fleet, viewer, input),
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
