import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type ConnectionInfo, type ConnectionOptions, GatewayConnection } from '../../src/gateway/connection.ts';
import { GatewayError } from '../../src/gateway/errors.ts';
import { cert, fingerprint, key } from './certificate.ts';
import { freePort, ScriptedGateway, silentLog } from './scripted-gateway.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end();
});

async function gateway(tls: { key: string; cert: string } | null = null): Promise<ScriptedGateway> {
  const scripted = await new ScriptedGateway(tls).start();
  scripted.methods.set('health', () => ({ ok: true }));
  cleanup.push(() => scripted.stop());
  return scripted;
}

const QUICK = { firstMs: 10, maxMs: 50, pairingMs: 20, updateMs: 20, readyPollMs: 10 };

interface Target {
  url: string;
  token?: string | null;
  tlsFingerprint?: string;
  allowInsecureTls?: boolean;
}

function connectionTo(target: Target, options: Partial<ConnectionOptions> = {}) {
  const infos: ConnectionInfo[] = [];
  const connection = new GatewayConnection({
    target: {
      id: 'g',
      token: 'secret-token',
      tlsFingerprint: null,
      allowInsecureTls: false,
      device: null,
      deviceToken: null,
      ...target,
    },
    log: silentLog,
    onInfo: (info) => infos.push(info),
    onEvent: () => {},
    connectTimeoutMs: 2000,
    retry: QUICK,
    ...options,
  });
  cleanup.push(() => connection.close());
  return { connection, infos, states: () => infos.map((info) => info.state) };
}

const rejection = async (promise: Promise<unknown>): Promise<GatewayError> => {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof GatewayError)) throw new Error(`expected a GatewayError, got ${error}`);
  return error;
};

test('a connection says what the gateway is, answers requests and measures its round trip', async () => {
  const { url, methods } = await gateway();
  methods.set('echo', (params) => params);
  const { connection, states } = connectionTo({ url });
  const hello = await connection.ready();
  expect(hello).toMatchObject({ protocol: 4, serverVersion: '2026.9.6', bootId: 'boot-1', scopes: ['operator.admin'] });
  expect(await connection.request('echo', { a: 1 })).toEqual({ a: 1 });
  expect(connection.info).toMatchObject({
    state: 'CONNECTED',
    serverVersion: '2026.9.6',
    protocolVersion: 4,
    bootId: 'boot-1',
    stateDir: '/state',
    modelConfigured: true,
    lastError: null,
    hint: null,
    nextAttemptAt: null,
    latencyMs: null,
  });
  expect((await connection.probe()).latencyMs).toBeGreaterThan(0);
  expect(states()).toEqual(['CONNECTING', 'CONNECTED', 'CONNECTED']);
});

test('several who wait share one attempt', async () => {
  const scripted = await gateway();
  const { connection } = connectionTo({ url: scripted.url });
  await Promise.all([connection.ready(), connection.ready(), connection.probe()]);
  await connection.ready();
  expect(scripted.connects).toBe(1);
});

test('events reach the listener', async () => {
  const scripted = await gateway();
  const events: string[] = [];
  const { connection } = connectionTo({ url: scripted.url }, { onEvent: (event) => events.push(event.event) });
  await connection.ready();
  scripted.emit('config.changed', { hash: 'h' });
  await vi.waitFor(() => expect(events).toContain('config.changed'));
});

describe('a refusal that only a person can change', () => {
  test('a refused token is reported at once, tried again only when asked, and connects when it is right', async () => {
    const scripted = await gateway();
    const details = { code: 'AUTH_TOKEN_MISMATCH' };
    scripted.refusal = { code: 'INVALID_REQUEST', message: 'unauthorized: gateway token mismatch', details };
    const { connection, infos } = connectionTo({ url: scripted.url });
    const error = await rejection(connection.ready());
    expect(error).toMatchObject({ reason: 'token-refused', retryable: false, gatewayCode: 'AUTH_TOKEN_MISMATCH' });
    expect(connection.info).toMatchObject({ state: 'UNAUTHORIZED', nextAttemptAt: null, connectedAt: null });
    expect(connection.info.hint).toContain('updateGateway');
    expect(await rejection(connection.ready())).toBe(error);
    await expect(connection.probe()).rejects.toThrow('refuses the token');
    expect(connection.info.state).toBe('UNAUTHORIZED');
    expect(scripted.connects).toBe(1);
    expect(JSON.stringify(infos)).not.toContain('secret-token');

    scripted.refusal = null;
    connection.reconnect();
    await connection.ready();
    expect(connection.info).toMatchObject({ state: 'CONNECTED', lastError: null, hint: null });
  });

  test('a gateway of protocol 3 is incompatible, and says what to update to', async () => {
    const scripted = await gateway();
    scripted.hello = { protocol: 3, auth: null, server: { version: 'dev', connId: 'c' } };
    const { connection } = connectionTo({ url: scripted.url });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'protocol-mismatch', retryable: false });
    expect(connection.info).toMatchObject({ state: 'INCOMPATIBLE', protocolVersion: 3, serverVersion: 'dev' });
    expect(connection.info.hint).toContain('2026.5.9');
    expect(await rejection(connection.request('health', {}))).toMatchObject({ reason: 'disconnected' });
  });

  test('a hello without rights is no connection', async () => {
    const scripted = await gateway();
    scripted.hello = { auth: { role: 'operator', scopes: [] } };
    const { connection } = connectionTo({ url: scripted.url });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'no-rights', connection: 'UNAUTHORIZED' });
    expect(connection.info.hint).toContain('tunnel');
  });
});

describe('a gateway that says nothing when a person has changed it is tried again by itself', () => {
  test.each<[title: string, refused: Partial<ScriptedGateway>, state: ConnectionInfo['state']]>([
    [
      'after it refused as too old',
      {
        refusal: {
          code: 'INVALID_REQUEST',
          message: 'protocol mismatch',
          details: { code: 'PROTOCOL_MISMATCH', expectedProtocol: 3 },
        },
      },
      'INCOMPATIBLE',
    ],
    [
      'after a hello of protocol 3',
      { hello: { protocol: 3, auth: null, server: { version: 'dev', connId: 'c' } } },
      'INCOMPATIBLE',
    ],
    ['after a hello without rights', { hello: { auth: { role: 'operator', scopes: [] } } }, 'UNAUTHORIZED'],
  ])('%s', async (_title, refused, state) => {
    const scripted = Object.assign(await gateway(), refused);
    const { connection, states } = connectionTo({ url: scripted.url });
    await rejection(connection.ready());
    expect(connection.info.state).toBe(state);
    expect(connection.info.nextAttemptAt).not.toBeNull();
    // It is asked again and again, which is no news.
    await vi.waitFor(() => expect(scripted.connects).toBeGreaterThan(2));
    Object.assign(scripted, { refusal: null, hello: {} });
    await vi.waitFor(() => expect(connection.info).toMatchObject({ state: 'CONNECTED', lastError: null, hint: null }));
    expect(new Set(states())).toEqual(new Set(['CONNECTING', state, 'CONNECTED']));
  });

  test('which happens once a minute', async () => {
    const scripted = await gateway();
    scripted.hello = { protocol: 3, auth: null, server: { version: 'dev', connId: 'c' } };
    const { connection } = connectionTo({ url: scripted.url }, { retry: {}, now: () => 1000 });
    await rejection(connection.ready());
    expect(connection.info).toMatchObject({ state: 'INCOMPATIBLE', nextAttemptAt: new Date(61_000) });
    // Whoever asks meanwhile makes no attempt.
    await rejection(connection.ready());
    expect(scripted.connects).toBe(1);
  });
});

test('a pending pairing shows the command to run and connects by itself once approved', async () => {
  const scripted = await gateway();
  scripted.refusal = {
    code: 'NOT_PAIRED',
    message: 'device pairing required (requestId: req-7)',
    details: { code: 'PAIRING_REQUIRED', reason: 'not-paired', requestId: 'req-7' },
  };
  const { connection } = connectionTo({ url: scripted.url });
  await rejection(connection.ready());
  expect(connection.info).toMatchObject({ state: 'PAIRING_REQUIRED' });
  expect(connection.info.hint).toContain('openclaw devices approve req-7');
  expect(connection.info.nextAttemptAt).not.toBeNull();
  scripted.refusal = null;
  await vi.waitFor(() => expect(connection.info.state).toBe('CONNECTED'));
});

test('too many wrong tokens: the gateway’s wish to wait is honoured', async () => {
  const scripted = await gateway();
  scripted.refusal = {
    code: 'INVALID_REQUEST',
    message: 'unauthorized: too many failed authentication attempts (retry later)',
    details: { code: 'AUTH_RATE_LIMITED' },
    retryable: true,
    retryAfterMs: 299_989,
  };
  const { connection } = connectionTo({ url: scripted.url }, { now: () => 1000 });
  await rejection(connection.ready());
  expect(connection.info).toMatchObject({ state: 'UNAUTHORIZED', nextAttemptAt: new Date(300_989) });
});

describe('a gateway that is away', () => {
  test('nothing listens: said at once, with what to do', async () => {
    const port = await freePort();
    const { connection } = connectionTo({ url: `ws://127.0.0.1:${port}` });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'nothing-listens', kind: 'unavailable' });
    expect(connection.info.state).toBe('UNREACHABLE');
    expect(connection.info.hint).toContain('Start the gateway');
  });

  test('a peer that accepts and says nothing is given up at the deadline', async () => {
    const sockets = new Set<{ destroy: () => void }>();
    const server = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
    cleanup.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await vi.waitFor(() => expect(server.address()).not.toBeNull());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { connection } = connectionTo({ url: `ws://127.0.0.1:${port}` }, { connectTimeoutMs: 200 });
    const started = performance.now();
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'silent', retryable: true });
    expect(performance.now() - started).toBeLessThan(1500);
    expect(connection.info.state).toBe('UNREACHABLE');
  });

  test('a lost connection is regained by itself, with the facts of the new start', async () => {
    const scripted = await gateway();
    const { connection, states } = connectionTo({ url: scripted.url });
    await connection.ready();
    await scripted.stop();
    await vi.waitFor(() => expect(connection.info.state).toBe('UNREACHABLE'));
    expect(connection.info).toMatchObject({ connectedAt: null, serverVersion: '2026.9.6', bootId: 'boot-1' });
    scripted.hello = { server: { version: '2026.9.7', bootId: 'boot-2', connId: 'c' } };
    await scripted.start();
    await vi.waitFor(() => expect(connection.info.state).toBe('CONNECTED'));
    expect(connection.info).toMatchObject({ bootId: 'boot-2', serverVersion: '2026.9.7' });
    expect(new Set(states())).toEqual(new Set(['CONNECTING', 'CONNECTED', 'UNREACHABLE']));
  });

  test('its readiness is enough to connect, however long the backoff would be', async () => {
    const scripted = await gateway();
    const { connection } = connectionTo(
      { url: scripted.url },
      { retry: { firstMs: 600_000, maxMs: 600_000, readyPollMs: 10 } },
    );
    await connection.ready();
    scripted.ready = false;
    await scripted.stop();
    await vi.waitFor(() => expect(connection.info.nextAttemptAt).not.toBeNull());
    await scripted.start();
    expect(scripted.connects).toBe(1);
    scripted.ready = true;
    await vi.waitFor(() => expect(connection.info.state).toBe('CONNECTED'));
  });

  test('ready but refusing is not tried at every poll', async () => {
    const scripted = await gateway();
    scripted.refusal = { code: 'UNAVAILABLE', message: 'no', retryable: true };
    const { connection } = connectionTo(
      { url: scripted.url },
      { retry: { firstMs: 600_000, maxMs: 600_000, readyPollMs: 1 } },
    );
    await rejection(connection.ready());
    await vi.waitFor(() => expect(scripted.connects).toBe(2)); // the first poll, whose answer is news
    await vi.waitFor(() => expect(scripted.polls).toBeGreaterThan(20));
    expect(scripted.connects).toBe(2);
  });

  test('who waits for a starting gateway goes on waiting', async () => {
    const scripted = await gateway();
    const details = { reason: 'startup-sidecars' };
    scripted.closeCode = 1013;
    scripted.refusal = { code: 'UNAVAILABLE', message: 'gateway starting', details, retryable: true, retryAfterMs: 20 };
    const { connection } = connectionTo({ url: scripted.url });
    const ready = connection.ready();
    await vi.waitFor(() => expect(scripted.connects).toBeGreaterThan(1));
    scripted.refusal = null;
    expect(await ready).toMatchObject({ protocol: 4 });
  });

  test('a request under way fails when the connection ends, and passes for temporary', async () => {
    const scripted = await gateway();
    scripted.methods.set('slow', () => new Promise(() => {}));
    const { connection } = connectionTo({ url: scripted.url });
    await connection.ready();
    const slow = rejection(connection.request('slow', {}));
    await vi.waitFor(() => expect(scripted.called('slow')).toHaveLength(1));
    await scripted.stop();
    expect(await slow).toMatchObject({ reason: 'disconnected', retryable: true });
  });

  test('a gateway that stalls is found out by a probe', async () => {
    const scripted = await gateway();
    const { connection } = connectionTo({ url: scripted.url }, { connectTimeoutMs: 300 });
    await connection.ready();
    scripted.methods.set('health', () => new Promise(() => {}));
    await expect(connection.probe()).rejects.toMatchObject({ reason: 'timed-out' });
    expect(connection.info).toMatchObject({ state: 'UNREACHABLE', latencyMs: null });
  });
});

describe('requests', () => {
  test('at most as many as allowed are under way', async () => {
    const scripted = await gateway();
    let running = 0;
    let most = 0;
    const open: (() => void)[] = [];
    scripted.methods.set('work', async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => open.push(resolve));
      running -= 1;
      return {};
    });
    const { connection } = connectionTo({ url: scripted.url }, { maxInFlight: 3 });
    await connection.ready();
    const all = Promise.all(Array.from({ length: 10 }, () => connection.request('work', {})));
    const finish = setInterval(() => open.shift()?.(), 1);
    await all;
    clearInterval(finish);
    expect(most).toBe(3);
  });

  test('an abort is thrown as it is, also for a request that waits for a place', async () => {
    const scripted = await gateway();
    scripted.methods.set('slow', () => new Promise(() => {}));
    const { connection } = connectionTo({ url: scripted.url }, { maxInFlight: 1 });
    await connection.ready();
    const controller = new AbortController();
    const under = connection.request('slow', {}, { signal: controller.signal });
    const waiting = connection.request('slow', {}, { signal: controller.signal });
    const outcomes = Promise.allSettled([under, waiting]);
    controller.abort();
    for (const outcome of await outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason).toMatchObject({ name: 'AbortError' });
    }
    scripted.methods.set('quick', () => ({ done: true }));
    expect(await connection.request('quick', {})).toEqual({ done: true });
  });

  test('a deadline is a passing error that names the method', async () => {
    const scripted = await gateway();
    scripted.methods.set('slow', () => new Promise(() => {}));
    const { connection } = connectionTo({ url: scripted.url });
    await connection.ready();
    const error = await rejection(connection.request('slow', {}, { timeoutMs: 50 }));
    expect(error).toMatchObject({ reason: 'timed-out', retryable: true });
    expect(error.message).toContain('slow');
  });
});

test('no usable model is said, and taken back when the configuration has one', async () => {
  const scripted = await gateway();
  scripted.hello = { snapshot: { sessionDefaults: { modelConfigured: false } } };
  let sourceConfig: object = {};
  scripted.methods.set('config.get', () => ({ hash: 'h', sourceConfig }));
  const { connection } = connectionTo({ url: scripted.url });
  await connection.ready();
  expect(connection.info).toMatchObject({ state: 'CONNECTED', modelConfigured: false });
  expect(connection.info.hint).toContain('no usable model');
  expect((await connection.probe()).modelConfigured).toBe(false);
  sourceConfig = { agents: { defaults: { model: { primary: 'fake/fake-1' } } } };
  scripted.emit('config.changed', { hash: 'h2' });
  await vi.waitFor(() => expect(connection.info).toMatchObject({ modelConfigured: true, hint: null }));
});

test('a closed connection says nothing more and connects no more', async () => {
  const scripted = await gateway();
  const { connection, infos } = connectionTo({ url: scripted.url });
  await connection.ready();
  const before = infos.length;
  await connection.close();
  connection.reconnect();
  expect(await rejection(connection.ready())).toMatchObject({ reason: 'closed' });
  expect(await rejection(connection.request('health', {}))).toMatchObject({ reason: 'disconnected' });
  expect(infos).toHaveLength(before);
  expect(scripted.connects).toBe(1);
});

describe('TLS', () => {
  test('a certificate that nobody vouches for is refused, with what to do', async () => {
    const { connection } = connectionTo({ url: (await gateway({ key, cert })).url });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'untrusted-certificate', retryable: false });
    expect(connection.info.hint).toContain('tlsFingerprint');
  });

  test('it is accepted by its fingerprint', async () => {
    const { connection } = connectionTo({ url: (await gateway({ key, cert })).url, tlsFingerprint: fingerprint });
    await connection.ready();
  });

  test('another fingerprint is refused, even where any certificate would do', async () => {
    const { url } = await gateway({ key, cert });
    const { connection } = connectionTo({ url, tlsFingerprint: 'ab'.repeat(32), allowInsecureTls: true });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'fingerprint-mismatch' });
  });

  test('any certificate is accepted where that is asked for', async () => {
    const { connection } = connectionTo({ url: (await gateway({ key, cert })).url, allowInsecureTls: true });
    await connection.ready();
  });

  test('a public address without TLS is not even tried', async () => {
    const { connection } = connectionTo({ url: 'ws://gateway.example.com:18789' });
    expect(await rejection(connection.ready())).toMatchObject({ reason: 'plaintext-refused' });
    expect(connection.info).toMatchObject({ state: 'UNREACHABLE', nextAttemptAt: null });
  });
});
