import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkGateway, type GatewayCheck } from '../../src/gateway/check.ts';
import type { GatewayTarget } from '../../src/gateway/connection.ts';
import { deviceOf, newDeviceKey } from '../../src/gateway/device.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { freePort } from '../support/free-port.ts';
import { cert, fingerprint, key } from './certificate.ts';

const TOKEN = 'gateway-token-0123456789-that-nobody-may-see';

let gateway: Simulator;
beforeAll(async () => {
  gateway = await startSimulator({ token: TOKEN });
});
afterAll(() => gateway.stop());

function target(changes: Partial<GatewayTarget>): GatewayTarget {
  const options = { tlsFingerprint: null, allowInsecureTls: false, device: null, deviceToken: null };
  return { id: 'checked', url: gateway.url, token: TOKEN, ...options, ...changes };
}

const outcomes = (checks: GatewayCheck[]) => checks.map(({ name, outcome }) => `${name} ${outcome}`);

describe('the check of a gateway', () => {
  it('finds everything in order, down to the model', async () => {
    const checks = await checkGateway(target({}), 5_000);
    expect(outcomes(checks)).toEqual([
      'url ok',
      'reachable ok',
      'ready ok',
      'handshake ok',
      'signIn ok',
      'rights ok',
      'version ok',
      'model ok',
    ]);
    expect(checks.find(({ name }) => name === 'rights')?.message).toContain('operator.admin');
    expect(checks.find(({ name }) => name === 'version')?.message).toMatch(/^OpenClaw \d.*, round trip [\d.]+ ms\.$/);
  });

  it.each<[what: string, changes: () => Promise<Partial<GatewayTarget>>, failure: string, told: RegExp]>([
    ['an open road', async () => ({ url: 'ws://gateway.example.com' }), 'url failed', /use a wss:\/\/ URL/],
    ['no URL', async () => ({ url: 'gateway' }), 'url failed', /begins with wss:\/\/ or ws:\/\//],
    ['nobody', async () => ({ url: `ws://127.0.0.1:${await freePort()}` }), 'reachable failed', /Start the gateway/],
    ['no TLS', async () => ({ url: gateway.url.replace('ws:', 'wss:') }), 'tls failed', /Use a ws:\/\/ URL/],
    ['a wrong token', async () => ({ token: 'wrong' }), 'signIn failed', /refuses the token.*gateway\.auth\.token/],
    ['no token', async () => ({ token: null }), 'signIn failed', /wants a token/],
  ])('ends with what is wrong, and says what to do: %s', async (_what, changes, failure, told) => {
    const checks = await checkGateway(target(await changes()), 5_000);
    expect(outcomes(checks).at(-1)).toBe(failure);
    const { message = '', hint = '' } = checks.at(-1) ?? {};
    expect(`${message} ${hint ?? ''}`).toMatch(told);
    expect(JSON.stringify(checks)).not.toContain(TOKEN);
  });
});

it('a gateway on another machine has the command that lets this device in', async () => {
  const remote = await startSimulator({ token: TOKEN, remote: true });
  try {
    const device = deviceOf(newDeviceKey());
    const waiting = (await checkGateway({ ...target({ device }), url: remote.url }, 5_000)).at(-1);
    expect(waiting).toMatchObject({ name: 'signIn', outcome: 'failed' });
    expect(waiting?.hint).toMatch(/openclaw devices approve [\w-]+$/);
    const alone = (await checkGateway({ ...target({}), url: remote.url }, 5_000)).at(-1);
    expect(alone).toMatchObject({ name: 'rights', outcome: 'failed' });
  } finally {
    await remote.stop();
  }
});

it('a certificate that nobody has signed is refused with its fingerprint, and taken with that', async () => {
  const { port } = new URL(gateway.url);
  const front = createServer({ key, cert }, (socket) => {
    const inner = connect(Number(port), '127.0.0.1');
    inner.on('error', () => socket.destroy());
    socket.on('error', () => inner.destroy());
    socket.pipe(inner).pipe(socket);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const address = front.address();
  const url = `wss://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  try {
    const refused = (await checkGateway(target({ url }), 5_000)).at(-1);
    expect(refused).toMatchObject({ name: 'tls', outcome: 'failed' });
    expect(refused?.message).toContain(fingerprint);
    const taken = await checkGateway(target({ url, tlsFingerprint: fingerprint }), 5_000);
    expect(outcomes(taken).slice(1, 3)).toEqual(['reachable ok', 'tls ok']);
    expect(outcomes(taken).at(-1)).toBe('model ok');
    const other = (await checkGateway(target({ url, tlsFingerprint: '00'.repeat(32) }), 5_000)).at(-1);
    expect(other).toMatchObject({ name: 'tls', outcome: 'failed' });
    expect(outcomes(await checkGateway(target({ url, allowInsecureTls: true }), 5_000))[2]).toBe('tls warning');
  } finally {
    front.close();
  }
});
