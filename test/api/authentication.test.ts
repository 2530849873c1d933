import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { agentToken, operatorToken, UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, DeleteAgent } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { rawRequest } from '../support/raw-request.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { WhoAmI } from './documents.ts';

let mc: MissionControl;
let boardId: string;
let worker: { id: string; token: string };

beforeAll(async () => {
  mc = await startMissionControl();
  const gateway = await addGateway(mc.owner, UNREACHABLE);
  boardId = (await addBoard(mc.owner, gateway.id)).id;
  const { id } = await addAgent(mc.owner, boardId);
  worker = { id, token: await agentToken(mc, id) };
});
afterAll(() => mc.stop());

const WHO = '{ viewer { kind agent { id } } }';

describe('who is let in', () => {
  it('is an operator with its token, and the answer says with which role', async () => {
    const { viewer } = await mc.owner.run(WhoAmI);
    expect(viewer).toMatchObject({ kind: 'OPERATOR', role: 'OWNER', agent: null, organization: { name: 'Default' } });
  });

  it.each([
    ['X-Agent-Token', (token: string) => ({ 'X-Agent-Token': token })],
    ['Authorization', (token: string) => ({ Authorization: `Bearer ${token}` })],
    ['Authorization with the scheme in other case', (token: string) => ({ authorization: `bearer ${token}` })],
    ['both headers', (token: string) => ({ 'X-Agent-Token': token, Authorization: `Bearer ${token}` })],
  ])('is an agent with its token in %s', async (_title, headersOf) => {
    const { status, body } = await rawRequest(mc.url, { headers: headersOf(worker.token), body: { query: WHO } });
    expect(status).toBe(200);
    expect(body?.data).toEqual({ viewer: { kind: 'AGENT', agent: { id: worker.id } } });
  });

  it('is nobody with a token that has expired, and an operator with one that will', async () => {
    const past = await operatorToken(mc, 'OWNER', { expiresAt: new Date(Date.now() - 1) });
    const future = await operatorToken(mc, 'OWNER', { expiresAt: new Date(Date.now() + 60_000) });
    expect((await mc.as(past).ask(WhoAmI)).status).toBe(401);
    expect((await mc.as(future).ask(WhoAmI)).status).toBe(200);
  });

  it('is no longer an agent from the moment its deletion was asked for', async () => {
    const { id } = await addAgent(mc.owner, boardId, 'Short-lived');
    const client = mc.as(await agentToken(mc, id));
    expect((await client.ask(WhoAmI)).status).toBe(200);
    await mc.owner.run(DeleteAgent, { id });
    expect((await client.ask(WhoAmI)).status).toBe(401);
  });
});

describe('without a valid token, over HTTP', () => {
  const credentials: [string, Record<string, string>][] = [
    ['no header', {}],
    ['an operator token that does not exist', { Authorization: `Bearer mco_${'x'.repeat(43)}` }],
    ['an agent token that does not exist', { 'X-Agent-Token': `mca_${'x'.repeat(43)}` }],
    ['an empty bearer token', { Authorization: 'Bearer ' }],
    ['no scheme', { Authorization: ADMIN_TOKEN }],
    ['another scheme', { Authorization: `Basic ${Buffer.from(`admin:${ADMIN_TOKEN}`).toString('base64')}` }],
    ['two tokens in one header', { Authorization: `Bearer ${ADMIN_TOKEN} ${ADMIN_TOKEN}` }],
    ['the token and something behind it', { Authorization: `Bearer ${ADMIN_TOKEN}x` }],
    ['an operator’s token as an agent’s, and wrong', { 'X-Agent-Token': 'wrong' }],
    ['an empty agent token', { 'X-Agent-Token': '' }],
  ];
  const bodies: [string, string][] = [
    ['a query', JSON.stringify({ query: WHO })],
    ['a query with a syntax error', JSON.stringify({ query: '{ viewer { ' })],
    ['an unknown field', JSON.stringify({ query: '{ viewr { kind } }' })],
    ['introspection', JSON.stringify({ query: '{ __schema { types { name } } }' })],
    ['a mutation', JSON.stringify({ query: 'mutation { deleteAgent(id: "x") { __typename } }' })],
    ['a subscription', JSON.stringify({ query: 'subscription { agentEvents { type } }' })],
    ['no query', '{}'],
    ['no JSON', '{'],
  ];

  it.each(credentials.flatMap(([who, headers]) => bodies.map(([what, body]) => ({ who, headers, what, body }))))(
    'nothing is told: $who, $what',
    async ({ headers, body }) => {
      const answer = await rawRequest(mc.url, { headers, body });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(answer.body).toEqual({
        errors: [
          {
            message: 'This needs a valid token: Authorization: Bearer … (operators) or X-Agent-Token (agents).',
            extensions: { code: 'UNAUTHENTICATED', requestId: answer.headers.get('x-request-id') },
          },
        ],
      });
    },
  );

  it('nothing is told by GET either, nor by server-sent events', async () => {
    const path = `/graphql?query=${encodeURIComponent('{ __typename }')}`;
    const get = await rawRequest(mc.url, { method: 'GET', path, headers: { Accept: 'application/json' } });
    expect(get.status).toBe(401);
    const events = await rawRequest(mc.url, {
      headers: { Accept: 'text/event-stream' },
      body: { query: 'subscription { agentEvents { type } }' },
    });
    expect(events.status).toBe(401);
    expect(events.text).toContain('UNAUTHENTICATED');
  });
});

describe('over WebSocket', () => {
  /** Asks who it is; the close code when it is not let in. */
  function whoOver(connectionParams: Record<string, unknown> | undefined) {
    const client = createClient({
      url: `${mc.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      lazyCloseTimeout: 0,
      ...(connectionParams && { connectionParams }),
    });
    return new Promise<{ answer?: unknown; closeCode?: number; reason?: string }>((resolve) => {
      client.subscribe(
        { query: WHO },
        {
          next: ({ data }) => resolve({ answer: data }),
          error: (event) => {
            const { code: closeCode, reason } = event as { code: number; reason: string };
            resolve({ closeCode, reason });
          },
          complete: () => undefined,
        },
      );
    }).finally(() => client.dispose());
  }

  it.each<[string, () => Record<string, unknown> | undefined]>([
    ['no connectionParams', () => undefined],
    ['empty connectionParams', () => ({})],
    ['a wrong operator token', () => ({ Authorization: 'Bearer wrong' })],
    ['a wrong agent token', () => ({ agentToken: 'mca_wrong' })],
    ['a token without scheme', () => ({ Authorization: ADMIN_TOKEN })],
    ['a token that is no text', () => ({ Authorization: { token: ADMIN_TOKEN } })],
  ])('closes with 4401 and nothing more for %s', async (_title, params) => {
    expect(await whoOver(params())).toEqual({ closeCode: 4401, reason: 'UNAUTHENTICATED' });
  });

  it.each<[string, () => Record<string, unknown>, string]>([
    ['an operator in Authorization', () => ({ Authorization: `Bearer ${ADMIN_TOKEN}` }), 'OPERATOR'],
    ['an operator in lower-case authorization', () => ({ authorization: `Bearer ${ADMIN_TOKEN}` }), 'OPERATOR'],
    ['an agent in Authorization', () => ({ Authorization: `Bearer ${worker.token}` }), 'AGENT'],
    ['an agent in agentToken', () => ({ agentToken: worker.token }), 'AGENT'],
  ])('lets in %s', async (_title, params, kind) => {
    expect((await whoOver(params())).answer).toMatchObject({ viewer: { kind } });
  });

  it('closes with 1013, after which clients come again, while the database cannot say who it is', async () => {
    const token = await operatorToken(mc, 'VIEWER');
    await mc.prisma.$executeRaw`ALTER TABLE "ApiToken" RENAME TO "ApiTokenThatIsAway"`;
    const refused = await RawSocket.open(mc.url, token);
    const { code, reason } = await refused.closed;
    await mc.prisma.$executeRaw`ALTER TABLE "ApiTokenThatIsAway" RENAME TO "ApiToken"`;
    expect({ code, reason }).toEqual({ code: 1013, reason: 'The token cannot be looked up now.' });
    expect(refused.messages).toEqual([]);
    const again = await RawSocket.open(mc.url, token);
    await again.acknowledged();
    await again.close();
  });

  it('does not take a subscription before the connection was authenticated', async () => {
    const socket = new WebSocket(`${mc.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    socket.once('open', () => socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: WHO } })));
    const closeCode = await new Promise((resolve) => socket.once('close', resolve));
    expect(closeCode).toBe(4401);
  });
});

describe('server-sent events', () => {
  it('bring a subscription’s events to a caller with a token', async () => {
    const stop = new AbortController();
    const response = await fetch(`${mc.url}/graphql`, {
      method: 'POST',
      signal: stop.signal,
      headers: {
        Accept: 'text/event-stream',
        'Content-Type': 'application/json',
        Authorization: `Bearer ${ADMIN_TOKEN}`,
      },
      body: JSON.stringify({
        query: AgentEvents.toString(),
        variables: { filter: { types: ['CREATED'] } },
      }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const { id } = await addAgent(mc.owner, boardId, 'Seen over SSE');
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('event: next')) break;
    }
    expect(text).toContain('"type":"CREATED"');
    expect(text).toContain(id);
    stop.abort();
  });
});

describe('the request id', () => {
  it.each<[string, object | string, number]>([
    ['a query that works', { query: WHO }, 0],
    ['an unknown field', { query: '{ nothing }' }, 1],
    ['a syntax error', { query: '{ viewer { ' }, 1],
    ['no query', {}, 1],
    ['no JSON', '{', 1],
  ])('is in the header and in every error: %s', async (_title, body, errors) => {
    const answer = await rawRequest(mc.url, { token: ADMIN_TOKEN, body });
    expect(answer.body?.errors?.length ?? 0).toBe(errors);
    const requestId = answer.headers.get('x-request-id');
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    for (const error of answer.body?.errors ?? []) expect(error.extensions?.requestId).toBe(requestId);
  });

  it.each([
    ['a word', 'my-request.1:a_b', true],
    ['100 characters', 'x'.repeat(100), true],
    ['101 characters', 'x'.repeat(101), false],
    ['spaces', 'a b', false],
    ['a quote', '"', false],
    ['nothing', '', false],
  ])('is the caller’s own when it is sensible: %s', async (_title, own, taken) => {
    const { headers, body } = await rawRequest(mc.url, {
      token: ADMIN_TOKEN,
      headers: { 'X-Request-Id': own },
      body: { query: '{ nothing }' },
    });
    const requestId = headers.get('x-request-id');
    if (taken) expect(requestId).toBe(own);
    else expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(body?.errors?.[0]?.extensions?.requestId).toBe(requestId);
  });

  it('is in the errors of a WebSocket as well, and a wrong query does not end the connection', async () => {
    const client = createClient({
      url: `${mc.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const errorsOf = (query: string) =>
      new Promise<unknown>((resolve) => {
        client.subscribe({ query }, { next: resolve, error: resolve, complete: () => resolve('complete') });
      });
    for (const query of ['{ nothing }', '{ viewer { ', 'query A { __typename } query B { __typename }'])
      expect(await errorsOf(query)).toEqual([
        expect.objectContaining({
          message: expect.any(String),
          extensions: expect.objectContaining({ requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) }),
        }),
      ]);
    expect(await errorsOf(WHO)).toMatchObject({ data: { viewer: { kind: 'OPERATOR' } } });
    await client.dispose();
  });
});
