import { UNREACHABLE } from '../support/callers.ts';
import type { World } from './access-world.ts';

// Who may do what, as a table: every field of Query and Mutation is in it at least once.

/** Those who ask, in the order of the columns. All but the last two belong to one organization. */
export const ACTORS = [
  'OWNER',
  'ADMIN',
  'MEMBER',
  'VIEWER',
  'board’s lead',
  'worker',
  'worker with the task',
  'gateway’s main agent',
  'lead of another board',
  'OWNER of another organization',
] as const;
export type ActorName = (typeof ACTORS)[number];

/** y: done or told. n: FORBIDDEN. -: not there for them. */
export type Cell = 'y' | 'n' | '-';

export interface Row {
  /** The root field. */
  field: string;
  /** What it is done to, where that makes a difference. */
  on?: string;
  /** One letter for each actor, in their order. */
  cells: string;
  /** The selection or the whole result of the field. */
  query: string;
  /** Values for $id, $ids or $input; a new object where the row uses one up. */
  variables?: (world: World) => object | Promise<object>;
  /** What comes of it when it is allowed: a type of the result, or the code of an error that is found out afterwards. */
  yields?: string[];
  /** For lists: the id that is in it for those who may see it. */
  lists?: (world: World) => string;
}

const byId = (field: string, result: string) => `query ($id: ID!) { ${field}(id: $id) ${result} }`;
const list = (field: string) => `query { ${field} { nodes { id } } }`;
const act = (field: string, input: string) => `mutation ($input: ${input}!) { ${field}(input: $input) { __typename } }`;
const actOn = (field: string) => `mutation ($id: ID!) { ${field}(id: $id) { __typename } }`;
/** Nobody is on a gateway yet: that is found out after the question whether the caller may. */
const NOT_YET = ['ConflictError'];

export const QUERIES: Row[] = [
  { field: 'server', cells: 'yyyyyyyyyy', query: 'query { server { version } }' },
  { field: 'viewer', cells: 'yyyyyyyyyy', query: 'query { viewer { kind role actor { name } organization { id } } }' },
  {
    field: 'node',
    on: 'the board',
    cells: 'yyyyyyyy--',
    query: byId('node', '{ id }'),
    variables: (w) => ({ id: w.board }),
  },
  {
    field: 'node',
    on: 'the gateway',
    cells: 'yyyy---y--',
    query: byId('node', '{ id }'),
    variables: (w) => ({ id: w.gateway }),
  },
  {
    field: 'node',
    on: 'an operator token',
    cells: 'yy--------',
    query: byId('node', '{ id }'),
    variables: (w) => ({ id: w.token }),
  },
  {
    field: 'nodes',
    on: 'the worker',
    cells: 'yyyyyyyy--',
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    variables: (w) => ({ ids: [w.worker] }),
  },
  {
    field: 'gateway',
    cells: 'yyyy---y--',
    query: byId('gateway', '{ id name url }'),
    variables: (w) => ({ id: w.gateway }),
  },
  {
    field: 'gateway',
    on: 'its sessions and unmanaged agents',
    cells: 'yyyy---n--',
    query: byId('gateway', '{ sessions { key } unmanagedAgents { name } }'),
    variables: (w) => ({ id: w.gateway }),
    yields: ['GATEWAY_UNAVAILABLE'],
  },
  { field: 'gateways', cells: 'yyyy---y--', query: list('gateways'), lists: (w) => w.gateway },
  {
    field: 'board',
    cells: 'yyyyyyyy--',
    query: byId('board', '{ id lead { id } tasks { nodes { id } } }'),
    variables: (w) => ({ id: w.board }),
  },
  { field: 'boards', cells: 'yyyyyyyy--', query: list('boards'), lists: (w) => w.board },
  {
    field: 'agent',
    on: 'the worker',
    cells: 'yyyyyyyy--',
    query: byId('agent', '{ id events { nodes { type } } }'),
    variables: (w) => ({ id: w.worker }),
  },
  {
    field: 'agent',
    on: 'the main agent',
    cells: 'yyyy---y--',
    query: byId('agent', '{ id }'),
    variables: (w) => ({ id: w.main }),
  },
  {
    field: 'agent',
    on: 'the worker’s gateway',
    cells: 'yyyynnny--',
    query: byId('agent', '{ gateway { id url } }'),
    variables: (w) => ({ id: w.worker }),
  },
  {
    field: 'agent',
    on: 'the worker’s files and documents',
    cells: 'yyyynnnn--',
    query: byId('agent', '{ files { name } documents { name } }'),
    variables: (w) => ({ id: w.worker }),
    yields: ['GATEWAY_UNAVAILABLE'],
  },
  {
    field: 'agents',
    on: 'of the board',
    cells: 'yyyyyyyy--',
    query: list('agents(first: 100)'),
    lists: (w) => w.worker,
  },
  {
    field: 'task',
    cells: 'yyyyyyyy--',
    query: byId('task', '{ id assignee { id } }'),
    variables: (w) => ({ id: w.task }),
  },
  {
    field: 'templateSync',
    cells: 'yyyy---y--',
    query: byId('templateSync', '{ id }'),
    variables: (w) => ({ id: w.sync }),
  },
  {
    field: 'activity',
    cells: 'yynnnnnnn-',
    query: 'query { activity(first: 100) { nodes { id: objectId } } }',
    lists: (w) => w.gateway,
  },
  { field: 'souls', cells: 'yyyyyyyyyy', query: 'query { souls(query: "engineer") { slug } }' },
  { field: 'apiTokens', cells: 'yynnnnnnn-', query: 'query { apiTokens { id } }', lists: (w) => w.token },
];

const newGateway = { url: UNREACHABLE.url, workspaceRoot: UNREACHABLE.stateDir };

export const MUTATIONS: Row[] = [
  {
    field: 'createGateway',
    cells: 'yynnnnnnny',
    query: act('createGateway', 'CreateGatewayInput'),
    variables: (w) => ({ input: { ...newGateway, name: w.newName() } }),
  },
  {
    field: 'updateGateway',
    cells: 'yynnnnnnn-',
    query: act('updateGateway', 'UpdateGatewayInput'),
    variables: (w) => ({ input: { id: w.gateway, name: w.newName() } }),
  },
  {
    field: 'checkGateway',
    cells: 'yyynnnnnn-',
    query: actOn('checkGateway'),
    variables: (w) => ({ id: w.gateway }),
    yields: ['GatewayError'],
  },
  {
    field: 'syncGatewayTemplates',
    cells: 'yynnnnnnn-',
    query: act('syncGatewayTemplates', 'SyncGatewayTemplatesInput'),
    variables: (w) => ({ input: { gatewayId: w.gateway } }),
    yields: ['ConflictError'],
  },
  {
    field: 'deleteGateway',
    cells: 'yynnnnnnn-',
    query: actOn('deleteGateway'),
    variables: async (w) => ({ id: await w.newGateway() }),
    yields: ['Deleted'],
  },
  {
    field: 'createBoard',
    cells: 'yynnnnnnn-',
    query: act('createBoard', 'CreateBoardInput'),
    variables: (w) => ({ input: { gatewayId: w.gateway, name: w.newName() } }),
  },
  {
    field: 'updateBoard',
    cells: 'yynnnnnn--',
    query: act('updateBoard', 'UpdateBoardInput'),
    variables: (w) => ({ input: { id: w.board, objective: w.newName() } }),
  },
  {
    field: 'deleteBoard',
    cells: 'yynn---n--',
    on: 'another board of the gateway',
    query: actOn('deleteBoard'),
    variables: async (w) => ({ id: await w.newBoard() }),
    yields: ['Deleted'],
  },
  {
    field: 'createAgent',
    on: 'a worker of the board',
    cells: 'yynnynnn--',
    query: act('createAgent', 'CreateAgentInput'),
    variables: (w) => ({ input: { boardId: w.board, name: w.newName() } }),
  },
  {
    field: 'updateAgent',
    on: 'the worker',
    cells: 'yynnnnnn--',
    query: act('updateAgent', 'UpdateAgentInput'),
    variables: (w) => ({ input: { id: w.worker, heartbeat: { intervalSeconds: 300 } } }),
  },
  {
    field: 'pauseAgent',
    on: 'a worker of the board',
    cells: 'yyynnnnn--',
    query: actOn('pauseAgent'),
    variables: async (w) => ({ id: await w.newAgent() }),
  },
  {
    field: 'resumeAgent',
    on: 'a worker of the board',
    cells: 'yyynnnnn--',
    query: actOn('resumeAgent'),
    variables: async (w) => ({ id: await w.newAgent('PAUSED') }),
  },
  {
    field: 'reprovisionAgent',
    on: 'the worker',
    cells: 'yynnnnnn--',
    query: act('reprovisionAgent', 'ReprovisionAgentInput'),
    variables: (w) => ({ input: { id: w.worker } }),
  },
  {
    field: 'adoptAgent',
    on: 'onto the board',
    cells: 'yynnnnnnn-',
    query: act('adoptAgent', 'AdoptAgentInput'),
    variables: (w) => ({ input: { gatewayId: w.gateway, boardId: w.board, openclawAgentId: 'stray' } }),
    yields: ['GatewayError'],
  },
  {
    field: 'deleteAgent',
    on: 'a worker of the board',
    cells: 'yynnnnnn--',
    query: actOn('deleteAgent'),
    variables: async (w) => ({ id: await w.newAgent() }),
  },
  {
    field: 'sendAgentMessage',
    on: 'to the worker',
    cells: 'yyynynnn--',
    query: act('sendAgentMessage', 'SendAgentMessageInput'),
    variables: (w) => ({ input: { id: w.worker, message: 'Hello' } }),
    yields: NOT_YET,
  },
  {
    field: 'sendAgentMessage',
    on: 'to the lead',
    cells: 'yyynynny--',
    query: act('sendAgentMessage', 'SendAgentMessageInput'),
    variables: (w) => ({ input: { id: w.lead, message: 'Hello' } }),
    yields: NOT_YET,
  },
  {
    field: 'wakeAgent',
    on: 'the worker',
    cells: 'yyynynnn--',
    query: actOn('wakeAgent'),
    variables: (w) => ({ id: w.worker }),
    yields: NOT_YET,
  },
  {
    field: 'wakeAgent',
    on: 'the lead',
    cells: 'yyynynny--',
    query: actOn('wakeAgent'),
    variables: (w) => ({ id: w.lead }),
    yields: NOT_YET,
  },
  {
    field: 'heartbeat',
    on: 'for the worker',
    cells: 'yynnnynn--',
    query: act('heartbeat', 'HeartbeatInput'),
    variables: (w) => ({ input: { id: w.worker, status: 'IDLE' } }),
  },
  {
    field: 'createTask',
    cells: 'yyynynnn--',
    query: act('createTask', 'CreateTaskInput'),
    variables: (w) => ({ input: { boardId: w.board, title: 'Task' } }),
  },
  {
    field: 'updateTask',
    on: 'its status',
    cells: 'yyynynyn--',
    query: act('updateTask', 'UpdateTaskInput'),
    variables: (w) => ({ input: { id: w.task, status: 'REVIEW' } }),
  },
  {
    field: 'updateTask',
    on: 'its assignee',
    cells: 'yyynynnn--',
    query: act('updateTask', 'UpdateTaskInput'),
    variables: (w) => ({ input: { id: w.task, assigneeId: w.assignee } }),
  },
  {
    field: 'deleteTask',
    cells: 'yyynynnn--',
    query: actOn('deleteTask'),
    variables: async (w) => ({ id: await w.newTask() }),
    yields: ['Deleted'],
  },
  {
    field: 'createApiToken',
    on: 'ADMIN or less',
    cells: 'yynnnnnnny',
    query: act('createApiToken', 'CreateApiTokenInput'),
    variables: (w) => ({ input: { name: w.newName(), role: 'ADMIN' } }),
    yields: ['CreatedApiToken'],
  },
  {
    field: 'createApiToken',
    on: 'OWNER',
    cells: 'ynnnnnnnny',
    query: act('createApiToken', 'CreateApiTokenInput'),
    variables: (w) => ({ input: { name: w.newName(), role: 'OWNER' } }),
    yields: ['CreatedApiToken'],
  },
  {
    field: 'revokeApiToken',
    on: 'another’s, ADMIN or less',
    cells: 'yy--------',
    query: actOn('revokeApiToken'),
    variables: async (w) => ({ id: await w.newToken('ADMIN') }),
    yields: ['Deleted'],
  },
  {
    field: 'revokeApiToken',
    on: 'another’s, OWNER',
    cells: 'yn--------',
    query: actOn('revokeApiToken'),
    variables: async (w) => ({ id: await w.newToken('OWNER') }),
    yields: ['Deleted'],
  },
  {
    field: 'createOrganization',
    cells: 'ynnnnnnnnn',
    query: act('createOrganization', 'CreateOrganizationInput'),
    variables: (w) => ({ input: { name: w.newName() } }),
    yields: ['CreatedOrganization'],
  },
];
