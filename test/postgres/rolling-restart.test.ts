import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client as SocketClient } from 'graphql-ws';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { ask } from '../../docs/examples/ask.ts';
import { connect } from '../../docs/examples/fleet-copy.ts';
import { toCursor } from '../../src/events/cursor.ts';
import { Balancer } from '../support/balancer.ts';
import { Caddy, hasCaddy } from '../support/caddy.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { ownDatabase } from '../support/own-database.ts';
import { ServerProcess } from '../support/server-process.ts';

const postgres = inject('postgres');
const AGENTS = 10;
const READERS = 5;
const TASK_MAKERS = 3;
const SUBSCRIBERS = 20;
/** Of each client, between an answer and its next request, in ms. */
const EVERY_MS = 20;

const OVERVIEW = '{ agents { totalCount nodes { id status } eventCursor } }';
const BEAT = `mutation ($input: HeartbeatInput!) {
  heartbeat(input: $input) { __typename ... on Agent { status } ... on Error { message } } }`;
const MAKE_TASK = `mutation ($input: CreateTaskInput!) {
  createTask(input: $input) { __typename ... on Task { id } ... on Error { message } } }`;
const EVENTS = `subscription ($filter: AgentEventFilter, $after: String) {
  agentEvents(filter: $filter, after: $after) { cursor } }`;
const TYPES = ['CREATED', 'STATUS_CHANGED', 'LIVENESS_CHANGED'];

/** Follows the log as docs/api.md tells, and keeps what has come. */
class Subscriber {
  readonly cursors: string[] = [];
  readonly #client: SocketClient;
  readonly #following: Promise<void>;

  constructor(url: string, boardId: string, after: string) {
    this.#client = connect(`${url.replace('http', 'ws')}/graphql`, ADMIN_TOKEN);
    this.#following = this.#follow({ filter: { boardId, types: TYPES }, after });
  }

  async #follow(variables: { filter: object; after: string }): Promise<void> {
    const events = this.#client.iterate<{ agentEvents: { cursor: string } }>({ query: EVENTS, variables });
    for await (const { data, errors } of events) {
      if (!data) throw new Error(JSON.stringify(errors));
      variables.after = data.agentEvents.cursor;
      this.cursors.push(variables.after);
    }
  }

  async stop(): Promise<void> {
    await this.#client.dispose();
    await this.#following;
  }
}

describe.skipIf(postgres === null)('two servers that are restarted one after the other', () => {
  let database: pg.Client;
  let settings: Record<string, string>;
  let servers: ServerProcess[];
  let proxy: { url: string; stop(): Promise<void> } | undefined;
  let subscribers: Subscriber[];

  beforeEach(async () => {
    ({ client: database, settings } = await ownDatabase(postgres ?? ''));
    servers = [];
    subscribers = [];
  });
  afterEach(async () => {
    for (const subscriber of subscribers) await subscriber.stop();
    await proxy?.stop();
    for (const server of servers) await server.kill();
    await database.end();
  });

  async function startServer(env: Record<string, string>): Promise<string> {
    const server = new ServerProcess({ ...settings, ...env });
    servers.push(server);
    return (await server.listening()).url;
  }

  /** As an operator does it, or their tool: the next one goes when the one before is there again. */
  async function restart(env: Record<string, string>): Promise<void> {
    for (const server of servers.slice(0, 2)) {
      const { url } = await server.listening();
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      expect(server.stderr).toBe('');
      expect(server.stdout).not.toMatch(/"level":[56]0/);
      expect(await startServer({ ...env, PORT: new URL(url).port })).toBe(url);
      await sleep(500);
    }
  }

  interface Case {
    name: string;
    create: (urls: string[]) => Promise<{ url: string; stop(): Promise<void> }>;
    DRAIN_SECONDS: string;
    /** A client without patience fails at the first request that is not answered. */
    patienceMs: number;
  }
  const cases: Case[] = [
    {
      name: 'a proxy that looks at /readyz no request fails',
      create: (urls) => Balancer.create(urls, { looks: true }),
      DRAIN_SECONDS: '1',
      patienceMs: 0,
    },
    {
      name: 'one that does not, clients send some again',
      create: (urls) => Balancer.create(urls),
      DRAIN_SECONDS: '0',
      patienceMs: 10_000,
    },
  ];
  if (hasCaddy)
    cases.push({
      name: 'the Caddy of compose.yaml no request fails',
      create: (urls) => Caddy.create(urls),
      DRAIN_SECONDS: '3',
      patienceMs: 0,
    });
  it.each(cases)('behind $name, and nobody misses anything or gets it twice', async (each) => {
    const { create, DRAIN_SECONDS, patienceMs } = each;
    const urls = [await startServer({ DRAIN_SECONDS }), await startServer({ DRAIN_SECONDS })];
    proxy = await create(urls);
    const { url } = proxy;
    const owner = new Client(url, ADMIN_TOKEN);
    const board = await addBoard(owner, (await addGateway(owner, UNREACHABLE)).id, { maxAgents: AGENTS });
    const agentIds: string[] = [];
    for (let count = 0; count < AGENTS; count++) agentIds.push((await addAgent(owner, board.id, `A${count}`)).id);

    const request = async <Data>(query: string, variables = {}): Promise<Data> => {
      const answer = await ask<Data>(`${url}/graphql`, ADMIN_TOKEN, { query, variables }, { patienceMs });
      return answer.data ?? expect.fail(JSON.stringify(answer));
    };
    const { agents } = await request<{ agents: { eventCursor: string } }>(OVERVIEW);
    subscribers = Array.from({ length: SUBSCRIBERS }, () => new Subscriber(url, board.id, agents.eventCursor));

    const ending = new AbortController();
    const untilTheEnd = async (step: (count: number) => Promise<void>): Promise<number> => {
      let count = 0;
      for (; !ending.signal.aborted; count++) {
        await step(count);
        await sleep(EVERY_MS);
      }
      return count;
    };
    const tasks: string[] = [];
    const clients = [
      ...agentIds.map((id) =>
        untilTheEnd(async (count) => {
          const status = count % 2 === 0 ? 'ACTIVE' : 'IDLE';
          const { heartbeat } = await request<{ heartbeat: object }>(BEAT, { input: { id, status } });
          expect(heartbeat).toEqual({ __typename: 'Agent', status });
        }),
      ),
      ...Array.from({ length: READERS }, () =>
        untilTheEnd(async () => {
          const { agents } = await request<{ agents: { totalCount: number } }>(OVERVIEW);
          expect(agents.totalCount).toBe(AGENTS + 1);
        }),
      ),
      ...Array.from({ length: TASK_MAKERS }, () =>
        untilTheEnd(async () => {
          const id = randomUUID();
          const input = { id, boardId: board.id, title: id };
          const { createTask } = await request<{ createTask: object }>(MAKE_TASK, { input });
          expect(createTask).toEqual({ __typename: 'Task', id });
          tasks.push(id);
        }),
      ),
    ];
    const working = Promise.all(clients);
    await Promise.race([restart({ DRAIN_SECONDS }), working]);
    ending.abort();
    for (const count of await working) expect(count).toBeGreaterThan(10);

    const made = await database.query<{ id: string }>('SELECT id FROM "Task" ORDER BY id');
    expect(made.rows.map(({ id }) => id)).toEqual(tasks.sort());
    const log = await database.query<{ seq: string }>(
      `SELECT seq FROM "AgentEvent" WHERE "boardId" = $1 AND type::text = ANY($2) ORDER BY seq`,
      [board.id, TYPES],
    );
    const all = log.rows.map(({ seq }) => toCursor(BigInt(seq))).filter((cursor) => cursor > agents.eventCursor);
    expect(all.length).toBeGreaterThan(AGENTS * 10);
    await eventually(
      () => subscribers.filter(({ cursors }) => cursors.at(-1) !== all.at(-1)).length,
      (behind) => behind === 0,
    );
    for (const { cursors } of subscribers) expect(cursors).toEqual(all);
  });
});
