// The import rules: which room of src/ may import which, and what each may import of node_modules.
// dependency-cruiser reads TypeScript with TypeScript 6, as TypeScript 7 has no JavaScript API; hence both in package.json.

/** What each room may import of src/, besides itself, spans.ts, version.ts, and log.ts and config.ts for their types. */
const rooms = {
  schema: ['fleet', 'access', 'events', 'provisioning', 'db/plain-rows.ts', 'gather.ts', 'generated'],
  http: ['schema', 'access', 'fleet', 'events'],
  fleet: ['provisioning', 'gateway', 'events', 'access', 'db', 'generated'],
  provisioning: ['gateway', 'events', 'db', 'access/tokens.ts', 'generated'],
  access: ['db', 'gather.ts', 'generated'],
  events: ['db', 'access/viewer.ts', 'generated'],
  db: ['generated'],
  gateway: [],
  observability: ['http', 'provisioning', 'db', 'generated'],
  simulator: [],
};

/** Deciding code. It does no I/O, so its tests need no database, no files and no gateway. */
const pure =
  '^src/(provisioning/(agents-file|backoff|budgets|delivery|documents|failure|identity|liquid|plain-text|plan|profile|shell-word|slug|souls/(matching|sitemap|text)|tokens|variables)|access/(policy|viewer|visibility)|gateway/session-key)[.]ts$';

const packages = (names) => `node_modules/(${names.join('|')})/`;
const databasePackages = packages(['@electric-sql', '@prisma', 'pg', 'pglite-prisma-adapter']);
const graphqlPackages = packages([
  '@graphql-yoga',
  '@pothos',
  'graphql',
  'graphql-query-complexity',
  'graphql-scalars',
  'graphql-ws',
  'graphql-yoga',
]);

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

const pathOf = (name) => {
  if (name === 'generated') return '^src/generated/(prisma/|pothos-types)';
  return name.endsWith('.ts') ? `^src/${name}$` : `^src/${name}/`;
};

const betweenRooms = Object.entries(rooms).flatMap(([room, allowed]) => [
  rule(
    `room-${room}`,
    `${room} may import: ${allowed.join(', ') || 'no other room'}.`,
    { path: `^src/${room}/` },
    { path: '^src/', pathNot: [...[room, ...allowed].map(pathOf), '^src/(config|log|spans|version)[.]ts$'] },
  ),
  rule(
    `settings-${room}`,
    'Settings and the log come in as arguments: import their types only.',
    { path: `^src/${room}/` },
    { path: '^src/(config|log)[.]ts$', dependencyTypesNot: ['type-only'] },
  ),
]);

export default {
  forbidden: [
    ...betweenRooms,
    rule(
      'pure',
      'Deciding code imports deciding code, types, and what computes; it does no I/O.',
      { path: pure },
      { pathNot: [pure, '^(node:)?(crypto|path)$', 'node_modules/liquidjs/'], dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'schema-and-provisioning',
      'GraphQL knows the types and the pure code of provisioning; what is done goes through fleet.',
      { path: '^src/schema/' },
      { path: '^src/provisioning/', pathNot: pure, dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'database-packages',
      'Only db knows which database this is.',
      { path: '^src/', pathNot: '^src/(db|generated)/' },
      { path: databasePackages },
    ),
    rule(
      'graphql-packages',
      'Only schema and http know GraphQL, and the clients in the demo.',
      { path: '^src/', pathNot: '^src/(schema|http|demo|generated)/|^src/print-schema[.]ts$' },
      { path: graphqlPackages },
    ),
    rule(
      'observability-packages',
      'Rooms count and trace through what they are given and through spans.ts.',
      { path: '^src/', pathNot: '^src/(observability/|spans[.]ts$)' },
      { path: packages(['@opentelemetry', 'prom-client']) },
    ),
    rule(
      'openclaw-packages',
      'Only gateway knows OpenClaw, and the simulator, which plays it.',
      { path: '^src/', pathNot: '^src/(gateway|simulator)/' },
      { path: packages(['@openclaw']) },
    ),
    rule(
      'server',
      'server.ts joins the parts. Only start, the demo, the bench and tests start it.',
      { pathNot: '^(src/start[.]ts$|src/demo/|bench/|test/|examples/)' },
      { path: '^src/server[.]ts$' },
    ),
    rule(
      'demo-and-simulator',
      'The product does not rest on what is there for trying it out. The command line shows the demo’s table.',
      { path: '^src/', pathNot: '^src/(demo|simulator|cli)/' },
      { path: '^src/(demo|simulator)/' },
    ),
    rule(
      'command-line',
      'The operator’s tools are on top of the other rooms, but for GraphQL; nobody rests on them.',
      { path: '^src/cli/' },
      { path: '^src/((schema|http|events|simulator)/|server[.]ts$)' },
    ),
    rule(
      'above-command-line',
      'Only its launcher and tests run the command line.',
      { path: '^src/', pathNot: '^src/cli/' },
      { path: '^src/cli/' },
    ),
    rule(
      'src-stands-alone',
      'Tests and tools import src, never the reverse.',
      { path: '^src/' },
      {
        path: '^(test|bench|examples|prisma)/',
      },
    ),
    rule(
      'no-cycles',
      'Two files that need each other are one file, or three. Types may name each other.',
      {},
      {
        circular: true,
        viaOnly: { dependencyTypesNot: ['type-only'] },
      },
    ),
    rule(
      'resolvable',
      'What is imported exists.',
      { pathNot: '^(src|examples/agents-page)/generated/' },
      { couldNotResolve: true },
    ),
  ],
  required: [
    {
      name: 'rules-are-at-work',
      comment: 'If this import is not seen, no other is: TypeScript could not be read.',
      severity: 'error',
      module: { path: '^src/start[.]ts$' },
      to: { path: '^src/server[.]ts$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/generated/.*/internal/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
