import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { toCursor } from '../../src/events/cursor.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { Client } from '../support/client.ts';
import { Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { numberIn } from '../support/number-in.ts';
import { ownDatabase } from '../support/own-database.ts';
import { ServerProcess } from '../support/server-process.ts';

const BoardAtAnyServer = graphql(`
  subscription BoardAtAnyServer($boardId: ID!, $after: String, $since: DateTime) {
    agentEvents(filter: { boardId: $boardId, types: [CREATED, STATUS_CHANGED] }, after: $after, since: $since) { cursor }
  }
`);

const postgres = inject('postgres');
const SERVERS = 3;
const RUNS = 6;

/** Somebody who changes agents, one change after another, each at some server. */
interface Writer {
  changes: { server: number; what: 'ACTIVE' | 'IDLE' | 'new agent' }[];
}
/** Somebody who follows: at some server until so many events have come, then at another, and at the last to the end. */
interface Reader {
  visits: { server: number; takes: number }[];
}
interface Plan {
  writers: Writer[];
  readers: Reader[];
  /** After how many milliseconds the servers lose the connections by which they are notified. */
  cuts: number[];
}

const server = fc.nat(SERVERS - 1);
const plans: fc.Arbitrary<Plan> = fc.record({
  writers: fc.array(
    fc.record({
      changes: fc.array(fc.record({ server, what: fc.constantFrom('ACTIVE', 'IDLE', 'ACTIVE', 'IDLE', 'new agent') }), {
        minLength: 10,
        maxLength: 60,
        size: 'max',
      }),
    }),
    { minLength: 2, maxLength: 8 },
  ),
  readers: fc.array(
    fc.record({
      visits: fc.array(fc.record({ server, takes: fc.nat(40) }), { minLength: 1, maxLength: 8, size: 'max' }),
    }),
    { minLength: 3, maxLength: 10 },
  ),
  cuts: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 3 }),
});

describe.skipIf(postgres === null)('the feed of several servers on one PostgreSQL', () => {
  let database: pg.Client;
  let servers: { process: ServerProcess; owner: Client }[];
  let gatewayId: string;

  beforeAll(async () => {
    const { client, settings } = await ownDatabase(postgres ?? '');
    database = client;
    servers = [];
    for (let count = 0; count < SERVERS; count++) {
      const each = new ServerProcess(settings);
      const { url } = await each.listening();
      servers.push({ process: each, owner: new Client(url, ADMIN_TOKEN) });
    }
    gatewayId = (await addGateway(ownerAt(0), UNREACHABLE)).id;
  });
  afterAll(async () => {
    for (const each of servers ?? []) await each.process.stop();
    await database?.end();
  });

  const ownerAt = (index: number) => servers[index]?.owner ?? expect.fail('there is no such server');

  /** The cursors of a board's events, as the table has them. */
  async function logOf(boardId: string): Promise<string[]> {
    const { rows } = await database.query<{ seq: string }>(
      `SELECT seq FROM "AgentEvent" WHERE "boardId" = $1 AND type IN ('CREATED', 'STATUS_CHANGED') ORDER BY seq`,
      [boardId],
    );
    return rows.map(({ seq }) => toCursor(BigInt(seq)));
  }

  async function write({ changes }: Writer, boardId: string, number: number): Promise<void> {
    let { id } = await addAgent(ownerAt(0), boardId, `Writer ${number}`);
    for (const [index, { server, what }] of changes.entries()) {
      const owner = ownerAt(server);
      if (what === 'new agent') ({ id } = await addAgent(owner, boardId, `Writer ${number}, ${index}`));
      else await owner.run(Heartbeat, { input: { id, status: what } });
    }
  }

  /** @returns all that came, in the order in which it came */
  async function read(
    { visits }: Reader,
    boardId: string,
    since: string,
    /** The last cursor of the log, once nothing more is written. */
    end: { cursor: string | null },
  ): Promise<string[]> {
    const cursors: string[] = [];
    for (const [index, { server, takes }] of visits.entries()) {
      const after = cursors.at(-1);
      const live = ownerAt(server).subscribe(BoardAtAnyServer, {
        boardId,
        ...(after === undefined ? { since } : { after }),
      });
      const over = live.ended.then(() => expect.fail(`The subscription is over: ${live.closeCode}`));
      over.catch(() => undefined);
      await live.connected;
      const last = () => live.received.at(-1)?.value.agentEvents.cursor ?? after;
      const isLastVisit = index === visits.length - 1;
      const enough = eventually(
        () => (!isLastVisit && live.received.length >= takes) || (end.cursor !== null && last() === end.cursor),
        (enough) => enough,
        60_000,
      );
      await Promise.race([enough, over]);
      await live.stop();
      cursors.push(...live.received.map(({ value }) => value.agentEvents.cursor));
    }
    return cursors;
  }

  /** @returns how many servers have lost theirs */
  async function cut(afterMs: number): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const { rowCount } = await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'mission-control listener'`,
    );
    return rowCount ?? 0;
  }

  it('gives every reader exactly the log, whoever writes where, wherever it goes on, and whoever is not notified', {
    timeout: 300_000,
  }, async () => {
    const seed = numberIn(process.env, 'FEED_SEED') ?? Date.now() % 2 ** 31;
    let boards = 0;
    let lost = 0;
    await fc.assert(
      fc.asyncProperty(plans, async ({ writers, readers, cuts }) => {
        const { id } = await addBoard(ownerAt(0), gatewayId, { name: `Board ${boards++}`, maxAgents: 1_000 });
        const since = new Date(Date.now() - 1).toISOString();
        const end: { cursor: string | null } = { cursor: null };
        const reading = readers.map((reader) => read(reader, id, since, end));
        const cutting = cuts.map(cut);
        await Promise.all(writers.map((writer, number) => write(writer, id, number)));
        const log = await logOf(id);
        end.cursor = log.at(-1) ?? null;
        for (const cursors of await Promise.all(reading)) expect(cursors).toEqual(log);
        for (const count of await Promise.all(cutting)) lost += count;
        expect(await logOf(id)).toEqual(log);
      }),
      // What is found depends on the moment, so nothing smaller is looked for.
      { seed, numRuns: RUNS, endOnFailure: true },
    );
    expect(lost).toBeGreaterThan(0);
    for (const each of servers) expect(each.process.stdout).not.toContain('"level":50');
  });
});
