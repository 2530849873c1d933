import { afterEach, describe, expect, it } from 'vitest';
import { type Simulator, type SimulatorOptions, SUPERSEDED, startSimulator } from '../../src/simulator/simulator.ts';
import { type Client, connect, type Dict, makeDevice, refusedConnect, until } from './client.ts';

// What only the simulator can be told to do; what it has in common with a gateway is in cases.ts.

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options);
  running.push(simulator);
  return simulator;
}

async function open(simulator: Simulator, options: Parameters<typeof connect>[1] = {}): Promise<Client> {
  const client = await connect(simulator, options);
  running.push(client);
  return client;
}

async function register(client: Client, ...ids: string[]): Promise<void> {
  const { hash } = await client.call('config.get');
  const entries = Object.fromEntries(ids.map((id) => [id, { name: id, heartbeat: { every: '10m', target: 'none' } }]));
  await client.call('config.patch', {
    raw: JSON.stringify({ agents: { ownership: 'explicit', entries } }),
    baseHash: hash,
  });
}

describe('faults on demand', () => {
  it('refuses a method as told, as often as told, and only for such parameters', async () => {
    const simulator = await start();
    const client = await open(simulator);
    simulator.faults.add({
      kind: 'refuse',
      method: 'sessions.patch',
      when: ({ key }) => key === 'agent:a:main',
      times: 2,
      error: { code: 'UNAVAILABLE', message: 'not now', retryable: true, retryAfterMs: 5 },
    });
    expect(await client.call('sessions.patch', { key: 'agent:b:main', label: 'B' })).toMatchObject({ ok: true });
    for (const _ of [1, 2]) {
      expect(await client.refusal('sessions.patch', { key: 'agent:a:main', label: 'A' })).toMatchObject({
        code: 'UNAVAILABLE',
        message: 'not now',
        retryable: true,
        retryAfterMs: 5,
      });
    }
    expect(await client.call('sessions.patch', { key: 'agent:a:main', label: 'A' })).toMatchObject({ ok: true });
  });

  it('never answers a stalled request, and answers others', async () => {
    const simulator = await start();
    const client = await open(simulator, { requestTimeoutMs: 100 });
    simulator.faults.add({ kind: 'stall', method: 'health' });
    expect(await client.refusal('health')).toMatchObject({ code: 'CLIENT_TIMEOUT' });
    expect(await client.call('health')).toMatchObject({ ok: true });
  });

  it('drops the connection instead of an answer, and the client comes back', async () => {
    const simulator = await start();
    const client = await open(simulator);
    simulator.faults.add({ kind: 'drop', method: '*' });
    expect((await client.refusal('health')).message).toContain('gateway closed');
    await until(() => client.call('health').catch(() => undefined), 'the client to be back');
  });

  it('answers late', async () => {
    const simulator = await start();
    const client = await open(simulator);
    simulator.faults.add({ kind: 'late', method: 'health', ms: 60 });
    const before = Date.now();
    await client.call('health');
    expect(Date.now() - before).toBeGreaterThanOrEqual(55);
  });

  it('does what was asked and loses the answer', async () => {
    const simulator = await start();
    const client = await open(simulator);
    simulator.faults.add({ kind: 'perform-then-drop', method: 'config.patch' });
    await expect(register(client, 'a')).rejects.toThrow('gateway closed');
    expect(simulator.agents().map(({ id }) => id)).toEqual(['main', 'a']);
  });

  it('writes a patch and says that another writer won', async () => {
    const simulator = await start();
    const client = await open(simulator);
    simulator.faults.add({ kind: 'perform-then-refuse', method: 'config.patch', error: SUPERSEDED });
    await expect(register(client, 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: false });
    expect(simulator.config()).toMatchObject({ agents: { entries: { a: { name: 'a' } } } });
  });

  it('keeps a client waiting at the door', async () => {
    const simulator = await start();
    simulator.faults.add({ kind: 'stall', method: 'connect' });
    const stalled = connect(simulator);
    await until(() => simulator.requests.some(({ method }) => method === 'connect'), 'the client to knock');
    expect((await open(simulator)).hello.protocol).toBe(4);
    simulator.dropConnections();
    await expect(stalled).rejects.toThrow('gateway closed (1006)');
  });
});

describe('limits', () => {
  it('is busy beyond 256 requests at once', async () => {
    const simulator = await start({ delays: { request: 500 } });
    const client = await open(simulator);
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => client.call('health')));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.reason).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The server is busy. Please try again in a moment.',
      retryable: true,
    });
  });

  it('deletes agents one after the other', async () => {
    const simulator = await start({ delays: { deleteAgent: 40 } });
    const client = await open(simulator);
    await register(client, 'a', 'b', 'c');
    const before = Date.now();
    await Promise.all(['a', 'b', 'c'].map((agentId) => client.call('agents.delete', { agentId })));
    expect(Date.now() - before).toBeGreaterThanOrEqual(110);
    expect(simulator.agents()).toHaveLength(1);
  });
});

describe('a gateway on another host', () => {
  it('gives no scopes to the token alone', async () => {
    const client = await open(await start({ remote: true }));
    expect(client.hello.auth).toMatchObject({ scopes: [] });
    expect(await client.refusal('agents.list')).toMatchObject({
      code: 'FORBIDDEN',
      message: 'missing scope: operator.read',
    });
  });

  it('lets a device in once it is approved, and then with its own token', async () => {
    const simulator = await start({ remote: true });
    const { tokens, ...device } = makeDevice();
    const refused = await refusedConnect(simulator.url, { token: simulator.token, ...device });
    const [waiting] = simulator.pendingDevices();
    expect(refused).toMatchObject({
      close: 1008,
      paused: true,
      error: {
        code: 'NOT_PAIRED',
        message: `device pairing required (requestId: ${waiting?.requestId})`,
        details: { code: 'PAIRING_REQUIRED', reason: 'not-paired', requestId: waiting?.requestId },
      },
    });
    simulator.approveDevice();
    const first = await open(simulator, device);
    expect(first.hello.auth).toMatchObject({ method: 'token', scopes: ['operator.admin'] });
    expect(tokens).toHaveLength(1);
    const alone = await open({ ...simulator, token: '' } as Simulator, device);
    expect(alone.hello.auth).toMatchObject({ method: 'device-token', scopes: ['operator.admin'] });
    expect(await alone.call('device.pair.list')).toMatchObject({
      pending: [],
      paired: [{ scopes: ['operator.admin'] }],
    });
  });

  it('locks out after ten wrong tokens, the right one too', async () => {
    const simulator = await start({ remote: true });
    for (let tries = 0; tries < 10; tries += 1) await refusedConnect(simulator.url, { token: 'wrong' });
    const refused = await refusedConnect(simulator.url, { token: simulator.token });
    expect(refused.error).toMatchObject({ details: { code: 'AUTH_RATE_LIMITED' }, retryable: true });
    expect(refused.error.retryAfterMs).toBeGreaterThan(290_000);
  });
});

describe('other gateways', () => {
  it('of protocol 3 refuses a client of 4, which tries for ever', async () => {
    const simulator = await start({ protocol: 3 });
    const refused = await refusedConnect(simulator.url, { token: simulator.token });
    expect(refused).toMatchObject({ close: 1002, paused: false, error: { details: { expectedProtocol: 3 } } });
    expect(refused.error.details).not.toHaveProperty('code');
    const client = await open(simulator, { minProtocol: 3 });
    expect(client.hello).toMatchObject({ protocol: 3, auth: null, server: { version: 'dev' } });
  });

  it('without a model accepts messages, and every run fails', async () => {
    const client = await open(await start({ modelConfigured: false }));
    expect(client.hello.snapshot).toMatchObject({ sessionDefaults: { modelConfigured: false } });
    const message = { sessionKey: 'agent:main:main', message: 'hello', idempotencyKey: 'one' };
    expect(await client.call('chat.send', message)).toMatchObject({ status: 'started' });
    const waited = await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 });
    expect(waited).toMatchObject({ status: 'error', error: expect.stringContaining('Agent failed before reply') });
    const { sessions } = await client.call<{ sessions: Dict[] }>('sessions.list');
    expect(sessions).toEqual([expect.objectContaining({ status: 'failed', lastRunError: expect.any(String) })]);
  });

  it('that still start say so, and let in later', async () => {
    const simulator = await start({ delays: { start: 150 } });
    const retries: Dict[] = [];
    const client = await open(simulator, {
      notifyOnStartupRetry: true,
      onClose: (code, reason) => retries.push({ code, reason }),
    });
    expect(retries).toEqual([{ code: 1013, reason: 'gateway starting' }]);
    expect(client.hello.protocol).toBe(4);
  });
});

describe('ends and beginnings', () => {
  it('refuses new requests while it shuts down', async () => {
    const simulator = await start({ delays: { drain: 60 } });
    const client = await open(simulator);
    const restarted = simulator.restart();
    expect(await client.refusal('health')).toMatchObject({
      code: 'UNAVAILABLE',
      details: { method: 'health', reason: 'gateway-restarting' },
      retryable: true,
      retryAfterMs: 1000,
    });
    await restarted;
    await client.event('shutdown');
  });

  it('is killed and started again with all that it knew', async () => {
    const simulator = await start();
    const client = await open(simulator);
    await register(client, 'a');
    const boot = (client.hello.server as Dict).bootId;
    await simulator.kill();
    await until(() => client.closes.length > 0, 'the connection to break');
    expect(client.closes[0]?.code).toBe(1006);
    await simulator.start();
    await until(() => (client.hello.server as Dict).bootId !== boot, 'the client to be back');
    expect(simulator.agents().map(({ id }) => id)).toEqual(['main', 'a']);
  });

  it('runs a message again that a restart had cut off', async () => {
    const held = Promise.withResolvers<string>();
    const replies = [held.promise, Promise.resolve('done')];
    const simulator = await start({ reply: () => replies.shift() ?? 'again' });
    const client = await open(simulator);
    const message = { sessionKey: 'agent:main:main', message: 'hello', idempotencyKey: 'one' };
    await client.call('chat.send', message);
    await until(() => replies.length === 1, 'the model to be asked');
    await simulator.restart();
    const again = await until(() => client.call('chat.send', message).catch(() => undefined), 'the client to be back');
    expect(again).toEqual({ runId: 'one', status: 'started' });
    expect(await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 })).toMatchObject({ status: 'ok' });
  });
});
