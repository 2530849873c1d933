import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { PostgresLeases } from '../../src/db/postgres-leases.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { ReachGateway, WakeAgent } from '../api/documents.ts';
import { AgentEvents, ReadAgent, ReadConnection } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { startMissionControl } from '../support/mission-control.ts';
import { startProcess } from '../support/server-process.ts';

const postgres = inject('postgres');

describe.skipIf(postgres === null)('on PostgreSQL', () => {
  const ends: (() => Promise<unknown>)[] = [];
  /** A session of the test's own, on no database that anybody copies. */
  let admin: pg.Client;

  beforeAll(async () => {
    admin = new pg.Client({ connectionString: `${postgres}/postgres` });
    await admin.connect();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(() => admin.end());

  describe('a lease', () => {
    function newLeases() {
      const leases = new PostgresLeases(`${postgres}/postgres`);
      const lost = { times: 0 };
      leases.onLost(() => {
        lost.times += 1;
      });
      ends.push(() => leases.close());
      return { leases, lost };
    }
    const newKeys = (count: number) => Array.from({ length: count }, () => randomUUID());
    const held = async ({ leases }: { leases: PostgresLeases }, keys: string[]) => [...(await leases.acquire(keys))];

    /** The process of PostgreSQL whose session holds a key. */
    async function holderOf(key: string): Promise<number> {
      const { rows } = await admin.query<{ pid: number }>(
        `SELECT pid FROM pg_locks, (SELECT hashtextextended('lease:' || $1, 0) AS hash) AS wanted
         WHERE locktype = 'advisory' AND granted AND objsubid = 1
           AND (classid::bigint << 32 | objid::bigint) = hash`,
        [key],
      );
      return rows[0]?.pid ?? expect.fail('nobody holds it');
    }

    it('has one holder, however many ask at the same time, again and again', async () => {
      const all = Array.from({ length: 8 }, newLeases);
      const keys = newKeys(40);
      await Promise.all(all.map((each, index) => held(each, keys.slice(index * 3))));
      const sets = await Promise.all(all.map((each) => held(each, keys)));
      expect(sets.flat().sort()).toEqual(keys.toSorted());
      // Who holds one holds it still, once.
      expect(await Promise.all(all.map((each) => held(each, keys)))).toEqual(sets);
      expect(all.map(({ lost }) => lost.times)).toEqual(all.map(() => 0));
    });

    it('is free for another as soon as its holder gives it up, or closes', async () => {
      const [one, two] = [newLeases(), newLeases()];
      const [first = '', second = '', third = ''] = newKeys(3);
      expect(await held(one, [first, second, third])).toEqual([first, second, third]);
      expect(await held(two, [first, second, third])).toEqual([]);
      await one.leases.release(second);
      expect(await held(two, [first, second, third])).toEqual([second]);
      expect(await held(one, [first, second, third])).toEqual([first, third]);
      await one.leases.close();
      await eventually(
        () => held(two, [first, second, third]),
        (keys) => keys.length === 3,
        1_000,
      );
      // It was given up, not lost; and can be asked for again.
      expect(one.lost.times).toBe(0);
      expect(await held(one, [first])).toEqual([]);
      await two.leases.release(first);
      expect(await held(one, [first])).toEqual([first]);
    });

    it('is lost with the session, which is told at once, and can be had again', async () => {
      const [one, two] = [newLeases(), newLeases()];
      const keys = newKeys(3);
      const [key = '', ...others] = keys;
      expect(await held(one, keys)).toEqual(keys);
      await admin.query('SELECT pg_terminate_backend($1)', [await holderOf(key)]);
      await eventually(
        () => one.lost.times,
        (times) => times === 1,
        1_000,
      );
      expect(await held(two, [key])).toEqual([key]);
      expect(await held(one, keys)).toEqual(others);
      expect(one.lost.times).toBe(1);
    });

    it('counts as lost when the database does not answer for 5 s, and nobody else has it before', async () => {
      const [one, two] = [newLeases(), newLeases()];
      const [key = ''] = newKeys(1);
      expect(await held(one, [key])).toEqual([key]);
      const pid = await holderOf(key);
      process.kill(pid, 'SIGSTOP');
      try {
        const asked = performance.now();
        await expect(one.leases.acquire([key])).rejects.toThrow('timeout');
        expect(performance.now() - asked).toBeLessThan(7_000);
        expect(one.lost.times).toBe(1);
        // On a session of its own that answers; what the silent one holds is free when that is seen to have ended.
        expect(await held(one, [key])).toEqual([]);
        expect(await held(two, [key])).toEqual([]);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await eventually(
        () => held(two, [key]),
        ([got]) => got === key,
      );
      expect(await held(one, [key])).toEqual([]);
    });
  });

  describe('of two servers', () => {
    const SECRET_KEY = Buffer.alloc(32, 9).toString('base64');

    async function newDatabase(): Promise<Record<string, string>> {
      const name = `leases_${randomUUID().replaceAll('-', '')}`;
      await admin.query(`CREATE DATABASE ${name} TEMPLATE template`);
      // Documents name the address, so it has to be the same for both.
      return { DATABASE_URL: `${postgres}/${name}`, SECRET_KEY, BASE_URL: 'http://127.0.0.1:9' };
    }
    async function server(settings: Record<string, string>) {
      const mc = await startMissionControl(settings);
      let ended: Promise<void> | null = null;
      const stop = () => {
        ended ??= mc.stop();
        return ended;
      };
      ends.push(stop);
      return { ...mc, stop };
    }
    async function simulator(): Promise<Simulator> {
      const gateway = await startSimulator();
      ends.push(() => gateway.stop());
      return gateway;
    }

    /** The connections that hear a gateway's events: who has its lease has one. */
    const listeners = (gateway: Simulator) =>
      gateway.requests.filter(({ method }) => method === 'sessions.subscribe').map(({ connectionId }) => connectionId);
    const connects = (gateway: Simulator) => gateway.requests.filter(({ method }) => method === 'connect').length;
    const wakeUps = (gateway: Simulator, { openclawAgentId }: { openclawAgentId: string }) =>
      gateway.runs().filter((run) => run.agentId === openclawAgentId && run.kind === 'chat').length;
    const isListenedTo = (gateway: Simulator, times: number) =>
      eventually(
        () => listeners(gateway),
        (ids) => ids.length >= times,
      );

    it('one looks for agents without signs of life; when it stops the other one does', {
      timeout: 60_000,
    }, async () => {
      const settings = await newDatabase();
      const client = new pg.Client({ connectionString: settings.DATABASE_URL });
      await client.connect();
      ends.push(() => client.end());
      const sweepers = async () => {
        const { rows } = await client.query<{ pid: number }>(
          `SELECT DISTINCT pid FROM pg_locks, (SELECT hashtextextended('lease:liveness', 0) AS hash) AS wanted
           WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = hash
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return rows.map(({ pid }) => pid);
      };
      const first = await server(settings);
      const [holder] = await eventually(sweepers, (pids) => pids.length === 1);
      await server(settings);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(await sweepers()).toEqual([holder]);
      await first.stop();
      const [heir] = await eventually(sweepers, (pids) => pids.length === 1 && pids[0] !== holder);
      expect(heir).not.toBe(holder);
    });

    it('one looks after a gateway, whichever is asked; when it stops the other one does', {
      timeout: 60_000,
    }, async () => {
      const settings = await newDatabase();
      const gateway = await simulator();
      const first = await server(settings);
      const { id, mainAgent } = await addGateway(first.owner, gateway);
      await provisioned(first.owner, mainAgent?.id ?? '');
      const second = await server(settings);
      const live = second.owner.subscribe(AgentEvents);
      await live.connected;

      const board = await addBoard(second.owner, id, { lead: 'Lena' });
      const worker = await addAgent(second.owner, board.id);
      for (const agent of [board.lead?.id ?? '', worker.id]) await provisioned(second.owner, agent);
      // Who is at the other server is told of it, too.
      await live.first(({ agentEvents: event }) => event.agentId === worker.id && event.status === 'IDLE');
      expect(listeners(gateway)).toHaveLength(1);
      expect(connects(gateway)).toBe(1);

      // What is asked for at once has a connection of its own there, which hears no events.
      const { wakeAgent } = await second.owner.run(WakeAgent, { id: worker.id });
      expect(wakeAgent.__typename).toBe('Agent');
      expect(connects(gateway)).toBe(2);
      expect(listeners(gateway)).toHaveLength(1);
      expect(wakeUps(gateway, worker)).toBe(2);
      await live.stop();

      const stopped = performance.now();
      await first.stop();
      const late = await addAgent(second.owner, board.id, 'Late');
      await provisioned(second.owner, late.id);
      expect(performance.now() - stopped).toBeLessThan(15_000);
      await isListenedTo(gateway, 2);
      expect(new Set(listeners(gateway)).size).toBe(2);
      expect(wakeUps(gateway, late)).toBe(1);
      const { gateway: shown } = await second.owner.run(ReadConnection, { id });
      expect(shown?.connection).toMatchObject({ state: 'CONNECTED', lastError: null });
    });

    it('either lets a gateway be looked at again that refused the token, whichever is asked', {
      timeout: 60_000,
    }, async () => {
      const settings = await newDatabase();
      const gateway = await simulator();
      const { token } = gateway;
      const first = await server(settings);
      const { id, mainAgent } = await addGateway(first.owner, gateway);
      const board = await addBoard(first.owner, id);
      await provisioned(first.owner, mainAgent?.id ?? '');
      const second = await server(settings);
      for (const { owner } of [first, second]) {
        const before = listeners(gateway).length;
        gateway.token = 'another token';
        gateway.dropConnections();
        await eventually(
          () => owner.run(ReadConnection, { id }),
          ({ gateway }) => gateway?.connection.state === 'UNAUTHORIZED',
        );
        const agent = await addAgent(owner, board.id, `Waiting ${before}`);
        await eventually(
          () => owner.run(ReadAgent, { id: agent.id }),
          ({ agent }) => agent?.provisioning.phase === 'FAILED',
        );
        gateway.token = token;
        expect((await owner.run(ReachGateway, { id })).checkGateway.__typename).toBe('Gateway');
        await eventually(
          () => owner.run(ReadAgent, { id: agent.id }),
          ({ agent }) => agent?.provisioning.phase === 'SUCCEEDED',
        );
        await isListenedTo(gateway, before + 1);
        const { gateway: shown } = await eventually(
          () => owner.run(ReadConnection, { id }),
          ({ gateway }) => gateway?.connection.state === 'CONNECTED',
        );
        expect(shown?.connection.lastError).toBeNull();
      }
    });

    it('the other one takes over within 15 s when it is killed (-9) in the middle of its work', {
      timeout: 90_000,
    }, async () => {
      const settings = await newDatabase();
      const gateway = await simulator();
      const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-leases-'));
      ends.push(() => rm(folder, { recursive: true, force: true }));
      const { server: first, owner } = await startProcess(folder, settings);
      ends.push(() => first.kill());
      const { id, mainAgent } = await addGateway(owner, gateway);
      await provisioned(owner, mainAgent?.id ?? '');
      const second = await server(settings);

      const board = await addBoard(second.owner, id, { maxAgents: 100 });
      gateway.faults.add({ kind: 'late', method: 'agents.files.set', ms: 300, times: 1_000 });
      const agents = await Promise.all(
        Array.from({ length: 5 }, (_, index) => addAgent(second.owner, board.id, `Worker ${index}`)),
      );
      await eventually(
        () => gateway.requests.filter(({ method }) => method === 'agents.files.set').length,
        (count) => count > 10,
      );
      const killed = performance.now();
      await first.kill();
      gateway.faults.clear();
      for (const agent of agents) await provisioned(second.owner, agent.id);
      expect(performance.now() - killed).toBeLessThan(15_000);
      for (const agent of agents) expect(wakeUps(gateway, agent)).toBe(1);
      expect(listeners(gateway)).toHaveLength(2);
    });

    it('each gateway has one, also when both start and gateways come at the same time', {
      timeout: 60_000,
    }, async () => {
      const settings = await newDatabase();
      const servers = await Promise.all([server(settings), server(settings)]);
      const gateways = await Promise.all(Array.from({ length: 4 }, simulator));
      const added = await Promise.all(
        gateways.map((gateway, index) => {
          const { owner } = servers[index % 2] ?? expect.fail();
          return addGateway(owner, gateway, `Gateway ${index}`);
        }),
      );
      for (const { mainAgent } of added) await provisioned(servers[0]?.owner ?? expect.fail(), mainAgent?.id ?? '');
      for (const gateway of gateways) {
        expect(listeners(gateway)).toHaveLength(1);
        expect(connects(gateway)).toBe(1);
        expect(wakeUps(gateway, { openclawAgentId: gateway.runs()[0]?.agentId ?? '' })).toBe(1);
      }
    });

    it('what is asked for is done once when the sessions of the leases are ended', { timeout: 60_000 }, async () => {
      const settings = await newDatabase();
      const gateway = await simulator();
      const [one] = await Promise.all([server(settings), server(settings)]);
      const { owner } = one;
      const { id, mainAgent } = await addGateway(owner, gateway);
      await provisioned(owner, mainAgent?.id ?? '');
      const board = await addBoard(owner, id, { maxAgents: 100 });
      const agents = [];
      for (let round = 1; round <= 3; round++) {
        agents.push(await addAgent(owner, board.id, `Round ${round}`));
        await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = $1 AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)
             AND query LIKE '%lease:%'`,
          [new URL(settings.DATABASE_URL ?? '').pathname.slice(1)],
        );
        await isListenedTo(gateway, round + 1);
      }
      for (const agent of agents) {
        await provisioned(owner, agent.id);
        expect(wakeUps(gateway, agent)).toBe(1);
      }
    });
  });
});
