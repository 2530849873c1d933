import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ConnectionInfo, GatewayConnection } from '../../src/gateway/connection.ts';
import { deviceOf, newDeviceKey } from '../../src/gateway/device.ts';
import type { GatewayError } from '../../src/gateway/errors.ts';
import { type Client, connect } from '../gateway-contract/client.ts';
import { type RunningProxy, startProxy } from '../gateway-contract/proxy.ts';
import { installOpenClaw } from './install.ts';
import { type OpenClaw, startOpenClaw } from './openclaw.ts';

describe('a server on another host than its OpenClaw gateway', () => {
  let openclaw: OpenClaw;
  let proxy: RunningProxy;
  let admin: Client;
  const open: GatewayConnection[] = [];

  beforeAll(async () => {
    openclaw = await startOpenClaw({ cron: false, config: { gateway: { trustedProxies: ['127.0.0.1'] } } });
    proxy = await startProxy(openclaw.url);
    admin = await connect(openclaw);
  }, 240_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
  });
  afterAll(async () => {
    await admin?.stop();
    await proxy?.stop();
    await openclaw?.dispose();
  });

  const device = deviceOf(newDeviceKey());
  /** What the server would have stored. */
  let deviceToken: string | null = null;
  const said: unknown[] = [];
  const log = (...line: unknown[]) => void said.push(line);

  function connection({ token = openclaw.token as string | null, identity = device } = {}): GatewayConnection {
    const made = new GatewayConnection({
      target: {
        id: 'remote',
        url: proxy.url,
        token,
        tlsFingerprint: null,
        allowInsecureTls: false,
        device: identity,
        deviceToken,
      },
      log: { debug: log, info: log, warn: log, error: log },
      onInfo: (info: ConnectionInfo) => said.push(info),
      onEvent: () => undefined,
      onDeviceToken: (issued) => {
        deviceToken = issued;
      },
    });
    open.push(made);
    return made;
  }

  const failure = (made: GatewayConnection): Promise<GatewayError | null> =>
    made.ready().then(
      () => null,
      (error: GatewayError) => error,
    );

  const stateOf = (made: GatewayConnection, state: string) =>
    vi.waitFor(() => expect(made.info.state).toBe(state), { timeout: 30_000, interval: 100 });

  /** Runs the command of a hint on the gateway's machine, as its user. */
  async function runHint(hint: string | null): Promise<string> {
    const command = /run: openclaw (devices approve [\w-]+)$/.exec(hint ?? '')?.[1];
    if (!command) throw new Error(`no command in the hint: ${hint}`);
    const env = { PATH: process.env.PATH, HOME: openclaw.home, OPENCLAW_STATE_DIR: openclaw.stateDir };
    const { stdout } = await promisify(execFile)(process.execPath, [await installOpenClaw(), ...command.split(' ')], {
      env,
      timeout: 120_000,
    });
    return stdout;
  }

  it('is approved by the command that it shows, and connects by itself', async () => {
    const made = connection();
    expect(await failure(made)).toMatchObject({ reason: 'pairing-required' });
    expect(made.info).toMatchObject({ state: 'PAIRING_REQUIRED', nextAttemptAt: expect.any(Date) });
    expect(await runHint(made.info.hint)).toContain(`Approved ${device.deviceId}`);
    await stateOf(made, 'CONNECTED');
    expect((await made.ready()).scopes).toEqual(['operator.admin']);
    expect(deviceToken).toMatch(/^[\w-]{43}$/);
    expect(await made.request('agents.list', {})).toMatchObject({ defaultId: 'main' });
  });

  it('needs no shared token any more, and none is told anew', async () => {
    const before = deviceToken;
    await connection({ token: null }).ready();
    await connection({ token: 'a shared token that was changed since' }).ready();
    expect(deviceToken).toBe(before);
  });

  it('asks again when its token is revoked, and gets another', async () => {
    const before = deviceToken;
    const made = connection();
    await made.ready();
    await admin.call('device.token.revoke', { deviceId: device.deviceId, role: 'operator' });
    await stateOf(made, 'PAIRING_REQUIRED');
    expect(deviceToken).toBeNull();
    await runHint(made.info.hint);
    await stateOf(made, 'CONNECTED');
    expect(deviceToken).toMatch(/^[\w-]{43}$/);
    expect(deviceToken).not.toBe(before);
  });

  it('goes on with the new token when its own is rotated', async () => {
    const before = deviceToken;
    const made = connection();
    await made.ready();
    await admin.call('device.token.rotate', { deviceId: device.deviceId, role: 'operator' });
    // Cut off, refused with the old token, let in with the shared one.
    await vi.waitFor(() => expect([null, before]).not.toContain(deviceToken), { timeout: 30_000 });
    await stateOf(made, 'CONNECTED');
    expect(deviceToken).toMatch(/^[\w-]{43}$/);
  });

  it('asks again when its device was removed while it was away', async () => {
    await admin.call('device.pair.remove', { deviceId: device.deviceId });
    const made = connection();
    expect(await failure(made)).toMatchObject({ reason: 'pairing-required' });
    expect(deviceToken).toBeNull();
  });

  it('is refused once with a signature that is not its own', async () => {
    const made = connection({ identity: { ...device, privateKeyPem: newDeviceKey() } });
    expect(await failure(made)).toMatchObject({
      reason: 'device-refused',
      gatewayCode: 'DEVICE_AUTH_SIGNATURE_INVALID',
    });
    expect(made.info).toMatchObject({ state: 'UNAUTHORIZED', nextAttemptAt: null });
  });

  it('has said none of its secrets', () => {
    const all = JSON.stringify(said);
    expect(all).toContain(device.deviceId);
    expect(all).not.toContain(openclaw.token);
    expect(all).not.toContain(device.privateKeyPem.split('\n')[1]);
    expect(all).not.toMatch(/"token"|deviceToken/);
  });
});
