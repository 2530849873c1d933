import { listedAgents, visibleBoards, visibleGateways } from '../access/visibility.ts';
import { ConflictError, GatewayFailure, NotFoundError, ValidationError } from '../fleet/errors.ts';
import { checkGateway, createGateway, gatewaySessions } from '../fleet/gateways.ts';
import { isId } from '../fleet/validation.ts';
import { agent, agentConnection, agentFilter, agentsMatching } from './agent.ts';
import { boardConnection } from './board.ts';
import { builder } from './builder.ts';
import { beyondCursor, checkCursors, connectionObject, withoutCursor } from './connection.ts';
import { resultUnion } from './errors.ts';
import { node } from './node.ts';

const connectionState = builder.enumType('GatewayConnectionState', {
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

const gatewaySession = builder.simpleObject('GatewaySession', {
  description: 'A session of an agent at its gateway.',
  fields: (t) => ({
    key: t.string({ description: 'The gateway’s key, for example agent:mc-…:main' }),
    label: t.string({ nullable: true, description: 'The session’s name at the gateway.' }),
    agent: t.field({
      type: agent,
      nullable: true,
      description: 'Whose it is; null for an agent that is not managed here.',
    }),
    updatedAt: t.field({ type: 'DateTime', nullable: true, description: 'When it last changed.' }),
  }),
});

const gateway = builder.prismaObject('Gateway', {
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
    mainAgent: t.prismaField({
      type: agent,
      nullable: true,
      description: 'The gateway’s own agent, which runs gateway-level operations.',
      resolve: (query, { id }, _args, { fleet }) =>
        fleet.database.prisma.agent.findFirst({
          ...query,
          where: { gatewayId: id, kind: 'GATEWAY_MAIN', deletionRequestedAt: null },
        }),
    }),
    boards: t.relatedConnection(
      'boards',
      {
        cursor: 'id',
        totalCount: true,
        description: 'The boards whose agents run on it, oldest first.',
        query: (page, { viewer }) => {
          checkCursors(page);
          return { where: visibleBoards(viewer), orderBy: { id: 'asc' } };
        },
      },
      boardConnection,
    ),
    agents: t.relatedConnection(
      'agents',
      {
        cursor: 'id',
        totalCount: true,
        description: 'The agents on it that are managed here, oldest first.',
        args: { filter: t.arg({ type: agentFilter, description: 'Only these.' }) },
        query: ({ filter, ...page }, { viewer }) => {
          checkCursors(page);
          return { where: { AND: [listedAgents(viewer), agentsMatching(filter)] }, orderBy: { id: 'asc' } };
        },
      },
      agentConnection,
    ),
    sessions: t.field({
      type: [gatewaySession],
      description: 'Read live from the gateway.',
      resolve: async ({ id }, _args, { fleet, viewer }) => gatewaySessions(fleet, viewer, id),
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

builder.queryFields((t) => ({
  gateway: t.prismaField({
    type: gateway,
    nullable: true,
    description: 'The gateway with this id.',
    args: { id: t.arg.id({ required: true, description: 'The gateway’s id.' }) },
    resolve: (query, _root, { id }, { fleet, viewer }) =>
      isId(id)
        ? fleet.database.prisma.gateway.findFirst({ ...query, where: { id, ...visibleGateways(viewer) } })
        : null,
  }),
  gateways: t.prismaConnection(
    {
      type: gateway,
      cursor: 'id',
      description: 'The gateways, oldest first.',
      totalCount: (_root, _args, { fleet, viewer }) =>
        fleet.database.prisma.gateway.count({ where: visibleGateways(viewer) }),
      resolve: (query, _root, page, { fleet, viewer }) =>
        fleet.database.prisma.gateway.findMany({
          ...withoutCursor(query),
          where: { AND: [visibleGateways(viewer), beyondCursor(page)] },
          orderBy: { id: 'asc' },
        }),
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
  checkGateway: t.field({
    type: gateway,
    description: 'Connects afresh now and answers with what came of it.',
    args: { id: t.arg.id({ required: true, description: 'The gateway’s id.' }) },
    errors: resultUnion('CheckGatewayResult', [NotFoundError, GatewayFailure]),
    resolve: (_root, { id }, { fleet, viewer }) => checkGateway(fleet, viewer, id),
  }),
}));
