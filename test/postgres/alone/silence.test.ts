import { afterEach, describe, expect, inject, it } from 'vitest';
import { CuttingProxy } from '../../faults/cutting-proxy.ts';
import { UNREACHABLE } from '../../support/callers.ts';
import { Client } from '../../support/client.ts';
import { CreateBoard } from '../../support/documents.ts';
import { addGateway } from '../../support/fleet.ts';
import { ADMIN_TOKEN } from '../../support/mission-control.ts';
import { ownDatabase } from '../../support/own-database.ts';
import { RawSocket } from '../../support/raw-socket.ts';
import { ServerProcess } from '../../support/server-process.ts';

const postgres = inject('postgres');
/** What a server may take to give up what does not answer: on a machine that others use as well, a little longer. */
const GIVEN_UP_MS = process.env.CI ? 35_000 : 25_000;

describe.skipIf(postgres === null)('a PostgreSQL that says nothing any more', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** A server whose connections to its database go through a proxy, with a gateway. */
  async function start(more: Record<string, string> = {}) {
    const { client, settings } = await ownDatabase(postgres ?? '');
    ends.push(() => client.end());
    const url = new URL(settings.DATABASE_URL ?? '');
    const proxy = await CuttingProxy.create(Number(url.port));
    ends.push(() => proxy.stop());
    url.port = String(proxy.port);
    const server = new ServerProcess({ ...settings, DATABASE_URL: url.href, LOG_LEVEL: 'fatal', ...more });
    ends.push(() => server.kill());
    const listening = await server.listening();
    const owner = new Client(listening.url, ADMIN_TOKEN);
    const { id: gatewayId } = await addGateway(owner, UNREACHABLE);
    const createBoard = async (name: string) =>
      (await owner.ask(CreateBoard, { input: { gatewayId, name } })).data?.createBoard.__typename;
    return { proxy, server, url: listening.url, createBoard };
  }

  it('on connections that the network has dropped is asked on others: requests are answered again', {
    timeout: 120_000,
  }, async () => {
    const { proxy, url, createBoard } = await start();
    expect(await createBoard('Before')).toBe('Board');
    proxy.drop();
    const droppedAt = performance.now();
    // What is asked for on a connection that is gone fails with it; what is asked for next is answered.
    await Promise.all(Array.from({ length: 12 }, (_, index) => createBoard(`Meanwhile ${index}`)));
    expect(performance.now() - droppedAt).toBeLessThan(GIVEN_UP_MS);
    const askedAt = performance.now();
    expect(await createBoard('Afterwards')).toBe('Board');
    expect(performance.now() - askedAt).toBeLessThan(5_000);
    const socket = await RawSocket.open(url, ADMIN_TOKEN);
    await socket.acknowledged();
    await socket.close();
  });

  it('does not keep a server from stopping', { timeout: 120_000 }, async () => {
    const DRAIN_SECONDS = '1';
    const { proxy, server, createBoard } = await start({ DRAIN_SECONDS });
    expect(await createBoard('Before')).toBe('Board');
    proxy.stall('both');
    const unanswered = createBoard('Meanwhile').catch(() => 'cut off');
    const asked = performance.now();
    await server.stop();
    expect(performance.now() - asked).toBeLessThan(Number(DRAIN_SECONDS) * 1_000 + GIVEN_UP_MS);
    expect(await unanswered).not.toBe('Board');
  });
});
