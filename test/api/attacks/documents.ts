import { type Attack, ask, query, say } from './stage.ts';

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ');

const aliases = `{ ${times(101, (index) => `a${index}: viewer { kind }`)} }`;
const bomb = (levels: number, last: string) =>
  times(levels, (index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`) +
  ` fragment F${levels} on Query { ${last} }`;
const pages = (size: number) =>
  `{ gateways(first: ${size}) { nodes { boards(first: ${size}) { nodes { agents(first: ${size}) { nodes { id } } } } } } }`;
const subscribe = (text: string, variables?: object) => ({
  id: '1',
  type: 'subscribe',
  payload: { query: text, variables },
});

/** Documents that are small to send and large to answer. */
export const documents: Attack[] = [
  ['an alias bomb', query(aliases), '200 ALIAS_LIMIT_EXCEEDED'],
  [
    'an alias bomb over WebSocket',
    (stage) => say(stage, { messages: [subscribe(aliases)] }),
    'answered ALIAS_LIMIT_EXCEEDED',
  ],
  [
    'aliases of a mutation',
    query(`mutation { ${times(101, (index) => `a${index}: wakeAgent(id: "x") { __typename }`)} }`),
    '200 ALIAS_LIMIT_EXCEEDED',
  ],
  [
    'aliases in fragments',
    query(`{ ...F ...F } fragment F on Query { ${times(51, (index) => `a${index}: __typename`)} }`),
    '200 ALIAS_LIMIT_EXCEEDED',
  ],
  ['a fragment bomb', query(`{ ...F0 } ${bomb(60, '__typename')}`), '200 SELECTION_LIMIT_EXCEEDED'],
  [
    'a fragment bomb over WebSocket',
    (stage) => say(stage, { messages: [subscribe(`{ ...F0 } ${bomb(60, '__typename')}`)] }),
    'answered SELECTION_LIMIT_EXCEEDED',
  ],
  [
    'a fragment bomb of pages',
    query(`{ ...F0 } ${bomb(8, 'agents(first: 100) { nodes { board { agents { nodes { id } } } } }')}`),
    '200 COST_LIMIT_EXCEEDED',
  ],
  [
    'a fragment in a circle',
    query('{ ...F } fragment F on Query { viewer { kind } ...F }'),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'fragments in a circle',
    query('{ ...A } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...A }'),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a circle over WebSocket',
    (stage) => say(stage, { messages: [subscribe('{ ...F } fragment F on Query { ...F }')] }),
    'answered GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a circle through objects',
    query('{ node(id: "x") { ...F } } fragment F on Board { lead { board { ...F } } }'),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  ['pages of pages of pages', query(pages(100)), '200 COST_LIMIT_EXCEEDED'],
  [
    'pages of pages of pages over WebSocket',
    (stage) => say(stage, { messages: [subscribe(pages(100))] }),
    'answered COST_LIMIT_EXCEEDED',
  ],
  [
    'pages by a variable',
    query(
      'query Q($n: Int) { gateways(first: $n) { nodes { boards(first: $n) { nodes { agents(first: $n) { nodes { id } } } } } } }',
      { n: 100 },
    ),
    '200 COST_LIMIT_EXCEEDED',
  ],
  ['pages of the largest number', query(pages(2_147_483_647)), '200 COST_LIMIT_EXCEEDED'],
  ['pages of a number below zero', query('{ boards(first: -1) { nodes { id } } }'), '200 BAD_USER_INPUT at boards'],
  [
    'pages below every event',
    (stage) =>
      say(stage, {
        messages: [
          subscribe(
            `subscription { gatewayEvents { gateway { boards(first: 100) { nodes { agents(first: 100) { nodes { board { tasks(first: 100) { nodes { id } } } } } } } } } }`,
          ),
        ],
      }),
    'answered COST_LIMIT_EXCEEDED',
  ],
  [
    'live reads of many',
    query(
      '{ agents(first: 100) { nodes { files { content } documents { content } board { agents { nodes { files { content } } } } } } }',
    ),
    '200 COST_LIMIT_EXCEEDED',
  ],
  [
    'more ids than at most',
    query('query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: Array(101).fill('x') }),
    '200 BAD_USER_INPUT at nodes',
  ],
  [
    'a hundred thousand ids',
    query('query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: Array(200_000).fill('x') }),
    '200 COST_LIMIT_EXCEEDED',
  ],
  [
    'a deep recursion',
    query(`{ boards { nodes { ${'lead { board { '.repeat(10)} id ${'} } '.repeat(10)} } } }`),
    '200 DEPTH_LIMIT_EXCEEDED',
  ],
  ['a hundred thousand levels', query('{ a '.repeat(100_000) + '}'.repeat(100_000)), '200 DEPTH_LIMIT_EXCEEDED'],
  [
    'as many levels as there may be tokens',
    query('{ a '.repeat(1_300) + '}'.repeat(1_300)),
    '200 DEPTH_LIMIT_EXCEEDED',
  ],
  [
    'a list of a thousand levels',
    query(`{ node(id: ${'['.repeat(1_000)}${']'.repeat(1_000)}) { id } }`),
    '200 DEPTH_LIMIT_EXCEEDED',
  ],
  ['more tokens than at most', query(`{ ${'viewer { kind } '.repeat(2_000)} }`), '200 TOKEN_LIMIT_EXCEEDED'],
  [
    'more tokens over WebSocket',
    (stage) => say(stage, { messages: [subscribe(`{ ${'viewer { kind } '.repeat(2_000)} }`)] }),
    'answered TOKEN_LIMIT_EXCEEDED',
  ],
  ['the same field as often as fits', query(`{ ${'viewer { kind } '.repeat(990)} }`), '200 GRAPHQL_VALIDATION_FAILED'],
  [
    'fields that contradict each other',
    query(`{ ${times(90, (index) => `a: agents(first: ${index}) { totalCount }`)} }`),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'many directives',
    query(`{ viewer ${'@include(if: true) '.repeat(51)} { kind } }`),
    '200 DIRECTIVE_LIMIT_EXCEEDED, GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a recursive introspection',
    query('{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }'),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'introspection by many aliases',
    query(
      `{ __schema { types { ${times(30, (a) => `a${a}: fields { type { ...F } }`)} } } } fragment F on __Type { ${times(4, (b) => `b${b}: fields { name }`)} }`,
    ),
    '200 ALIAS_LIMIT_EXCEEDED',
  ],
  [
    'several operations in one',
    query('query A { __typename } query B { __typename }'),
    '400 OPERATION_RESOLUTION_FAILURE',
  ],
  ['a batch', (stage) => ask(stage, { body: Array(50).fill({ query: '{ __typename }' }) }), '400 BAD_REQUEST'],
  [
    'a stored query by its hash',
    (stage) => ask(stage, { body: { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } } }),
    '200 BAD_REQUEST',
  ],
  [
    'a type of the document’s own',
    query('type Query { secret: String } { viewer { kind } }'),
    '200 GRAPHQL_VALIDATION_FAILED',
  ],
];
