import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type ConnectionInfo, type ConnectionOptions, GatewayConnection } from '../../src/gateway/connection.ts';
import { DEVICE_SIGNING, deviceOf, newDeviceKey } from '../../src/gateway/device.ts';
import type { GatewayError } from '../../src/gateway/errors.ts';
import { GatewayPool } from '../../src/gateway/pool.ts';
import { type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { ScriptedGateway } from './scripted-gateway.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end();
});

/** The example of RFC 8410: the private key of section 10.3, the raw public key of 10.1. */
const KNOWN_KEY = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`;
const KNOWN_PUBLIC_KEY = 'Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE';

describe('a device', () => {
  test('is known by the hash of its public key', () => {
    const { deviceId, publicKeyPem, privateKeyPem } = deviceOf(KNOWN_KEY);
    expect(privateKeyPem).toBe(KNOWN_KEY);
    expect(deviceId).toBe('e744c0791320c3285460eddb523f14c88d857ada46b97a5690d88cf978b9191f');
    expect(DEVICE_SIGNING.publicKeyRawBase64UrlFromPem(publicKeyPem)).toBe(KNOWN_PUBLIC_KEY);
  });

  test('has a key of its own, which stays the same', () => {
    const [one, other] = [newDeviceKey(), newDeviceKey()];
    expect(deviceOf(one).deviceId).toBe(deviceOf(one).deviceId);
    expect(deviceOf(one).deviceId).not.toBe(deviceOf(other).deviceId);
  });

  test('signs with its private key', () => {
    const { publicKeyPem, privateKeyPem } = deviceOf(newDeviceKey());
    const signature = Buffer.from(DEVICE_SIGNING.signDevicePayload(privateKeyPem, 'v3|…'), 'base64url');
    expect(verify(null, Buffer.from('v3|…'), createPublicKey(publicKeyPem), signature)).toBe(true);
  });

  test('takes no other key, and does not repeat it', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => deviceOf(pem)).toThrow('A device signs with an Ed25519 key, not with ec.');
    expect(() => deviceOf('no key at all')).toThrow(/^(?!.*no key at all)/);
  });
});

const QUICK = { firstMs: 10, maxMs: 50, pairingMs: 20, readyPollMs: 10 };

async function remoteGateway(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ remote: true, ...options });
  cleanup.push(() => simulator.stop());
  return simulator;
}

interface Target {
  url: string;
  token: string | null;
}

/** A connection, with all that it says and logs. */
function connectionTo(
  { url, token }: Target,
  { device = deviceOf(newDeviceKey()), deviceToken = null as string | null } = {},
  options: Partial<ConnectionOptions> = {},
) {
  const infos: ConnectionInfo[] = [];
  const tokens: (string | null)[] = [];
  const logged: unknown[] = [];
  const log = (...line: unknown[]) => void logged.push(line);
  const connection = new GatewayConnection({
    target: { id: 'g', url, token, tlsFingerprint: null, allowInsecureTls: false, device, deviceToken },
    log: { debug: log, info: log, warn: log, error: log },
    onInfo: (info) => infos.push(info),
    onEvent: () => {},
    onDeviceToken: (issued) => tokens.push(issued),
    connectTimeoutMs: 2000,
    retry: QUICK,
    ...options,
  });
  cleanup.push(() => connection.close());
  const states = () => [...new Set(infos.map((info) => info.state))];
  return { connection, device, infos, tokens, logged, states };
}

const failure = (connection: GatewayConnection) =>
  connection.ready().then(
    () => null,
    (error: GatewayError) => error,
  );

const stateOf = (connection: GatewayConnection, state: string) =>
  vi.waitFor(() => expect(connection.info.state).toBe(state), { timeout: 5000 });

/** An approved connection, and what would be stored of it. */
async function approved() {
  const simulator = await remoteGateway();
  const made = connectionTo(simulator);
  made.connection.start();
  await stateOf(made.connection, 'PAIRING_REQUIRED');
  simulator.approveDevice();
  await stateOf(made.connection, 'CONNECTED');
  return { simulator, ...made, deviceToken: made.tokens[0] ?? null };
}

/** How the connects were signed in, oldest first. */
const signedIn = (simulator: Awaited<ReturnType<typeof remoteGateway>>) =>
  simulator.requests
    .filter(({ method }) => method === 'connect')
    .map(({ params }) => (params.auth as { token?: string } | undefined)?.token);

describe('a gateway on another host', () => {
  test('has the device approved by the command that is shown, and then connects by itself', async () => {
    const simulator = await remoteGateway();
    const { connection, tokens, device } = connectionTo(simulator);
    expect(await failure(connection)).toMatchObject({ reason: 'pairing-required', connection: 'PAIRING_REQUIRED' });
    const [waiting] = simulator.pendingDevices();
    expect(waiting).toMatchObject({ deviceId: device.deviceId, scopes: ['operator.admin'] });
    expect(connection.info).toMatchObject({
      state: 'PAIRING_REQUIRED',
      lastError: "The gateway waits for this server's device to be approved.",
      hint: `On the gateway's machine run: openclaw devices approve ${waiting?.requestId}`,
      nextAttemptAt: expect.any(Date),
    });
    await vi.waitFor(() => expect(signedIn(simulator).length).toBeGreaterThan(2));
    expect(simulator.pendingDevices()).toEqual([waiting]);
    expect(tokens).toEqual([]);

    simulator.approveDevice();
    await stateOf(connection, 'CONNECTED');
    expect((await connection.ready()).scopes).toEqual(['operator.admin']);
    expect(tokens).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    await connection.request('agents.list', {});
  });

  test('is asked every 5 s', async () => {
    const simulator = await remoteGateway();
    const { connection } = connectionTo(simulator, {}, { retry: {}, now: () => 1_000_000 });
    await failure(connection);
    expect(connection.info.nextAttemptAt).toEqual(new Date(1_005_000));
  });

  test('is signed in to with the token of the device as soon as there is one', async () => {
    const { simulator, connection, deviceToken, tokens } = await approved();
    const before = signedIn(simulator).length;
    simulator.dropConnections();
    await vi.waitFor(() => expect(signedIn(simulator).slice(before)).toEqual([deviceToken]));
    await stateOf(connection, 'CONNECTED');
    expect(tokens).toEqual([deviceToken]);
  });

  test.each([
    ['the shared token', 'right'],
    ['a wrong shared token', 'wrong'],
    ['no shared token', null],
  ])('takes the stored token after a fresh start, with %s beside it', async (_, token) => {
    const { simulator, connection, device, deviceToken } = await approved();
    await connection.close();
    const shared = token === 'right' ? simulator.token : token;
    const again = connectionTo({ url: simulator.url, token: shared }, { device, deviceToken });
    await again.connection.ready();
    expect(signedIn(simulator).at(-1)).toBe(deviceToken);
    expect(again.tokens).toEqual([]);
    expect(again.states()).toEqual(['CONNECTING', 'CONNECTED']);
  });

  test('that revokes the token wants a new approval, and gives another token', async () => {
    const { simulator, connection, device, deviceToken, tokens, infos } = await approved();
    simulator.revokeDevice(device.deviceId);
    await stateOf(connection, 'PAIRING_REQUIRED');
    expect(tokens).toEqual([deviceToken, null]);
    expect(connection.info.hint).toContain(`openclaw devices approve ${simulator.pendingDevices()[0]?.requestId}`);
    simulator.approveDevice();
    await stateOf(connection, 'CONNECTED');
    expect(tokens).toEqual([deviceToken, null, expect.stringMatching(/^[\w-]{43}$/)]);
    expect(tokens[2]).not.toBe(deviceToken);
    expect(infos.map((info) => info.state)).not.toContain('UNAUTHORIZED');
  });

  test('that revoked the token in the meantime is asked with the shared one at once', async () => {
    const { simulator, connection, device, deviceToken } = await approved();
    await connection.close();
    simulator.revokeDevice(device.deviceId);
    const again = connectionTo(simulator, { device, deviceToken }, { retry: { pairingMs: 600_000 } });
    expect(await failure(again.connection)).toMatchObject({ reason: 'pairing-required' });
    expect(again.tokens).toEqual([null]);
    expect(again.states()).toEqual(['CONNECTING', 'PAIRING_REQUIRED']);
    expect(signedIn(simulator).slice(-2)).toEqual([deviceToken, simulator.token]);
  });

  test('that revoked the token wants the shared one where there is none', async () => {
    const { simulator, connection, device, deviceToken } = await approved();
    await connection.close();
    simulator.revokeDevice(device.deviceId);
    const again = connectionTo({ url: simulator.url, token: null }, { device, deviceToken });
    expect(await failure(again.connection)).toMatchObject({ reason: 'token-missing' });
    expect(again.connection.info).toMatchObject({ state: 'UNAUTHORIZED', nextAttemptAt: null });
    expect(again.tokens).toEqual([null]);
  });

  test('that was made anew does not know the token, and is asked with the shared one', async () => {
    const { simulator: former, device, deviceToken } = await approved();
    await former.stop();
    const simulator = await remoteGateway();
    const { connection, tokens } = connectionTo(simulator, { device, deviceToken });
    expect(await failure(connection)).toMatchObject({ reason: 'pairing-required' });
    expect(tokens).toEqual([null]);
  });

  test('gives no rights without a device, and says what else can take them', async () => {
    const simulator = await remoteGateway();
    const connection = new GatewayConnection({
      target: {
        id: 'g',
        url: simulator.url,
        token: simulator.token,
        tlsFingerprint: null,
        allowInsecureTls: false,
        device: null,
        deviceToken: 'of no use without the device',
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      onInfo: () => {},
      onEvent: () => {},
    });
    cleanup.push(() => connection.close());
    expect(await failure(connection)).toMatchObject({ reason: 'no-rights' });
    expect(connection.info.hint).toContain('x-openclaw-scopes');
  });
});

test('a gateway on this host wants no approval and gives no token', async () => {
  const simulator = await remoteGateway({ remote: false });
  const { connection, tokens } = connectionTo(simulator);
  await connection.ready();
  expect(simulator.pendingDevices()).toEqual([]);
  expect(tokens).toEqual([]);
});

test.each([
  ['signature', { privateKeyPem: newDeviceKey() }, 'DEVICE_AUTH_SIGNATURE_INVALID'],
  ['id', { deviceId: 'a'.repeat(64) }, 'DEVICE_AUTH_DEVICE_ID_MISMATCH'],
])('a device with the %s of another is refused once, with what to do', async (_, part, gatewayCode) => {
  const simulator = await remoteGateway();
  const device = { ...deviceOf(newDeviceKey()), ...part };
  const { connection } = connectionTo(simulator, { device });
  expect(await failure(connection)).toMatchObject({ reason: 'device-refused', gatewayCode, retryable: false });
  expect(connection.info).toMatchObject({ state: 'UNAUTHORIZED', nextAttemptAt: null });
  expect(connection.info.lastError).toMatch(/^The gateway does not accept how this server's device signs in: /);
  expect(connection.info.hint).toContain('Update OpenClaw');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(signedIn(simulator)).toHaveLength(1);
});

test('one device is approved by each gateway for itself', async () => {
  const [one, other] = [await remoteGateway(), await remoteGateway()];
  const device = deviceOf(newDeviceKey());
  const tokens: [gatewayId: string, token: string | null][] = [];
  const pool = new GatewayPool({
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onInfo: () => {},
    onEvent: () => {},
    onDeviceToken: (gatewayId, token) => tokens.push([gatewayId, token]),
    retry: QUICK,
  });
  cleanup.push(() => pool.closeAll());
  const open = (id: string, { url, token }: Target, deviceToken: string | null = null) =>
    pool.open({ id, url, token, tlsFingerprint: null, allowInsecureTls: false, device, deviceToken });
  const connection = open('one', one);
  open('other', other);
  await vi.waitFor(() => expect([pool.info('one').state, pool.info('other').state]).not.toContain('CONNECTING'));

  one.approveDevice();
  await stateOf(connection, 'CONNECTED');
  expect(pool.info('other').state).toBe('PAIRING_REQUIRED');
  other.approveDevice();
  await vi.waitFor(() => expect(pool.info('other').state).toBe('CONNECTED'));
  expect(tokens.map(([gatewayId]) => gatewayId)).toEqual(['one', 'other']);
  expect(tokens[0]?.[1]).not.toBe(tokens[1]?.[1]);

  // What was stored in the meantime is no other target.
  expect(open('one', one, tokens[0]?.[1])).toBe(connection);
  one.revokeDevice(device.deviceId);
  await stateOf(connection, 'PAIRING_REQUIRED');
  expect(tokens.at(-1)).toEqual(['one', null]);
  expect(pool.info('other').state).toBe('CONNECTED');
});

describe('secrets', () => {
  test('are in nothing that is said or logged, whatever happens', async () => {
    const { simulator, connection, device, infos, logged, tokens } = await approved();
    simulator.revokeDevice(device.deviceId);
    await stateOf(connection, 'PAIRING_REQUIRED');
    simulator.approveDevice();
    await stateOf(connection, 'CONNECTED');
    await connection.request('no.such.method', {}).catch(() => {});
    expect(logged.length).toBeGreaterThan(3);
    const said = JSON.stringify([infos, logged]);
    const secrets = [simulator.token, ...tokens.filter((token) => token !== null), ...device.privateKeyPem.split('\n')];
    for (const secret of secrets.filter((text) => text.length > 30)) expect(said).not.toContain(secret);
  });

  test('are hidden in what a gateway says of them', async () => {
    const gateway = await new ScriptedGateway().start();
    cleanup.push(() => gateway.stop());
    const deviceToken = 'the-token-of-the-device';
    gateway.refusal = { code: 'UNAVAILABLE', message: `no ${deviceToken} now`, retryable: true };
    const { connection, infos, logged } = connectionTo({ url: gateway.url, token: null }, { deviceToken });
    expect((await failure(connection))?.message).toBe('no *** now');

    gateway.refusal = null;
    gateway.hello = {
      auth: { method: 'token', role: 'operator', scopes: ['operator.admin'], deviceToken: 'another-token' },
    };
    gateway.methods.set('tell', () => ({ ok: true }));
    await stateOf(connection, 'CONNECTED');
    const error = await connection.request('tell.another-token', {}).catch((thrown: GatewayError) => thrown);
    expect((error as GatewayError).message).toContain('***');
    expect(JSON.stringify([infos, logged])).not.toMatch(/the-token-of-the-device|another-token/);
  });

  test('a listener that fails ends nothing', async () => {
    const simulator = await remoteGateway();
    const { connection, logged } = connectionTo(
      simulator,
      {},
      {
        onDeviceToken: () => {
          throw new Error('the disk is full');
        },
      },
    );
    await failure(connection);
    simulator.approveDevice();
    await stateOf(connection, 'CONNECTED');
    expect(JSON.stringify(logged)).toContain('a listener of the gateway connection failed');
  });
});
