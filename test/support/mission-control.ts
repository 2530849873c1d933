import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type Server, type ServerOptions, startServer } from '../../src/server.ts';
import { Client } from './client.ts';
import { StatementWatch } from './statement-watch.ts';

export interface MissionControl {
  url: string;
  /** The server's database, for what the API does not show. */
  prisma: Server['fleet']['database']['prisma'];
  /** Signed in as the OWNER of the first organization. */
  owner: Client;
  /** The same server for somebody with another token, or with none. */
  as(token: string | null): Client;
  /** Every statement that operations issue. */
  statements: StatementWatch;
  /** Throws when an operation has issued statements for each entry of its result; see StatementWatch. */
  stop(): Promise<void>;
}

export const ADMIN_TOKEN = 'test-admin-token-that-is-long-enough';

/**
 * The whole server on a free port: on an embedded database in memory, or on PostgreSQL where the suite has one.
 * @param settings environment variables
 * @param options.log for what the server tells; by default it tells nothing
 */
export async function startMissionControl(
  settings: Record<string, string> = {},
  { log, soulTimes }: Pick<ServerOptions, 'soulTimes'> & { log?: Log } = {},
): Promise<MissionControl> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-test-'));
  const postgres = inject('postgres');
  const config = readConfig({
    PORT: '0',
    DATA_DIR: folder,
    ADMIN_TOKEN,
    SOULS_URL: '',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...(postgres !== null && { DATABASE_URL: await newDatabase(postgres), SECRET_KEY }),
    ...settings,
  });
  const statements = new StatementWatch();
  const server: Server = await startServer(config, log ?? createLog(config.logLevel), {
    watch: (adapter) => statements.watch(adapter),
    ...(config.databaseUrl === null && { snapshot: await openSnapshot() }),
    ...(soulTimes && { soulTimes }),
  });
  return {
    url: server.url,
    prisma: server.fleet.database.prisma,
    owner: new Client(server.url, ADMIN_TOKEN),
    as: (token) => new Client(server.url, token),
    statements,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
      statements.check();
    },
  };
}

/** A database of the test's own, without a server on it: nothing changes there but what the test does. */
export async function openTestDatabase(): Promise<Database> {
  const postgres = inject('postgres');
  return postgres === null
    ? openDatabase({ dataDir: '', databaseUrl: null, snapshot: await openSnapshot() })
    : openDatabase({ dataDir: '', databaseUrl: await newDatabase(postgres) });
}

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');

/** With all migrations. @returns its URL */
async function newDatabase(postgres: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client({ connectionString: `${postgres}/postgres` });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} TEMPLATE template`);
  await client.end();
  return `${postgres}/${name}`;
}

async function openSnapshot(): Promise<Blob> {
  return new Blob([new Uint8Array(await readFile(inject('snapshot')))]);
}
