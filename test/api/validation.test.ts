import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { UNREACHABLE } from '../support/callers.ts';
import type { Client } from '../support/client.ts';
import {
  AdoptAgent,
  CreateAgent,
  CreateBoard,
  CreateGateway,
  CreateTask,
  Heartbeat,
  UpdateTask,
} from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { storedFleet } from '../support/stored.ts';
import { SendAgentMessage } from './documents.ts';

const ChangeBoard = graphql(`
  mutation ChangeBoard($input: UpdateBoardInput!) {
    updateBoard(input: $input) {
      __typename
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);
const MakeToken = graphql(`
  mutation MakeToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      __typename
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

let mc: MissionControl;
const ids = { gateway: '', board: '', agent: '', task: '' };
let before: Awaited<ReturnType<typeof storedFleet>>;

beforeAll(async () => {
  mc = await startMissionControl();
  ids.gateway = (await addGateway(mc.owner, UNREACHABLE)).id;
  ids.board = (await addBoard(mc.owner, ids.gateway)).id;
  ids.agent = (await addAgent(mc.owner, ids.board)).id;
  const { createTask } = await mc.owner.run(CreateTask, { input: { boardId: ids.board, title: 'Untouched' } });
  ids.task = createTask.__typename === 'Task' ? createTask.id : expect.fail(JSON.stringify(createTask));
  before = await storedFleet(mc);
});
afterAll(() => mc.stop());

/** By path what the problem's sentence says; or the type of the error, when it is about no field. */
type Expected = Record<string, RegExp> | 'NotFoundError';
type Row = [title: string, change: Record<string, unknown>, expected: Expected];

const NUL = '\u0000';
const LONE_SURROGATE = '\ud800';
const LONG = 'x'.repeat(81);
const NO_UUID = 'not-a-uuid';
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

/** What a name, or another text of one line, must not be. */
function badLines(field: string, longest = 80, path = field): Row[] {
  const at = `input.${path}`;
  const row = (value: string, problem: RegExp): [Record<string, unknown>, Expected] => [
    field.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>,
    { [at]: problem },
  ];
  return [
    [`${path} that is empty`, ...row('', /must not be empty/)],
    [`${path} of blanks`, ...row(' \t\u00a0 ', /must not be empty/)],
    [`${path} that is too long`, ...row('x'.repeat(longest + 1), new RegExp(`at most ${longest} characters`))],
    [`${path} with NUL`, ...row(`a${NUL}b`, /control characters/)],
    [`${path} with an escape character`, ...row('a\u001b[31mb', /control characters/)],
    [`${path} of two lines`, ...row('a\nb', /one line/)],
    [`${path} with a line separator`, ...row('a\u2028b', /one line/)],
    [`${path} with a lone surrogate`, ...row(`a${LONE_SURROGATE}b`, /valid Unicode/)],
  ];
}

function badTexts(field: string, longest: number): Row[] {
  const at = `input.${field}`;
  return [
    [`${field} with NUL`, { [field]: `a${NUL}` }, { [at]: /control characters/ }],
    [`${field} with a bell`, { [field]: 'a\u0007' }, { [at]: /control characters/ }],
    [`${field} with a lone surrogate`, { [field]: `${LONE_SURROGATE}a` }, { [at]: /valid Unicode/ }],
    [`${field} that is too long`, { [field]: 'x'.repeat(longest + 1) }, { [at]: /at most \d+ characters/ }],
  ];
}

/** For ids of other objects: what is none, and what belongs to nothing. */
function unknownIds(field: string): Row[] {
  return [
    [`${field} that is no UUID`, { [field]: NO_UUID }, 'NotFoundError'],
    [`${field} that is empty`, { [field]: '' }, 'NotFoundError'],
    [`${field} with NUL`, { [field]: NUL }, 'NotFoundError'],
    [`${field} with a quote`, { [field]: "'; DROP TABLE x; --" }, 'NotFoundError'],
    [`${field} that belongs to nothing`, { [field]: '01980000-0000-7000-8000-000000000000' }, 'NotFoundError'],
  ];
}

/** The year 10000 in UTC, which PostgreSQL has and a date of this API has not. */
const beyondYear9999 = (field: string): Row[] =>
  ['9999-12-31T23:59:59-01:00', '9999-12-31T23:59:59.999-00:01'].map((at) => [
    `${field} ${at}`,
    { [field]: at },
    { [`input.${field}`]: /must be in the year 9999 or earlier, in UTC/ },
  ]);

const ownId: Row[] = [
  ['id that is no UUID', { id: NO_UUID }, { 'input.id': /must be a UUID/ }],
  ['id with NUL', { id: NUL }, { 'input.id': /must be a UUID/ }],
];

const badProfiles: Row[] = [
  ['a role of two lines', { identityProfile: { role: 'a\nb' } }, { 'input.identityProfile.role': /one line/ }],
  [
    'several entries that are wrong',
    { identityProfile: { expertise: ['Linux', '', `${NUL}`], emoji: 'x'.repeat(17) } },
    {
      'input.identityProfile.expertise.1': /must not be empty/,
      'input.identityProfile.expertise.2': /control characters/,
      'input.identityProfile.emoji': /at most 16/,
    },
  ],
  [
    'too many entries',
    { identityProfile: { constraints: Array(51).fill('Be kind') } },
    { 'input.identityProfile.constraints': /at most 50/ },
  ],
  ['extra that is a list', { identityProfile: { extra: [1] } }, { 'input.identityProfile.extra': /JSON object/ }],
  ['extra that is a text', { identityProfile: { extra: 'x' } }, { 'input.identityProfile.extra': /JSON object/ }],
  [
    'extra too deep',
    { identityProfile: { extra: { a: nested(5) } } },
    { 'input.identityProfile.extra': /levels deep/ },
  ],
  [
    'extra too large',
    { identityProfile: { extra: { a: 'x'.repeat(10_001) } } },
    { 'input.identityProfile.extra': /10000 characters as JSON/ },
  ],
  ['extra with NUL in a value', { identityProfile: { extra: { a: NUL } } }, { 'input.identityProfile.extra': /NUL/ }],
  ['extra with NUL in a key', { identityProfile: { extra: { [NUL]: 1 } } }, { 'input.identityProfile.extra': /NUL/ }],
  [
    'extra with a lone surrogate',
    { identityProfile: { extra: { a: [LONE_SURROGATE] } } },
    { 'input.identityProfile.extra': /valid Unicode/ },
  ],
];

interface Mutation {
  /** The input that would be taken, but for the row's change. */
  good: () => object;
  send: (client: Client, input: never) => Promise<object>;
  rows: Row[];
}

const templates = (field: 'identityTemplate' | 'soulTemplate'): Row[] => [
  [`${field} that is not closed`, { [field]: 'a\n{% if x %}' }, { [`input.${field}`]: /line 2/i }],
  [
    `${field} with an unknown variable`,
    { [field]: 'a\nb\n{{ agent_nam }}' },
    { [`input.${field}`]: /line 3.*agent_nam/is },
  ],
  [
    `${field} with an unknown filter`,
    { [field]: '{{ agent_name | shout }}' },
    { [`input.${field}`]: /line 1.*shout/is },
  ],
  [`${field} that reads a file`, { [field]: '{% include "/etc/passwd" %}' }, { [`input.${field}`]: /line 1/i }],
  [
    `${field} that never ends`,
    { [field]: '{% for i in (1..1000000000) %}x{% endfor %}' },
    { [`input.${field}`]: /too much text|too long/ },
  ],
  ...badTexts(field, 50_000),
];

const mutations: Record<string, Mutation> = {
  createGateway: {
    good: () => ({ name: 'Fine', url: 'ws://127.0.0.1:1', workspaceRoot: '/srv/agents' }),
    send: async (client, input) => (await client.run(CreateGateway, { input })).createGateway,
    rows: [
      ...ownId,
      ...badLines('name'),
      ...badLines('workspaceRoot', 500),
      ['url that is none', { url: 'gateway' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url that is empty', { url: '' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url with http', { url: 'http://127.0.0.1:1' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url without slashes', { url: 'ws:127.0.0.1' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url with backslashes', { url: 'ws:\\\\127.0.0.1' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url with a port that is none', { url: 'ws://127.0.0.1:65536' }, { 'input.url': /ws:\/\/ or wss:\/\// }],
      ['url with credentials', { url: 'wss://me:secret@example.com' }, { 'input.url': /credentials/ }],
      ['url with a user', { url: 'wss://me@example.com' }, { 'input.url': /credentials/ }],
      ['url with a fragment', { url: 'wss://example.com/#token=x' }, { 'input.url': /fragment/ }],
      ['url with NUL', { url: `ws://127.0.0.1/${NUL}` }, { 'input.url': /ws:\/\/ or wss:\/\/|control/ }],
      ['url of two lines', { url: 'ws://127.0.0.1/a\nb' }, { 'input.url': /control/ }],
      ['url with a lone surrogate', { url: `ws://127.0.0.1/${LONE_SURROGATE}` }, { 'input.url': /Unicode/ }],
      ['url that is too long', { url: `ws://127.0.0.1/${'x'.repeat(500)}` }, { 'input.url': /at most 500/ }],
      ['token that is empty', { token: '' }, { 'input.token': /must not be empty/ }],
      ['token that is too long', { token: 'x'.repeat(4_001) }, { 'input.token': /at most 4000 characters/ }],
      ['workspace root that is relative', { workspaceRoot: 'agents' }, { 'input.workspaceRoot': /absolute/ }],
      ['workspace root with dots', { workspaceRoot: './agents' }, { 'input.workspaceRoot': /absolute/ }],
      [
        'workspace root with a variable of the environment',
        { workspaceRoot: `/srv/\${HOME}` },
        { 'input.workspaceRoot': /must not have \$\{/ },
      ],
      ['fingerprint that is too short', { tlsFingerprint: 'ab:cd' }, { 'input.tlsFingerprint': /SHA-256/ }],
      ['fingerprint that is no hex', { tlsFingerprint: 'z'.repeat(64) }, { 'input.tlsFingerprint': /SHA-256/ }],
      [
        'everything wrong at once',
        { id: '1', name: '', url: 'x', token: '', workspaceRoot: 'x', tlsFingerprint: '' },
        {
          'input.id': /UUID/,
          'input.name': /empty/,
          'input.url': /wss/,
          'input.token': /empty/,
          'input.workspaceRoot': /absolute/,
          'input.tlsFingerprint': /SHA-256/,
        },
      ],
    ],
  },

  createBoard: {
    good: () => ({ gatewayId: ids.gateway, name: 'Fine' }),
    send: async (client, input) => (await client.run(CreateBoard, { input })).createBoard,
    rows: [
      ...ownId,
      ...badLines('name'),
      ...badLines('boardType', 40),
      ...badTexts('description', 10_000),
      ...badTexts('objective', 10_000),
      ...unknownIds('gatewayId'),
      ...['', 'Upper', 'two words', '-x', 'x-', 'a--b', 'ä', 'a_b', `a${NUL}`, LONE_SURROGATE].map(
        (slug): Row => [`slug ${JSON.stringify(slug)}`, { slug }, { 'input.slug': /lower-case letters and digits/ }],
      ),
      ['slug that is too long', { slug: LONG }, { 'input.slug': /at most 80/ }],
      ['maxAgents below 0', { maxAgents: -1 }, { 'input.maxAgents': /negative/ }],
      ['maxAgents above 1000', { maxAgents: 1_001 }, { 'input.maxAgents': /at most 1000/ }],
      ['successMetrics too deep', { successMetrics: nested(11) }, { 'input.successMetrics': /levels deep/ }],
      ['successMetrics far too deep', { successMetrics: nested(500) }, { 'input.successMetrics': /levels deep/ }],
      [
        'successMetrics too large',
        { successMetrics: 'x'.repeat(20_001) },
        { 'input.successMetrics': /20000 characters/ },
      ],
      ['successMetrics with NUL', { successMetrics: { a: [`${NUL}`] } }, { 'input.successMetrics': /NUL/ }],
      [
        'successMetrics with a lone surrogate in a key',
        { successMetrics: { [LONE_SURROGATE]: 1 } },
        { 'input.successMetrics': /valid Unicode/ },
      ],
      ['targetDate in the year 0', { targetDate: '0000-01-01T00:00:00Z' }, { 'input.targetDate': /year/ }],
      ...beyondYear9999('targetDate'),
      ['a lead without a name', { lead: { name: '' } }, { 'input.lead.name': /must not be empty/ }],
      ['a lead with a long name', { lead: { name: LONG } }, { 'input.lead.name': /at most 80/ }],
      [
        'a lead with a wrong profile',
        { lead: { identityProfile: { tone: '\u0000' } } },
        { 'input.lead.identityProfile.tone': /control/ },
      ],
      [
        'several things at once',
        { name: LONG, slug: 'A B', maxAgents: -1, lead: { name: '' } },
        { 'input.name': /80/, 'input.slug': /hyphens/, 'input.maxAgents': /negative/, 'input.lead.name': /empty/ },
      ],
    ],
  },

  updateBoard: {
    good: () => ({ id: ids.board, name: 'Fine' }),
    send: async (client, input) => (await client.run(ChangeBoard, { input })).updateBoard,
    rows: [
      ...badLines('name'),
      ...unknownIds('id'),
      ['targetDate in the year 0', { targetDate: '0000-01-01T00:00:00Z' }, { 'input.targetDate': /year/ }],
      ...beyondYear9999('targetDate'),
    ],
  },

  createApiToken: {
    good: () => ({ name: 'Fine', role: 'VIEWER' }),
    send: async (client, input) => (await client.run(MakeToken, { input })).createApiToken,
    rows: [...badLines('name'), ...beyondYear9999('expiresAt')],
  },

  adoptAgent: {
    good: () => ({ gatewayId: ids.gateway, openclawAgentId: 'fine', boardId: ids.board }),
    send: async (client, input) => (await client.run(AdoptAgent, { input })).adoptAgent,
    rows: [
      ...badLines('openclawAgentId', 200),
      ...badLines('name'),
      ...unknownIds('gatewayId'),
      ...unknownIds('boardId'),
    ],
  },

  createAgent: {
    good: () => ({ boardId: ids.board, name: 'Fine' }),
    send: async (client, input) => (await client.run(CreateAgent, { input })).createAgent,
    rows: [
      ...ownId,
      ...badLines('name'),
      ...unknownIds('boardId'),
      ...badProfiles,
      ...templates('identityTemplate'),
      ...templates('soulTemplate'),
      ['no board', { boardId: null }, { 'input.boardId': /is required/ }],
      [
        'an interval of 29',
        { heartbeat: { intervalSeconds: 29 } },
        { 'input.heartbeat.intervalSeconds': /at least 30/ },
      ],
      ['an interval of 0', { heartbeat: { intervalSeconds: 0 } }, { 'input.heartbeat.intervalSeconds': /at least 30/ }],
      [
        'an interval of 86401',
        { heartbeat: { intervalSeconds: 86_401 } },
        { 'input.heartbeat.intervalSeconds': /at most 86400/ },
      ],
      [
        'several things at once',
        { name: LONG, heartbeat: { intervalSeconds: 1 }, identityProfile: { workingHours: 'x'.repeat(201) } },
        {
          'input.name': /80/,
          'input.heartbeat.intervalSeconds': /30/,
          'input.identityProfile.workingHours': /at most 200/,
        },
      ],
      [
        'both templates',
        { identityTemplate: '{{ x }}', soulTemplate: '{% x %}' },
        { 'input.identityTemplate': /line 1/i, 'input.soulTemplate': /line 1/i },
      ],
    ],
  },

  createTask: {
    good: () => ({ boardId: ids.board, title: 'Fine' }),
    send: async (client, input) => (await client.run(CreateTask, { input })).createTask,
    rows: [
      ...ownId,
      ...badLines('title', 200),
      ...badTexts('description', 20_000),
      ...unknownIds('boardId'),
      ...unknownIds('assigneeId'),
      [
        'several things at once',
        { id: 'x', title: '', description: NUL },
        { 'input.id': /UUID/, 'input.title': /empty/, 'input.description': /control/ },
      ],
    ],
  },

  updateTask: {
    good: () => ({ id: ids.task, title: 'Changed', description: 'Changed', status: 'DONE' }),
    send: async (client, input) => (await client.run(UpdateTask, { input })).updateTask,
    rows: [
      ...badLines('title', 200),
      ...badTexts('description', 20_000),
      ...unknownIds('id'),
      ...unknownIds('assigneeId'),
      [
        'title and description',
        { title: '', description: NUL },
        { 'input.title': /empty/, 'input.description': /con/ },
      ],
    ],
  },

  heartbeat: {
    good: () => ({ id: ids.agent, status: 'ACTIVE', currentTaskId: ids.task }),
    send: async (client, input) => (await client.run(Heartbeat, { input })).heartbeat,
    rows: [
      ...unknownIds('id'),
      ...unknownIds('currentTaskId'),
      ['no id, from an operator', { id: null }, { 'input.id': /is required/ }],
      ...['PROVISIONING', 'READY', 'PAUSED', 'DELETED'].map(
        (status): Row => [`the status ${status}`, { status }, { 'input.status': /must be ACTIVE or IDLE/ }],
      ),
    ],
  },

  sendAgentMessage: {
    good: () => ({ id: ids.agent, message: 'Hello' }),
    send: async (client, input) => (await client.run(SendAgentMessage, { input })).sendAgentMessage,
    rows: [
      ...unknownIds('id'),
      ...badTexts('message', 20_000),
      ['message that is empty', { message: '' }, { 'input.message': /must not be empty/ }],
      ['message of blanks', { message: ' \n\t' }, { 'input.message': /must not be empty/ }],
      ['key that is empty', { idempotencyKey: '' }, { 'input.idempotencyKey': /must not be empty/ }],
      ['key that is too long', { idempotencyKey: 'x'.repeat(201) }, { 'input.idempotencyKey': /at most 200/ }],
    ],
  },
};

for (const [name, { good, send, rows }] of Object.entries(mutations)) {
  describe(`${name} refuses`, () => {
    it.each(rows)('%s', async (_title, change, expected) => {
      const result = await send(mc.owner, { ...good(), ...change } as never);
      if (expected === 'NotFoundError') {
        expect(result).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
        return;
      }
      expect(result).toMatchObject({ __typename: 'ValidationError', code: 'VALIDATION' });
      const { fields, message } = result as { fields: { path: string; message: string }[]; message: string };
      expect([...new Set(fields.map((field) => field.path))].sort()).toEqual(Object.keys(expected).sort());
      for (const field of fields) expect(message).toContain(`${field.path} ${field.message}`);
      for (const [path, problem] of Object.entries(expected))
        expect(fields.filter((field) => field.path === path).map((field) => field.message)).toContainEqual(
          expect.stringMatching(problem),
        );
    });

    it('and has changed nothing', async () => {
      expect(await storedFleet(mc)).toEqual(before);
    });
  });
}

describe('what has odd but sensible characters is taken as it is', () => {
  it.each([
    '80 characters: '.padEnd(80, 'x'),
    '👩‍🚀 Ada',
    'שלום',
    'O\'Brien; DROP TABLE "Agent"; --',
    '{{ agent_name }}',
    '%_\\',
  ])('a name like %s', async (name) => {
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId: ids.board, name: `  ${name} ` } });
    expect(createAgent).toMatchObject({ __typename: 'Agent', name });
  });

  it('JSON that speaks of an escape', async () => {
    const successMetrics = { '\\u0000': ['\\ud800', '\\\\'], list: [[[[[[[[[1]]]]]]]]] };
    const { createBoard } = await mc.owner.run(CreateBoard, {
      input: { gatewayId: ids.gateway, name: 'Escapes', successMetrics },
    });
    if (createBoard.__typename !== 'Board') expect.fail(JSON.stringify(createBoard));
    const stored = await mc.prisma.board.findUniqueOrThrow({ where: { id: createBoard.id } });
    expect(stored.successMetrics).toEqual(successMetrics);
  });

  it('a description of several lines with tabs', async () => {
    const description = 'One\r\n\tTwo 👩‍🚀\n';
    const { updateTask } = await mc.owner.run(UpdateTask, { input: { id: ids.task, description } });
    expect(updateTask).toMatchObject({ __typename: 'Task', description, title: 'Untouched' });
  });
});
