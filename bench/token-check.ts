import { scryptSync } from 'node:crypto';
import type { SqlDriverAdapterFactory, SqlQuery } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { Authenticator } from '../src/access/authenticate.ts';
import { TokenUses } from '../src/access/token-uses.ts';
import { openDatabase } from '../src/db/database.ts';
import { createLog } from '../src/log.ts';
import { type AgentWithToken, giveTokens } from './agent-tokens.ts';
import { type Measurement, median } from './bench.ts';

const TIMES = 2_000;
const WARM_UP = 500;
const SLOW_HASHES = 9;

/** What it costs to find an agent by its token among all of a database, and what it would with a slow, salted hash. */
export async function measureTokenCheck(databaseUrl: string, count: number): Promise<Measurement[]> {
  const agents = await giveTokens(databaseUrl, TIMES);
  // Each agent has one, so that the index is as large as it is at an operator's.
  await fillIndex(databaseUrl);
  const { statement, cpuMs } = await lookUps(databaseUrl, agents);
  const statementMs = await timeOf(databaseUrl, statement, agents);
  const slowMs = slowHashes();
  const title = (what: string) => `token among ${count}: ${what}`;
  const seconds = (median(slowMs) * count) / 1_000;
  return [
    { name: title('its statement, µs'), unit: '', samples: [Math.round(statementMs * 1_000)] },
    { name: title('CPU of one check alone, µs'), unit: '', samples: [Math.round(cpuMs * 1_000)] },
    { name: title('one scrypt (N 16384, r 8, p 1)'), unit: 'ms', samples: slowMs },
    { name: title('scrypt for each of them, computed'), unit: 's', samples: [seconds] },
  ];
}

async function fillIndex(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `UPDATE "Agent" SET "tokenHash" = encode(sha256(id::text::bytea), 'hex') WHERE "tokenHash" IS NULL`,
  );
  await client.query('VACUUM ANALYZE "Agent"');
  await client.end();
}

/** One after the other, as the server does it. @returns the statement that it issues, and processor time of one */
async function lookUps(databaseUrl: string, agents: AgentWithToken[]): Promise<{ statement: SqlQuery; cpuMs: number }> {
  let statement: SqlQuery | null = null;
  const watch = (factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory => ({
    ...{ provider: factory.provider, adapterName: factory.adapterName },
    async connect() {
      const adapter = await factory.connect();
      const { queryRaw } = adapter;
      adapter.queryRaw = (query) => {
        statement = query;
        return queryRaw.call(adapter, query);
      };
      return adapter;
    },
  });
  const database = await openDatabase({ dataDir: '', databaseUrl, watch });
  const uses = new TokenUses(database.prisma, createLog('error'));
  const authenticator = new Authenticator(database, null, uses);
  const check = async ({ token, id }: AgentWithToken) => {
    const signedIn = await authenticator.signIn(token);
    if (signedIn?.viewer.actor.id !== id) throw new Error('A token is not known.');
  };
  try {
    for (const agent of agents.slice(0, WARM_UP)) await check(agent);
    const before = process.cpuUsage();
    for (const agent of agents) await check(agent);
    const { user, system } = process.cpuUsage(before);
    if (!statement) throw new Error('No statement was seen.');
    return { statement, cpuMs: (user + system) / 1_000 / agents.length };
  } finally {
    await uses.stop();
    await database.close();
  }
}

/** From PostgreSQL's client, one after the other: the median. */
async function timeOf(databaseUrl: string, { sql, args }: SqlQuery, agents: AgentWithToken[]): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const times: number[] = [];
  for (const _ of agents) {
    const started = performance.now();
    const { rowCount } = await client.query(sql, args);
    times.push(performance.now() - started);
    if (rowCount !== 1) throw new Error('The statement does not find the agent.');
  }
  await client.end();
  return median(times);
}

function slowHashes(): number[] {
  return Array.from({ length: SLOW_HASHES }, (_, index) => {
    const started = performance.now();
    scryptSync('token', `salt ${index}`, 64, { N: 16_384, r: 8, p: 1 });
    return performance.now() - started;
  });
}
