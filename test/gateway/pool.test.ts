import { afterEach, expect, test, vi } from 'vitest';
import type { ConnectionInfo, GatewayTarget } from '../../src/gateway/connection.ts';
import { GatewayPool } from '../../src/gateway/pool.ts';
import { ScriptedGateway, silentLog } from './scripted-gateway.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end();
});

async function fixture() {
  const gateway = await new ScriptedGateway().start();
  const changes: [gatewayId: string, state: string, previous: string][] = [];
  const events: [gatewayId: string, event: string][] = [];
  const pool = new GatewayPool({
    log: silentLog,
    onInfo: (id: string, info: ConnectionInfo, previous: ConnectionInfo) => {
      if (info.state !== previous.state) changes.push([id, info.state, previous.state]);
    },
    onEvent: (id, event) => events.push([id, event.event]),
  });
  cleanup.push(() => gateway.stop());
  cleanup.push(() => pool.closeAll());
  const target = (id: string, rest: Partial<GatewayTarget> = {}): GatewayTarget => ({
    id,
    url: gateway.url,
    token: 'token-1',
    tlsFingerprint: null,
    allowInsecureTls: false,
    device: null,
    deviceToken: null,
    ...rest,
  });
  return { gateway, pool, target, changes, events };
}

test('a gateway has one connection, however often it is opened', async () => {
  const { gateway, pool, target } = await fixture();
  const connection = pool.open(target('a'));
  await connection.ready();
  expect(pool.open(target('a'))).toBe(connection);
  expect(pool.peek('a')).toBe(connection);
  expect(pool.peek('b')).toBeNull();
  expect(pool.info('b').state).toBe('UNKNOWN');
  await pool.open(target('b')).ready();
  expect(gateway.connects).toBe(2);
});

test('another token closes the old connection and opens a new one, whose changes follow on the old one’s', async () => {
  const { pool, target, changes } = await fixture();
  const old = pool.open(target('a'));
  await old.ready();
  const fresh = pool.open(target('a', { token: 'token-2' }));
  expect(fresh).not.toBe(old);
  await fresh.ready();
  await expect(old.ready()).rejects.toMatchObject({ reason: 'closed' });
  expect(changes).toEqual([
    ['a', 'CONNECTING', 'UNKNOWN'],
    ['a', 'CONNECTED', 'CONNECTING'],
    ['a', 'CONNECTING', 'CONNECTED'],
    ['a', 'CONNECTED', 'CONNECTING'],
  ]);
});

test('events are told with the gateway that they come from', async () => {
  const { gateway, pool, target, events } = await fixture();
  await pool.open(target('a')).ready();
  gateway.emit('shutdown', { reason: 'gateway stopping' });
  await vi.waitFor(() => expect(events).toEqual([['a', 'shutdown']]));
});

test('a closed gateway is opened afresh', async () => {
  const { pool, target } = await fixture();
  const old = pool.open(target('a'));
  await old.ready();
  await pool.close('a');
  await pool.close('unknown');
  expect(pool.peek('a')).toBeNull();
  const fresh = pool.open(target('a'));
  expect(fresh).not.toBe(old);
  await fresh.ready();
});
