import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { UNREACHABLE } from '../support/callers.ts';
import { CreateTask } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { rawRequest } from '../support/raw-request.ts';

let mc: MissionControl;
let board: { id: string };
let agent: { id: string };

beforeAll(async () => {
  mc = await startMissionControl();
  board = await addBoard(mc.owner, (await addGateway(mc.owner, UNREACHABLE)).id);
  agent = await addAgent(mc.owner, board.id);
});
afterAll(() => mc.stop());

const ask = (body: object | string) => rawRequest(mc.url, { token: ADMIN_TOKEN, body });

/** What no client may be told: how it is made inside. */
const INSIDES = /prisma|postgres|select |relation|node_modules|\.ts\b|\bat .*:\d+|stack|RangeError|TypeError/i;

/** Breaks the server for real while `work` runs: tasks cannot be found where they should be. */
async function withoutTasks(work: () => Promise<void>): Promise<void> {
  await mc.prisma.$executeRawUnsafe('ALTER TABLE "Task" RENAME TO "Mislaid"');
  try {
    await work();
  } finally {
    await mc.prisma.$executeRawUnsafe('ALTER TABLE "Mislaid" RENAME TO "Task"');
  }
}

describe('an unexpected error', () => {
  const masked = (requestId: string | null) => ({
    message: 'Something went wrong here. The server’s log has more, under the request id.',
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  });

  it('of a query tells nothing but the request id, and the rest of the answer is there', () =>
    withoutTasks(async () => {
      const query = `query Q($id: ID!) { viewer { kind } board(id: $id) { name tasks { nodes { id } } } }`;
      const answer = await ask({ query, variables: { id: board.id } });
      expect(answer.status).toBe(200);
      expect(answer.body?.data).toMatchObject({ viewer: { kind: 'OPERATOR' }, board: null });
      expect(answer.body?.errors).toHaveLength(1);
      expect(answer.body?.errors?.[0]).toMatchObject(masked(answer.headers.get('x-request-id')));
      expect(answer.text).not.toMatch(INSIDES);
    }));

  it('of a mutation is no member of its result', () =>
    withoutTasks(async () => {
      const { data, errors } = await mc.owner.ask(CreateTask, { input: { boardId: board.id, title: 'T' } });
      expect(data).toBeNull();
      expect(errors?.[0]).toMatchObject({ path: ['createTask'], extensions: { code: 'INTERNAL_SERVER_ERROR' } });
      expect(JSON.stringify(errors)).not.toMatch(INSIDES);
    }));

  it('over WebSocket and in server-sent events is told alike', () =>
    withoutTasks(async () => {
      const query = `query Q($id: ID!) { task(id: $id) { id } }`;
      const variables = { id: board.id };
      const client = createClient({
        url: `${mc.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      const answer = await new Promise<unknown>((resolve, reject) => {
        client.subscribe({ query, variables }, { next: resolve, error: reject, complete: () => undefined });
      });
      await client.dispose();
      expect(answer).toMatchObject({
        data: { task: null },
        errors: [masked(expect.stringMatching(/^[0-9a-f-]{36}$/))],
      });
      expect(JSON.stringify(answer)).not.toMatch(INSIDES);

      const events = await rawRequest(mc.url, {
        token: ADMIN_TOKEN,
        headers: { Accept: 'text/event-stream' },
        body: { query, variables },
      });
      expect(events.text).toContain('INTERNAL_SERVER_ERROR');
      expect(events.text).toContain(events.headers.get('x-request-id'));
      expect(events.text).not.toMatch(INSIDES);
    }));

  it('leaves nothing broken behind', async () => {
    const { createTask } = await mc.owner.run(CreateTask, { input: { boardId: board.id, title: 'T' } });
    expect(createTask.__typename).toBe('Task');
  });
});

describe('what is wrong with a request is told as it is', () => {
  const find = 'query Q($id: ID!) { agent(id: $id) { id } }';
  it.each<[string, object, RegExp]>([
    ['a syntax error', { query: '{ viewer { ' }, /Syntax Error/],
    ['an unknown field', { query: '{ viewer { knd } }' }, /Cannot query field "knd" on type "Viewer"/],
    ['an unknown argument', { query: '{ agents(limit: 1) { totalCount } }' }, /Unknown argument "limit"/],
    ['a missing selection', { query: '{ viewer }' }, /must have a selection/],
    ['a variable that is missing', { query: find }, /"\$id" of required type "ID!" was not provided/],
    ['a variable of a wrong type', { query: find, variables: { id: {} } }, /"\$id" got invalid value/],
    [
      'an enum value that does not exist',
      { query: '{ agents(filter: { status: [SLEEPING] }) { totalCount } }' },
      /"SLEEPING" does not exist in "AgentStatus"/,
    ],
    [
      'a number that is no 32-bit integer',
      { query: 'query Q($n: Int) { agents(first: $n) { totalCount } }', variables: { n: 2 ** 31 } },
      /"\$n" got invalid value/,
    ],
    [
      'a time that is none',
      {
        query: 'mutation M($input: CreateBoardInput!) { createBoard(input: $input) { __typename } }',
        variables: { input: { gatewayId: 'x', name: 'B', targetDate: 'tomorrow' } },
      },
      /targetDate/,
    ],
    [
      'a field that the input does not have',
      {
        query: 'mutation M($input: CreateTaskInput!) { createTask(input: $input) { __typename } }',
        variables: { input: { boardId: 'x', title: 'T', prioritie: 1 } },
      },
      /"prioritie" is not defined by type "CreateTaskInput"/,
    ],
    ['an operation that is not there', { query: '{ __typename }', operationName: 'Other' }, /Other|operation/],
    ['two operations without a name of one', { query: 'query A { __typename } query B { __typename }' }, /operation/],
    ['no query', {}, /query/],
    ['a query that is no text', { query: 1 }, /query/],
    ['variables that are no object', { query: '{ __typename }', variables: 'x' }, /variables/],
    ['several requests in one', [{ query: '{ __typename }' }], /[Bb]atch/],
  ])('%s', async (_title, body, message) => {
    const answer = await ask(body);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body?.data ?? null).toBeNull();
    expect(answer.body?.errors?.[0]).toMatchObject({
      message: expect.stringMatching(message),
      extensions: { requestId: answer.headers.get('x-request-id') },
    });
    expect(answer.body?.errors?.[0]?.extensions?.code).not.toBe('INTERNAL_SERVER_ERROR');
  });

  it('variables of a GET that are no JSON', async () => {
    const path = `/graphql?query=${encodeURIComponent('{ __typename }')}&variables=%7Bx`;
    const headers = { Accept: 'application/json' };
    const answer = await rawRequest(mc.url, { method: 'GET', path, token: ADMIN_TOKEN, headers });
    expect(answer.body?.errors?.[0]).toMatchObject({ extensions: { code: 'BAD_REQUEST' } });
    expect(answer.text).not.toMatch(INSIDES);
  });

  it('an absurdly deep query, and absurdly deep variables, with the server still there afterwards', async () => {
    const deep = 100_000;
    const query = await ask({ query: '{a'.repeat(deep) + '}'.repeat(deep) });
    const list = '['.repeat(deep) + ']'.repeat(deep);
    const literal = await ask({
      query: `mutation { createBoard(input: { gatewayId: "x", name: "B", successMetrics: ${list} }) { __typename } }`,
    });
    const variables = await ask(
      `{"query":"mutation M($input: CreateBoardInput!) { createBoard(input: $input) { __typename } }",` +
        `"variables":{"input":{"gatewayId":"x","name":"B","successMetrics":${list}}}}`,
    );
    for (const answer of [query, literal, variables]) {
      expect(answer.text).not.toMatch(INSIDES);
      expect(answer.text).toMatch(/ValidationError|errors/);
    }
    expect((await ask({ query: '{ viewer { kind } }' })).body?.data).toEqual({ viewer: { kind: 'OPERATOR' } });
  });
});

describe('a failure that a field without a result tells', () => {
  it('has its code and hint among the errors', async () => {
    const answer = await ask({ query: `{ agent(id: "${agent.id}") { name files { name } } }` });
    expect(answer.body?.errors?.[0]).toMatchObject({
      message: expect.stringMatching(/\w+/),
      path: ['agent', 'files'],
      extensions: {
        code: 'GATEWAY_UNAVAILABLE',
        hint: expect.stringMatching(/\w+/),
        requestId: answer.headers.get('x-request-id'),
      },
    });
  });
});
