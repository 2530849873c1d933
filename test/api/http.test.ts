import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { sendBytes, statusLineOf } from '../support/raw-bytes.ts';
import { rawRequest } from '../support/raw-request.ts';

const ALLOWED = ['https://app.example.com', 'http://localhost:5173'];
const WHO = '{ viewer { kind } }';

let mc: MissionControl;
/** The same with CORS_ORIGINS. */
let open: MissionControl;

beforeAll(async () => {
  mc = await startMissionControl();
  open = await startMissionControl({ CORS_ORIGINS: ALLOWED.join(', ') });
});
afterAll(async () => {
  await open.stop();
  await mc.stop();
});

describe('the GraphQL over HTTP specification', () => {
  const audits = serverAudits({
    url: () => `${mc.url}/graphql`,
    fetchFn: (url: string, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      headers.set('Authorization', `Bearer ${ADMIN_TOKEN}`);
      return fetch(url, { ...init, headers });
    },
  });

  it.each(audits.filter(({ name }) => !name.startsWith('MAY')).map(({ id, name, fn }) => [name, id, fn] as const))(
    '%s (%s)',
    async (_name, _id, audit) => {
      const result = await audit();
      expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok');
    },
  );
});

describe('what browsers send without asking first', () => {
  const query = { query: 'mutation { deleteAgent(id: "x") { __typename } }' };
  const form = new URLSearchParams(query).toString();

  it.each<[string, string | undefined, string]>([
    ['a form', 'application/x-www-form-urlencoded', form],
    ['text/plain', 'text/plain', JSON.stringify(query)],
    ['text/plain with a parameter that looks like JSON', 'text/plain; application/json', JSON.stringify(query)],
    [
      'multipart',
      'multipart/form-data; boundary=x',
      `--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${JSON.stringify(query)}\r\n--x--\r\n`,
    ],
    ['application/graphql', 'application/graphql', query.query],
    ['no type', '', JSON.stringify(query)],
  ])('is refused: %s', async (_title, type, body) => {
    const answer = await rawRequest(mc.url, { token: ADMIN_TOKEN, headers: { 'Content-Type': type ?? '' }, body });
    expect(answer.status).toBe(415);
    expect(answer.body?.errors?.[0]).toMatchObject({
      message: expect.stringContaining('application/json'),
      extensions: { requestId: answer.headers.get('x-request-id') },
    });
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json ; charset=utf-8',
    'Application/JSON',
    'APPLICATION/JSON; Charset=UTF-8',
  ])('is not: %s', async (type) => {
    const answer = await rawRequest(mc.url, {
      token: ADMIN_TOKEN,
      headers: { 'Content-Type': type },
      body: { query: WHO },
    });
    expect(answer).toMatchObject({ status: 200, body: { data: { viewer: { kind: 'OPERATOR' } } } });
  });

  it('is a GET: it reads, and changes nothing', async () => {
    const get = (text: string) =>
      rawRequest(mc.url, {
        method: 'GET',
        token: ADMIN_TOKEN,
        path: `/graphql?query=${encodeURIComponent(text)}`,
        headers: { Accept: 'application/json' },
      });
    expect((await get(WHO)).body?.data).toEqual({ viewer: { kind: 'OPERATOR' } });
    const mutation = await get(query.query);
    expect(mutation.status).toBe(405);
    expect(mutation.headers.get('allow')).toBe('POST');
    expect(mutation.body?.data ?? null).toBeNull();
  });

  it.each(['PUT', 'DELETE', 'PATCH'])('or cannot send without asking: %s', async (method) => {
    const answer = await rawRequest(mc.url, { method, token: ADMIN_TOKEN, body: { query: WHO } });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toContain('POST');
  });
});

describe('pages of other origins', () => {
  const ask = (server: MissionControl, origin: string, options: { method?: string; headers?: object } = {}) =>
    rawRequest(server.url, {
      token: ADMIN_TOKEN,
      headers: { Origin: origin, ...options.headers },
      ...(options.method ? { method: options.method } : { body: { query: WHO } }),
    });
  const preflight = {
    method: 'OPTIONS',
    headers: {
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type',
    },
  };

  it('may not read answers by default', async () => {
    for (const answer of [await ask(mc, 'https://evil.example'), await ask(mc, 'https://evil.example', preflight)])
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it.each(ALLOWED)('may when they are named in CORS_ORIGINS: %s', async (origin) => {
    const asked = await ask(open, origin, preflight);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
    expect(asked.headers.get('access-control-allow-headers')).toContain('authorization');
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
    const answer = await ask(open, origin);
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    expect(answer.headers.get('vary')).toMatch(/origin/i);
    // Also when the token is wrong, or the page could not tell.
    const refused = await rawRequest(open.url, { headers: { Origin: origin }, body: { query: WHO } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
  });

  it.each(['https://evil.example', 'null', 'https://app.example.com.evil.example', 'http://app.example.com'])(
    'may not when others are named: %s',
    async (origin) => {
      for (const { headers } of [await ask(open, origin), await ask(open, origin, preflight)])
        expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );

  const upgrade = (server: MissionControl, origin: string | undefined, path = '/graphql') =>
    new Promise<number | 'open'>((resolve) => {
      const socket = new WebSocket(server.url.replace('http', 'ws') + path, 'graphql-transport-ws', {
        ...(origin !== undefined && { origin }),
      });
      socket.once('open', () => {
        socket.close();
        resolve('open');
      });
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.once('error', () => undefined);
    });

  it('may open a WebSocket only when they are allowed; programs and this server’s own page may', async () => {
    expect(await upgrade(mc, undefined)).toBe('open');
    expect(await upgrade(mc, mc.url)).toBe('open');
    for (const foreign of ['https://evil.example', 'null', 'nonsense', ALLOWED[0]])
      expect({ foreign, came: await upgrade(mc, foreign) }).toEqual({ foreign, came: 403 });
    for (const allowed of ALLOWED) expect(await upgrade(open, allowed)).toBe('open');
    expect(await upgrade(open, 'https://evil.example')).toBe(403);
    expect(await upgrade(mc, undefined, '/elsewhere')).toBe(404);
  });
});

describe('paths', () => {
  it.each([
    ['/healthz', 200],
    ['/readyz', 200],
    ['/', 302],
    ['/elsewhere', 404],
    ['/graphql/', 404],
    ['/GraphQL', 404],
    ['/healthz/x', 404],
    ['/%00', 404],
    ['/..%2f..%2fetc/passwd', 404],
  ])('%s answers %i, by GET and by HEAD', async (path, status) => {
    const get = await rawRequest(mc.url, { method: 'GET', path });
    expect(get.status).toBe(status);
    expect(get.headers.get('x-content-type-options')).toBe('nosniff');
    expect(get.headers.get('x-request-id')).toBeTruthy();
    const head = await rawRequest(mc.url, { method: 'HEAD', path });
    expect(head).toMatchObject({ status, text: '' });
  });

  it('the root leads to GraphiQL', async () => {
    const { headers } = await rawRequest(mc.url, { method: 'GET', path: '/' });
    expect(headers.get('location')).toBe('/graphql');
    const page = await rawRequest(mc.url, { method: 'GET', headers: { Accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  });

  const everywhere = {
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
  };

  it.each<[string, Parameters<typeof rawRequest>[1]]>([
    ['an answer', { token: ADMIN_TOKEN, body: { query: WHO } }],
    ['a refusal', { body: { query: WHO } }],
    ['a wrong type', { body: WHO, headers: { 'Content-Type': 'text/plain' } }],
    ['a probe', { method: 'GET', path: '/readyz' }],
    ['a path that is not there', { method: 'GET', path: '/elsewhere' }],
  ])('%s tells browsers to keep, run and embed nothing of it', async (_title, request) => {
    const { headers } = await rawRequest(mc.url, request);
    expect(Object.fromEntries(headers)).toMatchObject({
      ...everywhere,
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    expect(headers.has('strict-transport-security')).toBe(false);
  });

  it('GraphiQL’s page may run its own scripts, talk to its own server, and nothing else', async () => {
    const page = await rawRequest(mc.url, { method: 'GET', headers: { Accept: 'text/html' } });
    expect(Object.fromEntries(page.headers)).toMatchObject(everywhere);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; script-src( 'sha256-[A-Za-z0-9+/=]{44}'){3}; worker-src blob:; /);
    for (const part of ["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/);
  });

  it('OPTIONS tells nothing without a token where no origins are allowed', async () => {
    expect(await rawRequest(mc.url, { method: 'OPTIONS' })).toMatchObject({ status: 401 });
  });

  it.each([
    ['a path that is no URL', 'GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', '404'],
    [
      'a path that is no URL, to upgrade',
      'GET // HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      '404',
    ],
    [
      'an upgrade without a key',
      'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      '400',
    ],
    ['an absolute address', 'GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', '200'],
    ['no HTTP', 'hello\r\n\r\n', '400'],
    [
      'a host that is none',
      'POST /graphql HTTP/1.1\r\nHost: :::\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      '4',
    ],
  ])('%s gets an answer and does not end the server', async (_title, text, status) => {
    expect(await statusLineOf(sendBytes(mc.url, text))).toContain(`HTTP/1.1 ${status}`);
    expect((await rawRequest(mc.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
  });
});

describe('the whole URL in the request line, as clients of a proxy send it', () => {
  const send = (requestLine: string, body = '') =>
    sendBytes(
      mc.url,
      [
        requestLine,
        'Host: elsewhere.example:8000',
        'Connection: close',
        `Authorization: Bearer ${ADMIN_TOKEN}`,
        'Accept: application/json',
        ...(body && ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
        '',
        body,
      ].join('\r\n'),
    );

  it.each([
    ['POST', 'POST http://elsewhere.example/graphql HTTP/1.1', JSON.stringify({ query: WHO })],
    ['POST, to another port', 'POST http://elsewhere.example:8443/graphql HTTP/1.1', JSON.stringify({ query: WHO })],
    ['GET, with a query', `GET http://elsewhere.example/graphql?query=${encodeURIComponent(WHO)} HTTP/1.1`, undefined],
  ])('is answered like its path: %s', async (_title, requestLine, body) => {
    const answer = String(await send(requestLine, body));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('{"data":{"viewer":{"kind":"OPERATOR"}}}');
  });
});

describe('a body that is too large', () => {
  const LIMIT = 1024 * 1024;
  const padded = (size: number) => {
    const body = { query: WHO, variables: { padding: '' } };
    body.variables.padding = 'x'.repeat(size - JSON.stringify(body).length);
    return JSON.stringify(body);
  };

  it('of one byte gets a clear 413, at the limit it is taken', async () => {
    const taken = await rawRequest(mc.url, { token: ADMIN_TOKEN, body: padded(LIMIT) });
    expect(taken).toMatchObject({ status: 200, body: { data: { viewer: { kind: 'OPERATOR' } } } });
    const refused = await rawRequest(mc.url, { token: ADMIN_TOKEN, body: padded(LIMIT + 1) });
    expect(refused).toMatchObject({
      status: 413,
      body: { errors: [{ message: expect.stringContaining(`${LIMIT}`), extensions: { code: 'PAYLOAD_TOO_LARGE' } }] },
    });
    expect(refused.body?.errors?.[0]?.extensions?.requestId).toBe(refused.headers.get('x-request-id'));
  });

  it.each([
    [LIMIT, 200],
    [LIMIT + 1, 413],
    [20 * LIMIT, 413],
  ])('is found out also when it comes in chunks: %i bytes, %i', async (size, status) => {
    const request = httpRequest(`${mc.url}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Transfer-Encoding': 'chunked',
        Authorization: `Bearer ${ADMIN_TOKEN}`,
      },
    });
    const answered = once(request, 'response');
    // The server may hang up on what is still being sent after its answer.
    request.on('error', () => undefined);
    const body = padded(size);
    for (let start = 0; start < body.length; start += 65_536) request.write(body.slice(start, start + 65_536));
    request.end();
    const [response] = await answered;
    expect(response.statusCode).toBe(status);
    response.resume();
    await once(response, 'end');
  });

  it('leaves the server as it was', async () => {
    await Promise.all(
      Array.from({ length: 5 }, () => rawRequest(mc.url, { token: ADMIN_TOKEN, body: padded(2 * LIMIT) })),
    );
    expect((await rawRequest(mc.url, { token: ADMIN_TOKEN, body: { query: WHO } })).status).toBe(200);
  });

  it('closes a WebSocket that sends it, and no other', async () => {
    const sockets = [0, 1].map(() => new WebSocket(`${mc.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws'));
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    // The server hangs up while this is still being sent.
    sockets[0]?.on('error', () => undefined);
    const closed = once(sockets[0] as WebSocket, 'close');
    sockets[0]?.send('x'.repeat(LIMIT + 1));
    expect((await closed)[0]).toBe(1009);
    const ack = once(sockets[1] as WebSocket, 'message');
    sockets[1]?.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${ADMIN_TOKEN}` } }));
    expect(JSON.parse(String((await ack)[0]))).toMatchObject({ type: 'connection_ack' });
    sockets[1]?.close();
  });
});
