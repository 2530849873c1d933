import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operatorToken, UNREACHABLE } from '../support/callers.ts';
import { eventually } from '../support/eventually.ts';
import { addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { sendBytes, statusLineOf } from '../support/raw-bytes.ts';
import { rawRequest } from '../support/raw-request.ts';
import { RawSocket } from '../support/raw-socket.ts';

const WHO = { query: '{ viewer { kind } }' };
const LIVE = { query: 'subscription { gatewayEvents { state } }' };

/** A server whose limits are quickly met, behind a proxy. */
let mc: MissionControl;
beforeAll(async () => {
  mc = await startMissionControl({
    MAX_BODY_BYTES: '2048',
    REQUEST_TIMEOUT_SECONDS: '1',
    MAX_OPERATIONS_PER_CONNECTION: '2',
    MAX_CONNECTIONS_PER_CREDENTIAL: '3',
    REQUESTS_PER_MINUTE: '20',
    FAILED_SIGN_INS_PER_MINUTE: '5',
    TRUST_PROXY: '1',
    INTROSPECTION: 'off',
    SUGGESTIONS: 'off',
    BASE_URL: 'https://mission-control.example.com',
  });
});
afterAll(() => mc.stop());

/** Somebody new, with all requests left. */
const newcomer = () => operatorToken(mc, 'OWNER');
const ask = (token: string | null, body: object = WHO, headers: Record<string, string> = {}) =>
  rawRequest(mc.url, { token, body, headers });

describe('an operation that costs too much', () => {
  const query =
    '{ boards(first: 100) { nodes { agents(first: 100) { nodes { board { tasks(first: 100) { nodes { id } } } } } } } }';
  const refused = {
    message: expect.stringContaining('1030201 objects; it may cost 150000'),
    extensions: { code: 'COST_LIMIT_EXCEEDED', cost: 1_030_201, limit: 150_000, requestId: expect.any(String) },
  };

  it('is refused before the database is asked, over HTTP, in an event stream, and over WebSocket', async () => {
    const token = await newcomer();
    // Whatever reads tasks fails.
    await mc.prisma.$executeRawUnsafe('ALTER TABLE "Task" RENAME TO "Mislaid"');
    try {
      const asJson = await ask(token, { query });
      expect(asJson).toMatchObject({ status: 200, body: { errors: [refused] } });
      const asGraphql = await ask(token, { query }, { Accept: 'application/graphql-response+json' });
      expect(asGraphql).toMatchObject({ status: 400, body: { errors: [refused] } });
      expect(asGraphql.body).not.toHaveProperty('data');
      const events = await ask(token, { query }, { Accept: 'text/event-stream' });
      expect(events.text).toContain('COST_LIMIT_EXCEEDED');

      const socket = await RawSocket.open(mc.url, token);
      await socket.acknowledged();
      socket.subscribe('1', { query });
      expect(await socket.first(({ id }) => id === '1')).toMatchObject({ payload: { errors: [refused] } });
      await socket.close();
    } finally {
      await mc.prisma.$executeRawUnsafe('ALTER TABLE "Mislaid" RENAME TO "Task"');
    }
  });

  it('by its variables only, is refused by them only', async () => {
    const token = await newcomer();
    const sized = `query Q($n: Int) ${query.replaceAll('100', '$n')}`;
    expect((await ask(token, { query: sized, variables: { n: 5 } })).body).toEqual({ data: { boards: { nodes: [] } } });
    expect((await ask(token, { query: sized, variables: { n: 100 } })).body).toMatchObject({ errors: [refused] });
    expect((await ask(token, { query: sized, variables: { n: 5 } })).body).toEqual({ data: { boards: { nodes: [] } } });
  });

  it('is refused as a subscription', async () => {
    const subscription = query.replace('{', 'subscription { gatewayEvents { gateway {').concat('} }');
    const events = await ask(await newcomer(), { query: subscription }, { Accept: 'text/event-stream' });
    expect(events.text).toContain('COST_LIMIT_EXCEEDED');
  });
});

describe('one token', () => {
  it('gets 429 and when to come back after too many requests; another one goes on', async () => {
    const token = await newcomer();
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(token)));
    const refused = answers.filter(({ status }) => status === 429);
    // One comes back every three seconds.
    expect(refused.length).toBeGreaterThanOrEqual(7);
    expect(refused.length).toBeLessThanOrEqual(10);
    expect(refused[0]?.headers.get('retry-after')).toMatch(/^[1-9]$/);
    expect(refused[0]?.body?.errors?.[0]).toMatchObject({
      message: expect.stringMatching(/^This token has sent too many requests\. Try again in \d+ s\.$/),
      extensions: { code: 'TOO_MANY_REQUESTS', retryAfterSeconds: expect.any(Number), requestId: expect.any(String) },
    });
    expect((await ask(await newcomer())).status).toBe(200);
    const socket = await RawSocket.open(mc.url, token);
    expect(await socket.closed).toMatchObject({ code: 4429, reason: expect.stringContaining('Try again in') });
  });

  it('has the operations of its WebSockets counted with its requests; the connection stays', async () => {
    const socket = await RawSocket.open(mc.url, await newcomer());
    await socket.acknowledged();
    for (let index = 1; index <= 20; index++) {
      socket.subscribe(String(index), WHO);
      await socket.first(({ id, type }) => id === String(index) && type !== 'next');
    }
    expect(socket.messages.filter(({ type }) => type === 'next').length).toBeGreaterThanOrEqual(19);
    const refused = await socket.first(({ type }) => type === 'error');
    expect(refused.payload).toMatchObject([{ extensions: { code: 'TOO_MANY_REQUESTS' } }]);
    expect(JSON.stringify(refused)).not.toContain('"http"');
    await socket.close();
  });

  it('may have so many connections open, WebSockets and event streams together', async () => {
    const token = await newcomer();
    const sockets = await Promise.all([RawSocket.open(mc.url, token), RawSocket.open(mc.url, token)]);
    await Promise.all(sockets.map((socket) => socket.acknowledged()));
    const ending = new AbortController();
    const stream = (signal?: AbortSignal) =>
      fetch(`${mc.url}/graphql`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          Accept: 'text/event-stream',
        },
        body: JSON.stringify(LIVE),
        ...(signal && { signal }),
      });
    const open = await stream(ending.signal);
    expect(open.status).toBe(200);
    const refused = await stream();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain('TOO_MANY_CONNECTIONS');
    const socket = await RawSocket.open(mc.url, token);
    expect(await socket.closed).toMatchObject({ code: 4429, reason: expect.stringContaining('3 connections open') });
    // A query is no connection that stays.
    expect((await ask(token)).status).toBe(200);

    ending.abort();
    await eventually(
      async () => {
        const again = await RawSocket.open(mc.url, token);
        const came = await Promise.race([
          again.acknowledged().then(
            () => 'open',
            () => 'closed',
          ),
          again.closed.then(() => 'closed'),
        ]);
        if (came === 'open') sockets.push(again);
        return came;
      },
      (came) => came === 'open',
      10_000,
      500,
    );
    await Promise.all(sockets.map((each) => each.close()));
  });

  it('may have so many operations on one WebSocket at the same time', async () => {
    const socket = await RawSocket.open(mc.url, await newcomer());
    await socket.acknowledged();
    for (const id of ['1', '2', '3']) socket.subscribe(id, LIVE);
    expect(await socket.first(({ type }) => type === 'error')).toMatchObject({
      id: '3',
      payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS', limit: 2 } }],
    });
    socket.send({ id: '1', type: 'complete' });
    socket.subscribe('4', WHO);
    expect(await socket.first(({ id }) => id === '4')).toMatchObject({ payload: { data: { viewer: {} } } });
    await socket.close();
  });
});

describe('wrong tokens', () => {
  it('get no answer any more after too many of one address; who is known there goes on', async () => {
    const from = (address: string) => ({ 'X-Forwarded-For': `10.9.9.9, ${address}` });
    const known = await newcomer();
    expect((await ask(known, WHO, from('192.0.2.1'))).status).toBe(200);
    const statuses: number[] = [];
    for (let index = 0; index < 7; index++) statuses.push((await ask(`wrong-${index}`, WHO, from('192.0.2.1'))).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
    const refused = await ask('wrong', WHO, from('192.0.2.1'));
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.body?.errors?.[0]?.message).toMatch(/^This address has sent too many wrong tokens\./);

    // Not even a good one that is new here is told from the wrong ones.
    const fresh = await newcomer();
    expect((await ask(fresh, WHO, from('192.0.2.1'))).status).toBe(429);
    const socket = await RawSocket.open(mc.url, fresh, from('192.0.2.1'));
    expect(await socket.closed).toMatchObject({ code: 4429, reason: expect.stringContaining('wrong tokens') });
    expect((await ask(known, WHO, from('192.0.2.1'))).status).toBe(200);
    expect((await ask(fresh, WHO, from('192.0.2.2'))).status).toBe(200);
    // What a caller writes before the proxy's entry is no way around it.
    const disguised = { 'X-Forwarded-For': '192.0.2.77, 192.0.2.1' };
    expect((await ask('wrong', WHO, disguised)).status).toBe(429);
  });
});

describe('settings that tell less', () => {
  it('INTROSPECTION=off: the schema is not shown; GraphiQL opens all the same', async () => {
    const token = await newcomer();
    for (const query of [
      getIntrospectionQuery().replace(/\s+/g, ' ').slice(0, 2_000),
      '{ __type(name: "Agent") { name } }',
    ])
      expect((await ask(token, { query })).body?.errors?.[0]?.message).toMatch(
        /introspection has been disabled|Syntax/,
      );
    expect((await ask(token, { query: '{ __typename }' })).body).toEqual({ data: { __typename: 'Query' } });
    const page = await rawRequest(mc.url, { method: 'GET', headers: { Accept: 'text/html' } });
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('GraphiQL') });
  });

  it.each([
    ['a field', { query: '{ viewer { knd } }' }, 'Cannot query field "knd" on type "Viewer".'],
    ['a type', { query: '{ node(id: 1) { ... on Agnt { id } } }' }, 'Unknown type "Agnt".'],
    [
      'a field of a variable',
      {
        query: 'mutation M($i: CreateTaskInput!) { createTask(input: $i) { __typename } }',
        variables: { i: { boardId: 'x', title: 'x', titel: 'x' } },
      },
      expect.stringMatching(/Field "titel" is not defined by type "CreateTaskInput"\.$/),
    ],
  ])('SUGGESTIONS=off: no name is told for %s that is not there', async (_title, body, message) => {
    const answer = await ask(await newcomer(), body);
    expect(answer.body?.errors?.map((error) => error.message)).toEqual([message]);
    const socket = await RawSocket.open(mc.url, await newcomer());
    await socket.acknowledged();
    socket.subscribe('1', body);
    expect(JSON.stringify(await socket.first(({ id }) => id === '1'))).not.toContain('Did you mean');
    await socket.close();
  });
});

describe('what is large or slow', () => {
  it('a body, and a message, of more than MAX_BODY_BYTES', async () => {
    const token = await newcomer();
    const query = `{ viewer { kind } } # ${'x'.repeat(2_048)}`;
    expect(await ask(token, { query })).toMatchObject({ status: 413, text: expect.stringContaining('2048 bytes') });
    const socket = await RawSocket.open(mc.url, token);
    await socket.acknowledged();
    socket.subscribe('1', { query });
    expect((await socket.closed).code).toBe(1009);
  });

  it('a request that does not get on is ended; an event stream that waits is not', async () => {
    const token = await newcomer();
    const stream = await fetch(`${mc.url}/graphql`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify(LIVE),
    });
    const head = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\n`;
    const silent = new RawSocket(mc.url);
    const [slowBody, slowHeaders, nothing, uninitialised] = await Promise.all([
      statusLineOf(sendBytes(mc.url, `${head}Content-Length: 500\r\n\r\n{"query":`)),
      statusLineOf(sendBytes(mc.url, head)),
      statusLineOf(sendBytes(mc.url, '')),
      silent.closed,
    ]);
    for (const answer of [slowBody, slowHeaders, nothing]) expect(answer).toBe('HTTP/1.1 408 Request Timeout');
    expect(uninitialised.code).toBe(4408);

    const reader = stream.body?.getReader();
    await addGateway(mc.as(token), UNREACHABLE);
    let text = '';
    while (!text.includes('"gatewayEvents"')) text += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
  });
});

it('a BASE_URL of https is told to browsers for a year', async () => {
  const answer = await rawRequest(mc.url, { method: 'GET', path: '/healthz' });
  expect(answer.headers.get('strict-transport-security')).toBe('max-age=31536000');
});
