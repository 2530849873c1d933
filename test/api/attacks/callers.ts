import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { type Attack, ask, mutate, mutateById, query, say } from './stage.ts';

const WHO = { query: '{ viewer { kind } }' };
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const CLAIMS = { sub: 'root', org: 'Default', role: 'OWNER', exp: 4_102_444_800 };

function forged(alg: 'none' | 'HS256' | 'RS256'): string {
  const text = `${part({ alg, typ: 'JWT' })}.${part(CLAIMS)}`;
  if (alg === 'none') return `${text}.`;
  if (alg === 'HS256') return `${text}.${createHmac('sha256', 'secret').update(text).digest('base64url')}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

const bearer =
  (token: string): Attack[1] =>
  (stage) =>
    ask(stage, { as: null, body: WHO, headers: { Authorization: `Bearer ${token}` } });
const none = '0'.repeat(43);

/** Who one is not, and what is not one's own. */
export const callers: Attack[] = [
  ['no token', (stage) => ask(stage, { as: null, body: WHO }), '401 UNAUTHENTICATED'],
  ['an operator token that nobody has', bearer(`mco_${none}`), '401 UNAUTHENTICATED'],
  ['an agent token that nobody has', bearer(`mca_${none}`), '401 UNAUTHENTICATED'],
  ['a token that has expired', query(WHO.query, {}, 'expired'), '401 UNAUTHENTICATED'],
  [
    'a hash in place of the token',
    async (stage) => bearer((await stage.mc.prisma.apiToken.findFirstOrThrow()).tokenHash)(stage),
    '401 UNAUTHENTICATED',
  ],
  ['SQL as a token', bearer("'OR'1'='1"), '401 UNAUTHENTICATED'],
  ['a token of a megabyte', bearer('x'.repeat(15_000)), '401 UNAUTHENTICATED'],
  [
    'an agent’s token with an operator’s prefix',
    (stage) => bearer(stage.tokens.worker.replace('mca_', 'mco_'))(stage),
    '401 UNAUTHENTICATED',
  ],
  ['a JWT that nobody signed', bearer(forged('none')), '401 UNAUTHENTICATED'],
  ['a JWT with a shared secret', bearer(forged('HS256')), '401 UNAUTHENTICATED'],
  ['a JWT with a key of the attacker’s', bearer(forged('RS256')), '401 UNAUTHENTICATED'],
  [
    'basic authentication',
    (stage) =>
      ask(stage, { as: null, body: WHO, headers: { Authorization: `Basic ${btoa(`owner:${stage.tokens.owner}`)}` } }),
    '401 UNAUTHENTICATED',
  ],
  [
    'the token in the URL',
    (stage) => ask(stage, { as: null, body: WHO, path: `/graphql?token=${stage.tokens.owner}` }),
    '401 UNAUTHENTICATED',
  ],
  [
    'the token in a cookie',
    (stage) => ask(stage, { as: null, body: WHO, headers: { Cookie: `Authorization=Bearer ${stage.tokens.owner}` } }),
    '401 UNAUTHENTICATED',
  ],
  [
    'a token that nobody has over WebSocket',
    (stage) =>
      say(stage, {
        as: null,
        messages: [{ type: 'connection_init', payload: { Authorization: `Bearer mco_${none}` } }],
      }),
    'closed 4401',
  ],
  [
    'a credential that is a list',
    (stage) =>
      say(stage, { as: null, messages: [{ type: 'connection_init', payload: { Authorization: ['Bearer x'] } }] }),
    'closed 4401',
  ],
  [
    'another organization’s agent, read',
    (stage) => ask(stage, { as: 'stranger', body: { query: `{ agent(id: "${stage.ids.worker}") { id } }` } }),
    '200 null',
  ],
  [
    'another organization’s objects by node',
    (stage) =>
      ask(stage, {
        as: 'stranger',
        body: { query: `{ nodes(ids: ${JSON.stringify(Object.values(stage.ids))}) { id } }` },
      }),
    '200 [null,null,null,null,null,null]',
  ],
  [
    'another organization’s fleet',
    query('{ agents { totalCount } boards { totalCount } gateways { totalCount } }', {}, 'stranger'),
    '200 {"totalCount":0}, {"totalCount":0}, {"totalCount":0}',
  ],
  [
    'another organization’s agent, deleted',
    mutateById('deleteAgent', ({ worker }) => worker, 'stranger'),
    '200 NotFoundError',
  ],
  [
    'another organization’s gateway, deleted',
    mutateById('deleteGateway', ({ gateway }) => gateway, 'stranger'),
    '200 NotFoundError',
  ],
  [
    'another organization’s gateway, pointed elsewhere',
    mutate('updateGateway', ({ gateway }) => ({ id: gateway, url: 'ws://127.0.0.1:9' }), 'stranger'),
    '200 NotFoundError',
  ],
  [
    'a board on another organization’s gateway',
    mutate('createBoard', ({ gateway }) => ({ gatewayId: gateway, name: 'Mine' }), 'stranger'),
    '200 NotFoundError',
  ],
  [
    'a task on another organization’s board',
    mutate('createTask', ({ board }) => ({ boardId: board, title: 'Mine' }), 'stranger'),
    '200 NotFoundError',
  ],
  [
    'a viewer that deletes',
    mutateById('deleteAgent', ({ worker }) => worker, 'viewer'),
    '200 FORBIDDEN at deleteAgent',
  ],
  [
    'a viewer that writes',
    mutate('createTask', ({ board }) => ({ boardId: board, title: 'Mine' }), 'viewer'),
    '200 FORBIDDEN at createTask',
  ],
  [
    'an agent that adds a gateway',
    mutate('createGateway', () => ({ name: 'Mine', url: 'ws://127.0.0.1:9', workspaceRoot: '/x' }), 'worker'),
    '200 FORBIDDEN at createGateway',
  ],
  [
    'an agent that reports for another',
    mutate('heartbeat', ({ lead }) => ({ id: lead }), 'worker'),
    '200 FORBIDDEN at heartbeat',
  ],
  [
    'an agent that works on another board',
    mutate('createTask', ({ otherBoard }) => ({ boardId: otherBoard, title: 'Mine' }), 'worker'),
    '200 NotFoundError',
  ],
  [
    'an agent that deletes its lead',
    mutateById('deleteAgent', ({ lead }) => lead, 'worker'),
    '200 FORBIDDEN at deleteAgent',
  ],
  [
    'an agent that reads its gateway’s sessions',
    (stage) =>
      ask(stage, { as: 'worker', body: { query: `{ gateway(id: "${stage.ids.gateway}") { sessions { key } } }` } }),
    '200 null',
  ],
];
