import { listedAgents, visibleBoards, visibleGateways } from '../access/visibility.ts';
import { unmanagedAgents } from '../fleet/adoption.ts';
import { ConflictError, GatewayFailure, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { deleteGateway, updateGateway } from '../fleet/gateway-updates.ts';
import { checkGateway, createGateway, type GatewaySession, gatewaySessions } from '../fleet/gateways.ts';
import { activityConnection, activityOfOne } from './activity.ts';
import { agent, agentConnection, agentFilter, agentsMatching } from './agent.ts';
import { agentById } from './agent-by-id.ts';
import { readTogether, selectionOf } from './batch.ts';
import { board, boardConnection } from './board.ts';
import { builder, READ_LIVE } from './builder.ts';
import { rowById } from './by-id.ts';
import { connectionObject, listOf, listOfEach } from './connection.ts';
import { deleted, resultUnion } from './errors.ts';
import { node } from './node.ts';
import { pageOf } from './page.ts';

export const connectionState = builder.enumType('GatewayConnectionState', {
  description: 'How the connection to a gateway stands.',
  values: {
    UNKNOWN: { description: 'Never tried yet.' },
    CONNECTING: { description: 'The first attempt is under way.' },
    CONNECTED: { description: 'The gateway answers.' },
    UNREACHABLE: { description: 'Not reachable; reconnecting with backoff.' },
    UNAUTHORIZED: { description: 'The token was refused.' },
    PAIRING_REQUIRED: { description: 'The gateway waits for this device to be approved.' },
    INCOMPATIBLE: { description: 'The gateway speaks no protocol version that this server does.' },
  },
});

const CONNECTION_COLUMNS = {
  connectionState: true,
  serverVersion: true,
  protocolVersion: true,
  connectedAt: true,
  connectionStateSince: true,
  connectionError: true,
  connectionHint: true,
  nextAttemptAt: true,
  latencyMs: true,
} as const;

const gatewayConnectionInfo = builder.prismaObject('Gateway', {
  variant: 'GatewayConnectionInfo',
  description: 'The connection to a gateway, as it was last seen.',
  select: CONNECTION_COLUMNS,
  fields: (t) => ({
    state: t.expose('connectionState', { type: connectionState, description: 'How it stands.' }),
    since: t.expose('connectionStateSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it stands so; null when it was never tried.',
    }),
    serverVersion: t.exposeString('serverVersion', {
      nullable: true,
      description: 'The gateway’s version, for example 2026.9.6.',
    }),
    protocolVersion: t.exposeInt('protocolVersion', {
      nullable: true,
      description: 'The version of the gateway’s protocol that is spoken.',
    }),
    connectedAt: t.expose('connectedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is connected; null while it is not.',
    }),
    lastError: t.exposeString('connectionError', { nullable: true, description: 'Why the latest attempt failed.' }),
    hint: t.exposeString('connectionHint', {
      nullable: true,
      description: 'What the operator should do next, in one sentence; null when nothing is wrong.',
    }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again by itself.',
    }),
    latencyMs: t.exposeFloat('latencyMs', {
      nullable: true,
      description: 'Round trip of the latest probe, in milliseconds.',
    }),
  }),
});

const gatewaySession = builder.objectRef<GatewaySession>('GatewaySession').implement({
  description: 'A session of an agent at its gateway.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The gateway’s key, for example agent:mc-…:main' }),
    label: t.exposeString('label', { nullable: true, description: 'The session’s name at the gateway.' }),
    agent: t.field({
      type: agent,
      nullable: true,
      description: 'Whose it is; null for an agent that is not managed here.',
      resolve: ({ agentId }, _args, context, info) => (agentId === null ? null : agentById(context, info, agentId)),
    }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', nullable: true, description: 'When it last changed.' }),
  }),
});

const unmanagedAgent = builder.simpleObject('UnmanagedAgent', {
  description: 'An agent of a gateway that is not managed here; adoptAgent takes it under management.',
  fields: (t) => ({
    openclawAgentId: t.string({ description: 'The agent’s id on the gateway.' }),
    name: t.string({ nullable: true, description: 'Its name there.' }),
    workspacePath: t.string({ nullable: true, description: 'Its folder on the gateway’s machine.' }),
  }),
});

export const gateway = builder.prismaObject('Gateway', {
  description: 'One OpenClaw gateway: the server that hosts agents, one per machine.',
  interfaces: [node],
  authScopes: { gatewayReader: true },
  select: { id: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the organization, regardless of case.' }),
    url: t.exposeString('url', { description: 'ws:// or wss://' }),
    workspaceRoot: t.exposeString('workspaceRoot', {
      description: 'The folder on the gateway’s machine in which its agents’ workspaces are made.',
    }),
    hasToken: t.boolean({
      description: 'Whether a token is stored. The token itself is never returned.',
      select: { tokenSealed: true },
      resolve: ({ tokenSealed }) => tokenSealed !== null,
    }),
    tlsFingerprint: t.exposeString('tlsFingerprint', {
      nullable: true,
      description: 'SHA-256 of the certificate that alone is accepted.',
    }),
    allowInsecureTls: t.exposeBoolean('allowInsecureTls', {
      description: 'Whether the certificate of this gateway is not checked.',
    }),
    connection: t.variant(gatewayConnectionInfo, { description: 'The connection to it, as it was last seen.' }),
    mainAgent: t.field({
      type: agent,
      nullable: true,
      description: 'The gateway’s own agent, which runs gateway-level operations.',
      resolve({ id }, _args, context, info) {
        const selection = selectionOf(context, info, { id: true, gatewayId: true });
        return readTogether(context, info, 'main', id, async (ids) => {
          const mains = await context.fleet.database.prisma.agent.findMany({
            ...selection,
            where: { gatewayId: { in: [...ids] }, kind: 'GATEWAY_MAIN', deletionRequestedAt: null },
          });
          return new Map(mains.map((main) => [main.gatewayId, main]));
        });
      },
    }),
    boards: t.connection(
      {
        type: board,
        description: 'The boards whose agents run on it, oldest first.',
        resolve: ({ id }, page, context, info) => {
          return pageOf(
            page,
            listOfEach(context, info, { parents: 'gateway', id, relation: 'boards' }, visibleBoards(context.viewer)),
          );
        },
      },
      boardConnection,
    ),
    agents: t.connection(
      {
        type: agent,
        description: 'The agents on it that are managed here, oldest first.',
        args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
        resolve: ({ id }, { filter, ...page }, context, info) => {
          const where = { AND: [listedAgents(context.viewer), agentsMatching(filter)] };
          return pageOf(page, listOfEach(context, info, { parents: 'gateway', id, relation: 'agents' }, where));
        },
      },
      agentConnection,
    ),
    sessions: t.field({
      type: [gatewaySession],
      description: 'Read live from the gateway.',
      extensions: READ_LIVE,
      resolve: async ({ id }, _args, { fleet, viewer }) => gatewaySessions(fleet, viewer, id),
    }),
    unmanagedAgents: t.field({
      type: [unmanagedAgent],
      description: 'Agents that exist on the gateway and that this server does not manage, read live.',
      extensions: READ_LIVE,
      resolve: ({ id }, _args, { fleet, viewer }) => unmanagedAgents(fleet, viewer, id),
    }),
    activity: t.field({
      type: activityConnection,
      description: 'What was done to it and to its boards, and by whom, oldest first.',
      args: t.arg.connectionArgs(),
      resolve: ({ id }, args, context, info) => pageOf(args, activityOfOne(context, info, { gatewayId: id })),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

const gatewayConnection = connectionObject('Gateway', gateway, 'gateways');

const createGatewayInput = builder.inputType('CreateGatewayInput', {
  description: 'A gateway to be managed.',
  fields: (t) => ({
    id: t.id({ description: 'A UUID of your choice: the same create sent twice makes one gateway.' }),
    name: t.string({
      required: true,
      description: 'Unique in the organization, regardless of case. 1 to 80 characters.',
    }),
    url: t.string({ required: true, description: 'ws:// or wss://, without credentials.' }),
    token: t.string({ description: 'The gateway’s token. It is stored encrypted and never returned.' }),
    workspaceRoot: t.string({
      required: true,
      description: 'The folder on the gateway’s machine for its agents’ workspaces: absolute, or beginning with ~.',
    }),
    tlsFingerprint: t.string({ description: 'SHA-256 of the only certificate to accept.' }),
    allowInsecureTls: t.boolean({ defaultValue: false, description: 'Do not check the certificate of this gateway.' }),
  }),
});

const updateGatewayInput = builder.inputType('UpdateGatewayInput', {
  description: 'What is to change of a gateway; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The gateway’s id.' }),
    name: t.string({ description: 'Unique in the organization, regardless of case. 1 to 80 characters.' }),
    url: t.string({
      description:
        'ws:// or wss://, without credentials. To another host a stored token goes only when it is given anew. The ' +
        'agents are provisioned again there.',
    }),
    token: t.string({ description: 'null removes the stored token; leaving it out keeps it.' }),
    workspaceRoot: t.string({
      description: 'The agents get new workspaces there; what they wrote stays in the old ones.',
    }),
    tlsFingerprint: t.string({ description: 'SHA-256 of the only certificate to accept; null accepts trusted ones.' }),
    allowInsecureTls: t.boolean({ description: 'Do not check the certificate of this gateway.' }),
  }),
});

builder.queryFields((t) => ({
  gateway: t.field({
    type: gateway,
    nullable: true,
    description: 'The gateway with this id.',
    args: { id: t.arg.id({ required: true, description: 'The gateway’s id.' }) },
    resolve: (_root, { id }, context, info) => rowById(context, info, 'gateway', id, visibleGateways(context.viewer)),
  }),
  gateways: t.connection(
    {
      type: gateway,
      description: 'The gateways, oldest first.',
      resolve: (_root, page, context, info) => {
        return pageOf(page, listOf(context, info, 'gateway', visibleGateways(context.viewer)));
      },
    },
    gatewayConnection,
  ),
}));

builder.mutationFields((t) => ({
  createGateway: t.field({
    type: gateway,
    description: 'Adds a gateway and provisions its main agent.',
    args: { input: t.arg({ type: createGatewayInput, required: true, description: 'The gateway.' }) },
    errors: resultUnion('CreateGatewayResult', [ValidationError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => createGateway(fleet, viewer, input),
  }),
  updateGateway: t.field({
    type: gateway,
    description:
      'Changes a gateway. With another URL, token or certificate it is connected to afresh, and what failed there is ' +
      'tried again; with another URL or workspace root its agents are provisioned again.',
    args: { input: t.arg({ type: updateGatewayInput, required: true, description: 'What is to change.' }) },
    errors: resultUnion('UpdateGatewayResult', [ValidationError, NotFoundError, ConflictError]),
    resolve: (_root, { input }, { fleet, viewer }) => updateGateway(fleet, viewer, input),
  }),
  deleteGateway: t.field({
    type: deleted,
    description:
      'Refused with a conflict while it still has boards, unless force is true: then all of its agents and boards go ' +
      'too. It is gone at once for everybody; its agents leave it one by one, and can be followed by agentEvents. What ' +
      'cannot be reached for a day is left on it.',
    args: {
      id: t.arg.id({ required: true, description: 'The gateway’s id.' }),
      force: t.arg.boolean({ description: 'Delete its boards and their agents too.' }),
    },
    errors: resultUnion('DeleteGatewayResult', [NotFoundError, ConflictError]),
    resolve: (_root, { id, force }, { fleet, viewer }) => deleteGateway(fleet, viewer, id, force ?? false),
  }),
  checkGateway: t.field({
    type: gateway,
    description:
      'Connects afresh now and answers with what came of it. When the gateway answers, what has failed there is tried again.',
    args: { id: t.arg.id({ required: true, description: 'The gateway’s id.' }) },
    errors: resultUnion('CheckGatewayResult', [NotFoundError, GatewayFailure]),
    resolve: (_root, { id }, { fleet, viewer }) => checkGateway(fleet, viewer, id),
  }),
}));
