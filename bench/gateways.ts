import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Api, made } from '../src/demo/api.ts';
import { CREATE_GATEWAY } from '../src/demo/documents.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import type { Measurement, RunOptions, Target } from './bench.ts';
import { startManyGateways } from './many-gateways.ts';
import { cpuMs, memoryKb } from './process-usage.ts';
import { settingsOn, startProgram } from './server-process.ts';

const GATEWAYS = 400;
/** Several ticks of each gateway, and looks at each of them. */
const REST_SECONDS = 90;
/** What a start leaves behind is collected, and compiled code is there. */
const SETTLE_SECONDS = 20;
const WAIT_SECONDS = 300;

export const name = 'gateways';
export const about =
  `What a gateway costs that nobody asks anything of: ${GATEWAYS} of them, simulated in another process, are added to a server ` +
  `on PostgreSQL, one after another, each with its connection and its main agent. When all are connected and brought in line, ` +
  `the server is left alone for ${SETTLE_SECONDS} s; then its memory (RSS) and, for ${REST_SECONDS} s, its processor time are ` +
  'compared with those of the same server before it had any. Then it is started again: how long until all are connected.';

export const targets: Target[] = [];

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  if (short) return [];
  await using parts = new AsyncDisposableStack();
  const postgres = await PostgresServer.create();
  parts.defer(() => postgres.dispose());
  const databaseUrl = await postgres.createDatabase('gateways');
  const gateways = await startManyGateways(GATEWAYS);
  parts.defer(() => gateways.stop());
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  parts.defer(() => database.end());

  const token = randomBytes(24).toString('hex');
  const start = () => startProgram('src/main.ts', settingsOn(databaseUrl, token));
  const first = await start();
  let server = first;
  parts.defer(() => server.stop());
  const before = await atRest(first.pid);
  progress('at rest without gateways');

  const api = new Api(`${first.url}/graphql`, token);
  for (const [index, { url, token: gatewayToken, stateDir }] of gateways.addresses.entries()) {
    const input = { name: `Gateway ${index}`, url, token: gatewayToken, workspaceRoot: stateDir };
    made((await api.ask(CREATE_GATEWAY, { input })).createGateway);
  }
  await api.close();
  await until(database, ALL_CONNECTED);
  await until(database, ALL_IN_LINE);
  const after = await atRest(first.pid);
  progress(`at rest with ${GATEWAYS} gateways`);

  await first.stop();
  await database.query(`UPDATE "Gateway" SET "connectionState" = 'UNKNOWN'`);
  const started = performance.now();
  server = await start();
  await until(database, ALL_CONNECTED);
  const one = (what: string, unit: Measurement['unit'], value: number): Measurement => ({
    name: what,
    unit,
    samples: [value],
  });
  return [
    one('gateways', '', GATEWAYS),
    one('memory without, MB', '', before.memoryKb / 1024),
    one('memory with all, MB', '', after.memoryKb / 1024),
    one('memory, kB for each', '', (after.memoryKb - before.memoryKb) / GATEWAYS),
    one('CPU at rest without, ms per second', '', before.cpuMs),
    one('CPU at rest with all, ms per second', '', after.cpuMs),
    one('CPU at rest, ms per second for 1,000', '', ((after.cpuMs - before.cpuMs) / GATEWAYS) * 1_000),
    one('all connected after a start', 's', (performance.now() - started) / 1_000),
  ];
}

/** How many are not yet as they are to be. */
const ALL_CONNECTED = `SELECT (${GATEWAYS} - count(*))::int AS missing FROM "Gateway" WHERE "connectionState" = 'CONNECTED'`;
const ALL_IN_LINE = `SELECT count(*)::int AS missing FROM "Agent" WHERE "provisioningPhase" <> 'SUCCEEDED'`;

/** @throws Error when it takes too long */
async function until(database: pg.Client, query: string): Promise<void> {
  const deadline = performance.now() + WAIT_SECONDS * 1_000;
  for (;;) {
    const { rows } = await database.query<{ missing: number }>(query);
    const missing = rows[0]?.missing ?? 0;
    if (missing === 0) return;
    if (performance.now() > deadline) throw new Error(`${missing} are not there after ${WAIT_SECONDS} s: ${query}`);
    await sleep(50);
  }
}

async function atRest(pid: number): Promise<{ memoryKb: number; cpuMs: number }> {
  await sleep(SETTLE_SECONDS * 1_000);
  const before = cpuMs(pid);
  await sleep(REST_SECONDS * 1_000);
  return { memoryKb: memoryKb(pid), cpuMs: (cpuMs(pid) - before) / REST_SECONDS };
}
