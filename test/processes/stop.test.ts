import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { AgentEvents } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addGateway, provisioned } from '../support/fleet.ts';
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
    const stopped = server.stop();
    await live.ended.catch(() => undefined);
    expect(live.closeCode).toBe(1012);
    const { checkGateway } = await underWay;
    expect(checkGateway).toMatchObject({ __typename: 'Gateway', connection: { state: 'CONNECTED' } });
    expect(await stopped).toEqual({ code: 0, signal: null });
    expect(server.stderr).toBe('');
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
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
