import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { ReachGateway } from '../api/documents.ts';
import type { Client } from '../support/client.ts';
import { ReadAgent, ReadConnection, ReadFleet, UpdateGateway } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { preparedFolder, startProcess } from '../support/server-process.ts';

// The server asks every 5 s whether it was approved.
const LONG = { timeout: 60_000, concurrent: true } as const;

const started: Simulator[] = [];
afterAll(async () => {
  for (const gateway of started) await gateway.stop();
});

/** A gateway that sees the server as coming from another host. */
async function remoteGateway(): Promise<Simulator> {
  const gateway = await startSimulator({ remote: true });
  started.push(gateway);
  return gateway;
}

const connectionOf = async (owner: Client, id: string) => (await owner.run(ReadConnection, { id })).gateway?.connection;
const isIn = (owner: Client, state: string, id: string) =>
  eventually(
    () => connectionOf(owner, id),
    (now) => now?.state === state,
  );

/** Who waits for approval at a gateway. */
function pendingAt(gateway: Simulator) {
  const [pending, ...others] = gateway.pendingDevices();
  expect(others).toEqual([]);
  return pending ?? expect.fail('nobody waits for approval');
}
const hintFor = (gateway: Simulator) =>
  `On the gateway's machine run: openclaw devices approve ${pendingAt(gateway).requestId}`;

const waitsForApproval = (owner: Client, agentId: string) =>
  eventually(
    async () => (await owner.run(ReadAgent, { id: agentId })).agent,
    (agent) => agent?.provisioning.phase === 'FAILED',
  );

/** Also after it had failed: an agent is FAILED until a moment after its gateway has let the server in. */
const goesOn = (owner: Client, agentId: string) =>
  eventually(
    async () => (await owner.run(ReadAgent, { id: agentId })).agent?.provisioning,
    (now) => now?.phase === 'SUCCEEDED',
  );

/** How the server signed in the last time. */
function latestAuth(gateway: Simulator): Record<string, unknown> {
  return gateway.requests.findLast(({ method }) => method === 'connect')?.params.auth as Record<string, unknown>;
}

/** The device that the server signed in as the last time. */
function deviceIdAt(gateway: Simulator): string {
  const connect = gateway.requests.findLast(({ method }) => method === 'connect');
  return (connect?.params.device as { id: string } | undefined)?.id ?? expect.fail('nobody connected');
}

/** Everything that an approved gateway and its agents show. */
async function answers(owner: Client, id: string): Promise<string> {
  return JSON.stringify([
    await owner.run(ReadConnection, { id }),
    await owner.run(ReachGateway, { id }),
    await owner.run(ReadFleet),
  ]);
}

/** All files of a folder, as text. */
async function textOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

describe('a gateway on another host', () => {
  let mc: MissionControl;
  beforeAll(async () => {
    mc = await startMissionControl();
  });
  afterAll(() => mc.stop());

  const rowOf = (id: string) => mc.prisma.gateway.findUniqueOrThrow({ where: { id } });

  /** One that has approved this server. */
  async function approved(name: string) {
    const gateway = await remoteGateway();
    const { id, mainAgent } = await addGateway(mc.owner, gateway, name);
    await isIn(mc.owner, 'PAIRING_REQUIRED', id);
    gateway.approveDevice();
    await isIn(mc.owner, 'CONNECTED', id);
    await goesOn(mc.owner, mainAgent?.id ?? '');
    return { gateway, id };
  }

  // It needs a data folder.
  it.skipIf(inject('postgres') !== null)(
    'is signed in to with the token of the device after a restart, and what was approved meanwhile goes on',
    LONG,
    async () => {
      const gateway = await remoteGateway();
      const folder = await preparedFolder();
      const printed: string[] = [];
      let running = await startProcess(folder, { LOG_LEVEL: 'trace' });
      const restart = async (meanwhile: () => void) => {
        await running.server.stop();
        printed.push(running.server.stdout, running.server.stderr);
        meanwhile();
        running = await startProcess(folder, { LOG_LEVEL: 'trace' });
      };
      const { id, mainAgent } = await addGateway(running.owner, gateway);
      await isIn(running.owner, 'PAIRING_REQUIRED', id);
      gateway.approveDevice();
      await isIn(running.owner, 'CONNECTED', id);
      await goesOn(running.owner, mainAgent?.id ?? '');

      const shared = gateway.token;
      await restart(() => {
        gateway.token = 'another-shared-token-that-nobody-told-us';
      });
      await isIn(running.owner, 'CONNECTED', id);
      const auth = latestAuth(gateway);
      const deviceToken = String(auth.deviceToken ?? auth.token);
      expect(deviceToken).toMatch(/^[\w-]{43}$/);
      expect(deviceToken).not.toBe(shared);
      expect(gateway.pendingDevices()).toEqual([]);
      const shown = await answers(running.owner, id);

      gateway.token = shared;
      gateway.revokeDevice(deviceIdAt(gateway));
      await isIn(running.owner, 'PAIRING_REQUIRED', id);
      const board = await addBoard(running.owner, id, { lead: 'Lena' });
      await waitsForApproval(running.owner, board.lead?.id ?? '');
      await restart(() => gateway.approveDevice());
      await isIn(running.owner, 'CONNECTED', id);
      await goesOn(running.owner, board.lead?.id ?? '');

      await running.server.stop();
      printed.push(running.server.stdout, running.server.stderr);
      const places = { printed: printed.join('\n'), stored: await textOf(folder), shown };
      for (const [place, text] of Object.entries(places))
        for (const secret of [deviceToken, shared, 'PRIVATE KEY'])
          expect(text.includes(secret), `${secret} in ${place}`).toBe(false);
      expect(places.printed).toContain('gateway connected');
      await rm(folder, { recursive: true, force: true });
    },
  );

  it('says which command approves this server, and when that is done everything goes on by itself', LONG, async () => {
    const gateway = await remoteGateway();
    const { id, mainAgent } = await addGateway(mc.owner, gateway, 'Remote');
    const waiting = await isIn(mc.owner, 'PAIRING_REQUIRED', id);
    const hint = hintFor(gateway);
    const message = "The gateway waits for this server's device to be approved.";
    expect(waiting).toMatchObject({ lastError: message, hint, connectedAt: null, nextAttemptAt: expect.any(String) });
    const { checkGateway } = await mc.owner.run(ReachGateway, { id });
    expect(checkGateway).toMatchObject({
      __typename: 'GatewayError',
      code: 'GATEWAY_REJECTED',
      gatewayCode: 'PAIRING_REQUIRED',
      message,
      hint,
    });

    const board = await addBoard(mc.owner, id, { name: 'Remote', lead: 'Lena' });
    const worker = await addAgent(mc.owner, board.id, 'Wanda');
    const agents = [mainAgent?.id ?? '', board.lead?.id ?? '', worker.id];
    for (const agent of agents)
      expect(await waitsForApproval(mc.owner, agent)).toMatchObject({
        status: 'PROVISIONING',
        provisioning: { nextAttemptAt: null, lastError: { message, hint, gatewayCode: 'PAIRING_REQUIRED' } },
      });

    // Asked again and again meanwhile, it is the same request.
    expect(hintFor(gateway)).toBe(hint);
    gateway.approveDevice(pendingAt(gateway).requestId);
    expect(await isIn(mc.owner, 'CONNECTED', id)).toMatchObject({ lastError: null, hint: null });
    for (const agent of agents) await goesOn(mc.owner, agent);
  });

  it('knows this server by the device that all gateways know it by, whose key is stored encrypted', LONG, async () => {
    const gateways = await Promise.all([remoteGateway(), remoteGateway()]);
    const added = await Promise.all(gateways.map((gateway, index) => addGateway(mc.owner, gateway, `Same ${index}`)));
    for (const { id } of added) await isIn(mc.owner, 'PAIRING_REQUIRED', id);
    const [one, two] = gateways.map((gateway) => pendingAt(gateway).deviceId);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(two).toBe(one);

    const [installation, ...others] = await mc.prisma.installation.findMany();
    expect(others).toEqual([]);
    expect(installation?.deviceKeySealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]{100,}$/);
    expect(installation?.deviceKeySealed).not.toContain('PRIVATE KEY');
  });

  it('gives a token to the device, which is stored encrypted and works without the shared one', LONG, async () => {
    const { gateway, id } = await approved('Tokens');
    const { deviceTokenSealed } = await eventually(
      () => rowOf(id),
      (row) => row.deviceTokenSealed !== null,
    );
    expect(deviceTokenSealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]+$/);

    const before = gateway.token;
    gateway.token = 'another-shared-token-that-nobody-told-us';
    const since = (await connectionOf(mc.owner, id))?.connectedAt;
    gateway.dropConnections();
    await eventually(
      () => connectionOf(mc.owner, id),
      (now) => now?.state === 'CONNECTED' && now.connectedAt !== since,
    );
    const auth = latestAuth(gateway);
    const token = String(auth.deviceToken ?? auth.token);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(JSON.stringify(auth)).not.toContain(before);
    expect(deviceTokenSealed).not.toContain(token);
    const shown = await answers(mc.owner, id);
    for (const secret of [token, before, gateway.token]) expect(shown).not.toContain(secret);
  });

  it('that revokes the device waits for another approval, and goes on after it', LONG, async () => {
    const { gateway, id } = await approved('Revoked');
    const board = await addBoard(mc.owner, id, { name: 'Revoked' });
    const settled = await addAgent(mc.owner, board.id, 'Settled');
    await provisioned(mc.owner, settled.id);
    const first = await eventually(
      () => rowOf(id),
      (row) => row.deviceTokenSealed !== null,
    );
    gateway.revokeDevice(deviceIdAt(gateway));
    const waiting = await isIn(mc.owner, 'PAIRING_REQUIRED', id);
    expect(waiting?.hint).toBe(hintFor(gateway));
    await eventually(
      () => rowOf(id),
      (row) => row.deviceTokenSealed === null,
    );
    const late = await addAgent(mc.owner, board.id, 'Late');
    await waitsForApproval(mc.owner, late.id);
    expect((await mc.owner.run(ReadAgent, { id: settled.id })).agent?.provisioning.phase).toBe('SUCCEEDED');

    gateway.approveDevice();
    await isIn(mc.owner, 'CONNECTED', id);
    await goesOn(mc.owner, late.id);
    const second = await eventually(
      () => rowOf(id),
      (row) => row.deviceTokenSealed !== null,
    );
    expect(second.deviceTokenSealed).not.toBe(first.deviceTokenSealed);
  });

  it('is not told at another address which token another one gave', LONG, async () => {
    const { gateway, id } = await approved('Moved');
    const elsewhere = await remoteGateway();
    const { updateGateway } = await mc.owner.run(UpdateGateway, {
      input: { id, url: elsewhere.url, token: elsewhere.token },
    });
    expect(updateGateway).toMatchObject({ __typename: 'Gateway', url: elsewhere.url });
    await isIn(mc.owner, 'PAIRING_REQUIRED', id);
    expect((await rowOf(id)).deviceTokenSealed).toBeNull();
    expect(pendingAt(elsewhere).deviceId).toBe(deviceIdAt(gateway));
    const told = elsewhere.requests.map(({ params }) => params.auth);
    for (const auth of told) expect(auth).toMatchObject({ token: elsewhere.token });
  });
});
