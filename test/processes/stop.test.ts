import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { AgentEvents } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { preparedFolder, ServerProcess, startProcess } from '../support/server-process.ts';

const CheckBeforeStop = graphql(`
  mutation CheckBeforeStop($id: ID!) {
    checkGateway(id: $id) { __typename ... on Gateway { connection { state latencyMs } } ... on Error { message } }
  }
`);

describe('stopping the server', () => {
  let gateway: Simulator;
  let folder: string;
  beforeAll(async () => {
    gateway = await startSimulator();
    folder = await preparedFolder();
  });
  afterAll(async () => {
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('tells subscribers to connect again, answers what is under way, and exits with 0', async () => {
    const { server, url, owner } = await startProcess(folder);
    const { id, mainAgent } = await addGateway(owner, gateway, 'Stopping');
    await provisioned(owner, mainAgent?.id ?? '');
    const live = owner.subscribe(AgentEvents);
    await live.connected;
    gateway.faults.add({ kind: 'late', ms: 1_000, method: 'health' });
    const before = gateway.requests.length;
    const underWay = owner.run(CheckBeforeStop, { id });
    await eventually(
      () => gateway.requests.slice(before).some(({ method }) => method === 'health'),
      (asked) => asked,
    );
    const asked = performance.now();
    const stopped = server.stop();
    await live.ended.catch(() => undefined);
    expect(live.closeCode).toBe(1012);
    const { checkGateway } = await underWay;
    expect(checkGateway).toMatchObject({ __typename: 'Gateway', connection: { state: 'CONNECTED' } });
    expect(await stopped).toEqual({ code: 0, signal: null });
    // Not the time that requests under way may take, but the one that this has taken.
    expect(performance.now() - asked).toBeLessThan(9_000);
    expect(server.stderr).toBe('');
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('goes on for DRAIN_SECONDS, and says on /readyz that it will not for long', async () => {
    const { server, url, owner } = await startProcess(folder, { DRAIN_SECONDS: '2' });
    const live = owner.subscribe(AgentEvents);
    await live.connected;
    const asked = performance.now();
    const stopped = server.stop();
    const readyz = () => fetch(`${url}/readyz`);
    const response = await eventually(readyz, ({ ok }) => !ok);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, missing: 'The server is stopping.' });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const answer = await fetch(`${url}/graphql?query={__typename}`, {
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    // Who keeps a connection for the next request makes a new one, which a proxy can lead elsewhere.
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(live.closeCode).toBe(null);
    await live.ended.catch(() => undefined);
    expect(live.closeCode).toBe(1012);
    expect(performance.now() - asked).toBeGreaterThan(1_900);
    expect(await stopped).toEqual({ code: 0, signal: null });
    await expect(readyz()).rejects.toThrow();
  });

  it('does not wait for a client that has stopped reading', async () => {
    const { server, url } = await startProcess(folder);
    const socket = await RawSocket.open(url, ADMIN_TOKEN);
    await socket.acknowledged();
    socket.socket.pause();
    const asked = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(10_000);
    socket.socket.terminate();
  });

  it('exits at once at a second signal', async () => {
    const { server, url, owner } = await startProcess(folder);
    const { id } = await addGateway(owner, gateway, 'Stalled');
    gateway.faults.add({ kind: 'stall', method: 'health' });
    const before = gateway.requests.length;
    const underWay = owner.run(CheckBeforeStop, { id }).catch(() => 'cut off');
    await eventually(
      () => gateway.requests.slice(before).some(({ method }) => method === 'health'),
      (asked) => asked,
    );
    server.signal('SIGTERM');
    await eventually(
      () =>
        fetch(`${url}/healthz`).then(
          () => false,
          () => true,
        ),
      (isClosed) => isClosed,
    );
    expect(server.isRunning).toBe(true);
    const asked = performance.now();
    server.signal('SIGINT');
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(await underWay).toBe('cut off');
  });

  it('while it is starting ends it as well, with 0', async () => {
    const server = new ServerProcess({ DATA_DIR: folder, LOG_LEVEL: 'debug' });
    // Its lock is the first thing that shows of it; signals are listened to long before.
    await eventually(
      () => lockedBy(folder),
      (pid) => pid === server.pid,
    );
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });
});

async function lockedBy(folder: string): Promise<number> {
  return Number((await readFile(`${folder}/lock`, 'utf8').catch(() => '')).split(' ')[0]);
}
