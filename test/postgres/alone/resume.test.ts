import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, followFleet } from '../../../docs/examples/fleet-copy.ts';
import { Balancer } from '../../support/balancer.ts';
import { UNREACHABLE } from '../../support/callers.ts';
import { Client } from '../../support/client.ts';
import { Heartbeat } from '../../support/documents.ts';
import { eventually } from '../../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../../support/fleet.ts';
import { ADMIN_TOKEN } from '../../support/mission-control.ts';
import { ownDatabase } from '../../support/own-database.ts';
import { ServerProcess } from '../../support/server-process.ts';

const postgres = inject('postgres');
const CLIENTS = 500;
const AGENTS = 100;
/** Between two changes, in ms. */
const EVERY_MS = 100;
/** What a client may be without events when its server goes: on a machine that others use as well, twice as long. */
const GAP_MS = process.env.CI ? 6_000 : 3_000;

/** The client of the documentation, and when it has seen something. */
class Follower {
  readonly agents = new Map<string, { id: string; name: string; status: string; liveness: string }>();
  /** The longest time without an event since the last `reset`, in ms. */
  longestGap = 0;
  readonly #client;
  readonly #following: Promise<void>;
  /** When it has seen something last. */
  seenAt = performance.now();

  constructor(url: string) {
    this.#client = connect(`${url.replace('http', 'ws')}/graphql`, ADMIN_TOKEN);
    this.#following = followFleet(this.#client, this.agents, () => {
      this.longestGap = Math.max(this.longestGap, performance.now() - this.seenAt);
      this.seenAt = performance.now();
    });
    this.#following.catch(() => undefined);
  }

  reset(): void {
    this.longestGap = 0;
    this.seenAt = performance.now();
  }

  async stop(): Promise<void> {
    await this.#client.dispose();
    await this.#following;
  }
}

describe.skipIf(postgres === null)(`${CLIENTS} clients that follow ${AGENTS} agents, at two servers`, () => {
  let settings: Record<string, string>;
  let database: pg.Client;
  let servers: { process: ServerProcess; url: string }[];
  let balancer: Balancer;
  let owner: Client;
  let agentIds: string[];
  let followers: Follower[];

  async function startServer(port = '0') {
    const each = new ServerProcess({ ...settings, PORT: port });
    return { process: each, url: (await each.listening()).url };
  }

  beforeAll(async () => {
    ({ client: database, settings } = await ownDatabase(postgres ?? ''));
    servers = [await startServer(), await startServer()];
    balancer = await Balancer.create(servers.map(({ url }) => url));
    owner = new Client(balancer.url, ADMIN_TOKEN);
    const board = await addBoard(owner, (await addGateway(owner, UNREACHABLE)).id, { maxAgents: AGENTS });
    agentIds = [];
    for (let count = 0; count < AGENTS; count++) agentIds.push((await addAgent(owner, board.id, `A${count}`)).id);
    followers = Array.from({ length: CLIENTS }, () => new Follower(balancer.url));
    await eventually(
      () => followers.every(({ agents }) => agents.size === AGENTS + 1),
      (all) => all,
      60_000,
    );
  }, 180_000);
  afterAll(async () => {
    for (const follower of followers ?? []) await follower.stop();
    await balancer?.stop();
    for (const each of servers ?? []) await each.process.stop();
    await database?.end();
  });

  /** Changes agents until told to stop. What a server that goes leaves without an answer is asked again. */
  async function changeAgents(signal: AbortSignal): Promise<number> {
    let changes = 0;
    for (; !signal.aborted; changes++) {
      const id = agentIds[changes % AGENTS] ?? '';
      const input = { id, status: Math.floor(changes / AGENTS) % 2 === 0 ? ('ACTIVE' as const) : ('IDLE' as const) };
      const change = () => owner.run(Heartbeat, { input });
      // Several connections of one pool may have been to it.
      await change().catch(change).catch(change).catch(change);
      await sleep(EVERY_MS);
    }
    return changes;
  }

  async function expectTrueCopies(): Promise<void> {
    const { rows } = await database.query<{ id: string; status: string; liveness: string }>(
      `SELECT id, status, liveness FROM "Agent" ORDER BY id`,
    );
    const line = (agent: { id: string; status: string; liveness: string }) =>
      `${agent.id} ${agent.status} ${agent.liveness}`;
    const wanted = rows.map(line);
    await eventually(
      () => followers.filter(({ agents }) => [...agents.values()].map(line).sort().join() !== wanted.join()).length,
      (wrong) => wrong === 0,
      15_000,
      200,
    );
  }

  it.each([
    ['is killed (-9)', 'SIGKILL'],
    ['is told to stop (SIGTERM)', 'SIGTERM'],
  ] as const)(
    'go on at the other one when theirs %s: they miss nothing, and wait not long',
    {
      timeout: 120_000,
    },
    async (_what, signal) => {
      const [staying, going] = servers;
      if (!staying || !going) expect.fail('there are no servers');
      const changing = new AbortController();
      const changes = changeAgents(changing.signal);
      await sleep(1_000);
      for (const follower of followers) follower.reset();
      const moved = balancer.openTo(going.url);
      expect(moved).toBeGreaterThan(CLIENTS / 5);
      going.process.signal(signal);
      await going.process.exited;
      await sleep(2 * GAP_MS);
      const gaps = followers.map(({ longestGap }) => longestGap).sort((a, b) => a - b);
      process.stdout.write(
        `${signal}: ${moved} connections had to move; without events for at most ${Math.round(gaps.at(-1) ?? 0)} ms, ` +
          `half of all for ${Math.round(gaps[CLIENTS / 2] ?? 0)} ms\n`,
      );
      expect(gaps.at(-1)).toBeLessThan(GAP_MS);
      changing.abort();
      expect(await changes).toBeGreaterThan(30);
      await expectTrueCopies();
      // The next one to go is the one that has them all.
      servers = [await startServer(new URL(going.url).port), staying];
    },
  );
});
