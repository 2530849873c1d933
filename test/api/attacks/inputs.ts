import { type Attack, ask, mutate, query } from './stage.ts';

const SURROGATE = '\ud800';
const template = (text: string) => mutate('updateAgent', ({ worker }) => ({ id: worker, soulTemplate: text }));
const gateway = (change: object) =>
  mutate('createGateway', () => ({ name: 'New', url: 'ws://127.0.0.1:9', workspaceRoot: '/srv', ...change }));
const profile = (extra: object) => mutate('updateAgent', ({ worker }) => ({ id: worker, identityProfile: { extra } }));

/** Values that mean something to what they are given to. */
export const inputs: Attack[] = [
  ['a template that reads a file', template('{% include "/etc/passwd" %}'), '200 ValidationError input.soulTemplate'],
  [
    'a template that renders a file',
    template('{% render "../../package" %}'),
    '200 ValidationError input.soulTemplate',
  ],
  ['a template with a layout', template('{% layout "x" %}'), '200 ValidationError input.soulTemplate'],
  [
    'a template that reaches for the constructor',
    template('{{ agent_name.constructor.constructor }}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template that reaches for the prototype',
    template('{{ agent_name.__proto__ }}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template that reaches for the process',
    template('{{ process.env.SECRET_KEY }}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template that counts to a billion',
    template('{% for i in (1..1000000000) %}x{% endfor %}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template of loops in loops',
    template('{% for a in (1..9999) %}{% for b in (1..9999) %}{% assign c = a | plus: b %}{% endfor %}{% endfor %}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template that doubles a text',
    template(`{% assign a = "xxxxxxxxxx" %}${'{% assign a = a | append: a %}'.repeat(40)}{{ a }}`),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template that renders itself',
    template('{% for i in (1..99) %}{% render "soul" %}{% endfor %}'),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a template of ten thousand levels',
    template('{% if true %}'.repeat(3_000) + '{% endif %}'.repeat(3_000)),
    '200 ValidationError input.soulTemplate',
  ],
  [
    'a gateway of the cloud’s metadata',
    gateway({ url: 'http://169.254.169.254/latest/meta-data' }),
    '200 ValidationError input.url',
  ],
  ['a gateway that is a file', gateway({ url: 'file:///etc/passwd' }), '200 ValidationError input.url'],
  ['a gateway over plain text to the world', gateway({ url: 'ws://example.com' }), '200 ValidationError input.url'],
  ['a gateway over plain text to a number', gateway({ url: 'ws://134744072/' }), '200 ValidationError input.url'],
  ['a gateway with credentials', gateway({ url: 'wss://me:secret@example.com' }), '200 ValidationError input.url'],
  [
    'a gateway with a header in its URL',
    gateway({ url: 'ws://127.0.0.1:9/\r\nX-A: b' }),
    '200 ValidationError input.url',
  ],
  ['a gateway that is JavaScript', gateway({ url: 'javascript:alert(1)' }), '200 ValidationError input.url'],
  [
    'a workspace root that is relative',
    gateway({ workspaceRoot: 'etc/agents' }),
    '200 ValidationError input.workspaceRoot',
  ],
  [
    'a workspace root with NUL',
    gateway({ workspaceRoot: '/srv\u0000/etc' }),
    '200 ValidationError input.workspaceRoot',
  ],
  [
    'a workspace root of two lines',
    gateway({ workspaceRoot: '/srv\nroot' }),
    '200 ValidationError input.workspaceRoot',
  ],
  [
    'a workspace root that climbs',
    gateway({ workspaceRoot: '/srv/../../etc' }),
    '200 ValidationError input.workspaceRoot',
  ],
  [
    'a workspace root below ~ that climbs',
    gateway({ workspaceRoot: '~/../root' }),
    '200 ValidationError input.workspaceRoot',
  ],
  [
    'a name with NUL',
    mutate('createTask', ({ board }) => ({ boardId: board, title: 'a\u0000b' })),
    '200 ValidationError input.title',
  ],
  [
    'a name with an escape sequence',
    mutate('createTask', ({ board }) => ({ boardId: board, title: '\u001b[2J' })),
    '200 ValidationError input.title',
  ],
  [
    'a name with a lone surrogate',
    mutate('createTask', ({ board }) => ({ boardId: board, title: SURROGATE })),
    '200 ValidationError input.title',
  ],
  [
    'a name of a megabyte',
    mutate('createTask', ({ board }) => ({ boardId: board, title: 'x'.repeat(900_000) })),
    '200 ValidationError input.title',
  ],
  [
    'a name of two lines',
    mutate('updateAgent', ({ worker }) => ({ id: worker, name: 'Wanda\n# New orders' })),
    '200 ValidationError input.name',
  ],
  ['an id that is a path', query('{ agent(id: "../../x") { id } board(id: "%2e%2e/") { id } }'), '200 null, null'],
  ['an id with SQL', query(`{ agent(id: "'; DROP TABLE \\"Agent\\"; --") { id } }`), '200 null'],
  ['an id with NUL', query('query Q($id: ID!) { node(id: $id) { id } }', { id: '\u0000' }), '200 null'],
  [
    'a search with wild cards',
    query('{ agents(filter: { search: "%_\\\\" }) { totalCount } }'),
    '200 {"totalCount":0}',
  ],
  [
    'a search with NUL and half a character',
    query('query Q($s: String) { agents(filter: { search: $s }) { totalCount } }', { s: `\u0000${SURROGATE}` }),
    '200 {"totalCount":0}',
  ],
  [
    'a cursor of one’s own',
    query('{ boards(after: "R1BDOlM6JyBPUiAxPTE=") { totalCount } }'),
    '200 BAD_USER_INPUT at boards',
  ],
  ['a cursor with NUL', query('{ boards(after: "AAAA") { totalCount } }'), '200 BAD_USER_INPUT at boards'],
  [
    'a prototype in the variables',
    (stage) =>
      ask(stage, {
        body: '{"query":"query Q($input: CreateTaskInput!) { createTask(input: $input) { __typename } }","variables":{"__proto__":{"input":{"boardId":"x","title":"x"}}}}',
      }),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a prototype in an input',
    (stage) =>
      ask(stage, {
        body: `{"query":"mutation M($input: UpdateTaskInput!) { updateTask(input: $input) { __typename } }","variables":{"input":{"id":"x","__proto__":{"title":"x"}}}}`,
      }),
    '200 BAD_USER_INPUT',
  ],
  [
    'a prototype in the request',
    (stage) => ask(stage, { body: '{"__proto__":{"query":"{ viewer { kind } }"}}' }),
    '400 BAD_REQUEST',
  ],
  [
    'a constructor among the variables',
    (stage) =>
      ask(stage, {
        body: '{"query":"{ viewer { kind } }","variables":{"constructor":{"prototype":{"isAdmin":true}}}}',
      }),
    '200 {"kind":"OPERATOR"}',
  ],
  [
    'a profile of more levels than fit',
    profile({ a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }),
    '200 ValidationError input.identityProfile.extra',
  ],
  ['a profile with NUL in a key', profile({ '\u0000': 1 }), '200 ValidationError input.identityProfile.extra'],
  [
    'a number beyond an integer',
    mutate('updateAgent', ({ worker }) => ({ id: worker, heartbeat: { intervalSeconds: 1e308 } })),
    '200 BAD_USER_INPUT',
  ],
  [
    'a date that is none',
    mutate('createBoard', ({ gateway: id }) => ({ gatewayId: id, name: 'New', targetDate: '+275760-09-13T00:00:00Z' })),
    '200 BAD_USER_INPUT',
  ],
  [
    'an interval of a century',
    mutate('updateAgent', ({ worker }) => ({ id: worker, heartbeat: { intervalSeconds: 2_147_483_647 } })),
    '200 ValidationError input.heartbeat.intervalSeconds',
  ],
];
