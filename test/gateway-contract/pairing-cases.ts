import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Subject } from './cases.ts';
import { type Client, connect, type Dict, makeDevice, refusedConnect, until } from './client.ts';

type Device = ReturnType<typeof makeDevice>;

/** What the product relies on when it is on another host than the gateway. */
export function describePairing(subjectOf: () => Subject): void {
  describe('a client on another host', () => {
    let subject: Subject;
    let admin: Client;
    const clients: Client[] = [];

    beforeEach(async () => {
      subject = subjectOf();
      admin = await connect(subject);
      clients.push(admin);
    });
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((each) => each.stop()));
    });

    /** From another host, with the shared token unless told otherwise. */
    async function enter(options: Parameters<typeof connect>[1], url = subject.remoteUrl): Promise<Client> {
      const client = await connect({ url, token: subject.token }, options);
      clients.push(client);
      return client;
    }

    const withShared = ({ tokens: _, ...device }: Device) => device;
    const withOwn = (device: Device) => ({ ...withShared(device), token: '' });

    const refusal = async (options: Parameters<typeof refusedConnect>[1]) => {
      const { error, close, paused } = await refusedConnect(subject.remoteUrl, { token: subject.token, ...options });
      return { ...error, details: error.details ?? {}, close, paused };
    };

    const idOf = ({ deviceIdentity }: Device) => deviceIdentity?.deviceId;

    async function pendingOf(device: Device): Promise<Dict | undefined> {
      const { pending } = await admin.call<{ pending: Dict[] }>('device.pair.list');
      return pending.find(({ deviceId }) => deviceId === idOf(device));
    }

    const approve = async (device: Device) =>
      admin.call('device.pair.approve', { requestId: (await pendingOf(device))?.requestId });

    async function approvedDevice(): Promise<Device> {
      const device = makeDevice();
      await refusal(withShared(device));
      await approve(device);
      return device;
    }

    const REFUSED_TOKEN = {
      code: 'INVALID_REQUEST',
      message: 'unauthorized: device token mismatch (rotate/reissue device token)',
      details: { code: 'AUTH_DEVICE_TOKEN_MISMATCH', authReason: 'device_token_mismatch' },
      close: 1008,
      paused: true,
    };

    it('has no rights with the shared token alone', async () => {
      const client = await enter({});
      expect(client.hello.auth).toMatchObject({ method: 'token', scopes: [] });
      expect(await client.refusal('agents.list')).toMatchObject({ message: 'missing scope: operator.read' });
      expect(await client.call('health')).toMatchObject({ ok: true });
    });

    it('has its device wait for approval under one id, however often it asks', async () => {
      const device = makeDevice();
      const first = await refusal(withShared(device));
      const pending = await pendingOf(device);
      expect(first).toMatchObject({
        code: 'NOT_PAIRED',
        message: `device pairing required (requestId: ${pending?.requestId})`,
        details: {
          code: 'PAIRING_REQUIRED',
          reason: 'not-paired',
          requestId: pending?.requestId,
          deviceId: idOf(device),
          requestedRole: 'operator',
          requestedScopes: ['operator.admin'],
        },
        close: 1008,
        paused: true,
      });
      expect((await refusal(withShared(device))).details.requestId).toBe(pending?.requestId);
      const asked = await admin.event('device.pair.requested', ({ deviceId }) => deviceId === idOf(device));
      expect(asked).toEqual(pending);
      expect(asked).toMatchObject({
        clientId: 'gateway-client',
        clientMode: 'backend',
        role: 'operator',
        scopes: ['operator.admin'],
        remoteIp: expect.any(String),
        isRepair: false,
      });
    });

    it('asks under a new id after a rejection', async () => {
      const device = makeDevice();
      const { requestId } = (await refusal(withShared(device))).details;
      const rejected = await admin.call('device.pair.reject', { requestId });
      expect(rejected).toEqual({ requestId, deviceId: idOf(device) });
      expect((await refusal(withShared(device))).details.requestId).not.toBe(requestId);
      expect(await admin.refusal('device.pair.approve', { requestId })).toMatchObject({ message: 'unknown requestId' });
    });

    it('comes in when its device is approved, and then with the token of the device alone', async () => {
      const device = await approvedDevice();
      const resolved = await admin.event('device.pair.resolved', ({ deviceId }) => deviceId === idOf(device));
      expect(resolved).toMatchObject({ decision: 'approved' });
      const first = await enter(withShared(device));
      expect(first.hello.auth).toMatchObject({ method: 'token', scopes: ['operator.admin'] });
      const [token] = device.tokens;
      expect(token).toMatch(/^[\w-]{43}$/);

      const second = await enter(withOwn(device));
      expect(second.hello.auth).toMatchObject({
        method: 'device-token',
        scopes: ['operator.admin'],
        deviceToken: token,
      });
      await enter(withShared(device));
      // The same token each time, and one connection does not end the other.
      expect(new Set(device.tokens)).toEqual(new Set([token]));
      expect([...first.closes, ...second.closes]).toEqual([]);
      await second.call('agents.list');
    });

    it('is known by its device over loopback too, where it need not be', async () => {
      const stranger = makeDevice();
      const { hello } = await enter(withShared(stranger), subject.url);
      expect(hello.auth).toMatchObject({ method: 'token', scopes: ['operator.admin'] });
      expect(stranger.tokens).toEqual([]);
      const device = await approvedDevice();
      await enter(withShared(device), subject.url);
      expect(device.tokens).toHaveLength(1);
      expect((await enter(withOwn(device), subject.url)).hello.auth).toMatchObject({ method: 'device-token' });
    });

    it('is sent away when its token is revoked, and has to be approved again', async () => {
      const device = await approvedDevice();
      const client = await enter(withShared(device));
      const [token = ''] = device.tokens;
      await admin.call('device.token.revoke', { deviceId: idOf(device), role: 'operator' });
      await until(() => client.closes[0], 'the connection to be closed');
      expect(client.closes[0]).toEqual({ code: 4001, reason: 'device removed' });
      await client.stop();

      device.tokens.splice(0, device.tokens.length, token);
      expect(await refusal(withOwn(device))).toMatchObject(REFUSED_TOKEN);
      expect(device.tokens).toEqual([]);
      expect(await refusal(withShared(device))).toMatchObject({
        code: 'NOT_PAIRED',
        message: expect.stringMatching(/^role upgrade pending approval \(requestId: /),
        details: {
          code: 'PAIRING_REQUIRED',
          reason: 'role-upgrade',
          approvedRoles: ['operator'],
          approvedScopes: ['operator.admin'],
        },
      });
      expect(await pendingOf(device)).toMatchObject({ isRepair: true });
      await approve(device);
      await enter(withShared(device));
      expect(device.tokens).toHaveLength(1);
      expect(device.tokens).not.toContain(token);
    });

    it('gets the new token with the shared one when its token is rotated', async () => {
      const device = await approvedDevice();
      const client = await enter(withShared(device));
      const [token = ''] = device.tokens;
      const rotated = await admin.call('device.token.rotate', { deviceId: idOf(device), role: 'operator' });
      expect(rotated).toMatchObject({ tokenDelivery: 'withheld-cross-device' });
      await until(() => client.closes[0]?.code === 4001, 'the connection to be closed');
      await client.stop();
      device.tokens.splice(0, device.tokens.length, token);
      expect(await refusal(withOwn(device))).toMatchObject(REFUSED_TOKEN);
      await enter(withShared(device));
      expect(device.tokens).not.toContain(token);
    });

    it('is a stranger again when its device is removed', async () => {
      const device = await approvedDevice();
      const client = await enter(withShared(device));
      await admin.call('device.pair.remove', { deviceId: idOf(device) });
      await until(() => client.closes[0]?.code === 4001, 'the connection to be closed');
      await client.stop();
      expect(await refusal(withOwn(device))).toMatchObject(REFUSED_TOKEN);
      expect((await refusal(withShared(device))).details).toMatchObject({ reason: 'not-paired' });
      expect(await admin.refusal('device.pair.remove', { deviceId: idOf(device) })).toMatchObject({
        message: 'unknown deviceId',
      });
    });

    it('has to be approved again to get more rights than it has', async () => {
      const device = makeDevice();
      const reader = { ...withShared(device), scopes: ['operator.read'] };
      await refusal(reader);
      await approve(device);
      expect((await enter(reader)).hello.auth).toMatchObject({ scopes: ['operator.read'] });
      expect(await refusal({ ...withOwn(device), scopes: ['operator.admin'] })).toMatchObject({
        message: 'unauthorized: device token scope mismatch (re-pair or approve scope upgrade)',
        details: { code: 'AUTH_SCOPE_MISMATCH', recommendedNextStep: 'review_auth_configuration' },
      });
      expect((await refusal(withShared(device))).details).toMatchObject({
        reason: 'scope-upgrade',
        approvedScopes: ['operator.read'],
      });
    });

    it('is refused with a signature or an id that is not its own, and the client tries for ever', async () => {
      const [device, other] = [makeDevice(), makeDevice()];
      const mixed = (part: object) => ({
        ...withShared(device),
        deviceIdentity: { ...device.deviceIdentity, ...part } as NonNullable<Device['deviceIdentity']>,
      });
      expect(await refusal(mixed({ privateKeyPem: other.deviceIdentity?.privateKeyPem }))).toMatchObject({
        message: 'device signature invalid',
        details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID' },
        close: 1008,
        paused: false,
      });
      expect(await refusal(mixed({ deviceId: idOf(other) }))).toMatchObject({
        message: 'device identity mismatch',
        details: { code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH' },
        paused: false,
      });
    });

    it('is told with a wrong shared token that its device may have another', async () => {
      expect(await refusal({ ...withShared(makeDevice()), token: 'wrong' })).toMatchObject({
        details: { code: 'AUTH_TOKEN_MISMATCH', canRetryWithDeviceToken: true },
      });
      expect(await refusal({ ...withShared(makeDevice()), token: '' })).toMatchObject({
        details: { code: 'AUTH_TOKEN_MISSING' },
      });
    });
  });
}
