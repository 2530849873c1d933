import pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { PostgresListener } from '../../src/db/postgres-listener.ts';
import { CuttingProxy } from '../faults/cutting-proxy.ts';
import { eventually } from '../support/eventually.ts';

const postgres = inject('postgres');

describe.skipIf(postgres === null)('a connection that listens', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** A listener whose connection goes through a proxy, and a session that notifies. */
  async function listening() {
    const url = new URL(`${postgres}/postgres`);
    const proxy = await CuttingProxy.create(Number(url.port));
    ends.push(() => proxy.stop());
    const sender = new pg.Client({ connectionString: url.href });
    await sender.connect();
    ends.push(() => sender.end());
    url.port = String(proxy.port);
    const listener = new PostgresListener(url.href);
    ends.push(() => listener.close());
    const heard: string[] = [];
    let gaps = 0;
    await listener.listen(
      'listener_test',
      (payload) => heard.push(payload),
      () => {
        gaps += 1;
      },
    );
    const notify = (payload: string) => sender.query(`SELECT pg_notify('listener_test', $1)`, [payload]);
    return { proxy, heard, gaps: () => gaps, notify };
  }

  it('comes back when it is cut, and says that something may be missing', async () => {
    const { proxy, heard, gaps, notify } = await listening();
    await notify('before');
    await eventually(
      () => heard,
      (all) => all.includes('before'),
    );
    proxy.cut();
    await notify('meanwhile');
    await eventually(gaps, (count) => count === 1);
    await notify('after');
    await eventually(
      () => heard,
      (all) => all.includes('after'),
    );
    expect(heard).toEqual(['before', 'after']);
  });

  it('notices a network that has dropped it without a word', async () => {
    const { proxy, heard, gaps, notify } = await listening();
    const stalledAt = performance.now();
    proxy.stall('both');
    // Given up after 10 s at the latest; it cannot come back as long as nothing gets through.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    expect(gaps()).toBe(0);
    await proxy.heal();
    await eventually(gaps, (count) => count === 1, 15_000);
    await notify('after');
    await eventually(
      () => heard,
      (all) => all.includes('after'),
    );
    expect(performance.now() - stalledAt).toBeLessThan(27_000);
  });
});
