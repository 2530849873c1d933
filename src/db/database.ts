import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { Prisma, PrismaClient } from '../generated/prisma/client.ts';
import { lockFolder } from './folder-lock.ts';
import { EMBEDDED_LEASES, type Leases } from './leases.ts';
import { type MigrationSession, migrate } from './migrate.ts';
import { PGliteAdapter } from './pglite-adapter.ts';
import { PostgresLeases } from './postgres-leases.ts';
import { PostgresListener } from './postgres-listener.ts';
import { statementNames } from './statement-names.ts';
import { traceStatements } from './statement-spans.ts';

export { Prisma };
/** A client, or a transaction of one. Within a transaction use only the transaction: the embedded database has one connection. */
export type Db = Prisma.TransactionClient;

export interface Database {
  kind: 'embedded' | 'postgresql';
  /** For people: where the data is. Holds no password. */
  description: string;
  prisma: PrismaClient;
  leases: Leases;
  /**
   * Calls `onPayload` for every NOTIFY on `channel`, also of other processes, and `onGap` when some may have been
   * missed because the connection was lost. Answers with the function that ends it.
   */
  listen(channel: string, onPayload: (payload: string) => void, onGap: () => void): Promise<() => Promise<void>>;
  /** How the connections for statements are used now; null where there is no pool of them. */
  pool(): PoolUse | null;
  close(): Promise<void>;
}

/** Connections of a pool, and statements or transactions that wait for one. */
export interface PoolUse {
  used: number;
  idle: number;
  waiting: number;
}

export interface DatabaseOptions {
  dataDir: string;
  databaseUrl: string | null;
  /** A prepared data folder to start the embedded database from, in memory; for tests. */
  snapshot?: Blob;
  /** Puts something between Prisma and the database that sees every statement; for tests. */
  watch?: (adapter: SqlDriverAdapterFactory) => SqlDriverAdapterFactory;
  /** Whether statements are spans of the traces that they belong to. @default false */
  traced?: boolean;
}

const MIGRATIONS = path.join(import.meta.dirname, '..', '..', 'prisma', 'migrations');

/** Opens the database and applies the migrations that it does not have yet. */
export function openDatabase(options: DatabaseOptions): Promise<Database> {
  return options.databaseUrl === null ? openEmbedded(options) : openPostgres(options.databaseUrl, options);
}

/** Opens PGlite on the folder (or in memory, from a snapshot), applies the migrations, and nothing else. */
export async function openPGlite(folder: string | null, snapshot?: Blob): Promise<PGlite> {
  const pglite = await PGlite.create({
    ...(folder && { dataDir: folder }),
    ...(snapshot && { loadDataDir: snapshot }),
  });
  await migrate({ exec: (sql) => pglite.exec(sql), query: (sql, values) => pglite.query(sql, values) }, MIGRATIONS);
  return pglite;
}

async function openEmbedded({ dataDir, snapshot, ...between }: DatabaseOptions): Promise<Database> {
  const release = snapshot ? () => undefined : lockFolder(dataDir);
  try {
    const folder = snapshot ? null : path.join(dataDir, 'pglite');
    if (folder) await mkdir(folder, { recursive: true, mode: 0o700 });
    const pglite = await openPGlite(folder, snapshot);
    const prisma = createPrisma(new PGliteAdapter(pglite), between);
    return {
      kind: 'embedded',
      description: folder ? `embedded PostgreSQL in ${folder}` : 'embedded PostgreSQL in memory',
      prisma,
      leases: EMBEDDED_LEASES,
      listen: (channel, onPayload) => pglite.listen(channel, onPayload),
      pool: () => null,
      async close() {
        await prisma.$disconnect();
        if (!pglite.closed) await pglite.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function openPostgres(connectionString: string, between: Between): Promise<Database> {
  await migratePostgres(connectionString);
  const pool = new pg.Pool({ connectionString });
  const options = { statementNameGenerator: statementNames(), disposeExternalPool: true };
  const prisma = createPrisma(new PrismaPg(pool, options), between);
  const listener = new PostgresListener(connectionString);
  const leases = new PostgresLeases(connectionString);
  const { hostname, pathname } = new URL(connectionString);
  return {
    kind: 'postgresql',
    description: `PostgreSQL ${hostname}${pathname}`,
    prisma,
    leases,
    listen: (channel, onPayload, onGap) => listener.listen(channel, onPayload, onGap),
    pool: () => ({ used: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      await leases.close();
      await listener.close();
      await prisma.$disconnect();
    },
  };
}

async function migratePostgres(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const session: MigrationSession = {
    exec: (sql) => client.query(sql),
    query: (sql, values) => client.query(sql, values),
  };
  try {
    await migrate(session, MIGRATIONS);
  } finally {
    await client.end();
  }
}

/** What stands between Prisma and the database. */
type Between = Pick<DatabaseOptions, 'watch' | 'traced'>;

function createPrisma(
  factory: SqlDriverAdapterFactory,
  { watch = (adapter) => adapter, traced = false }: Between,
): PrismaClient {
  const adapter = watch(traced ? traceStatements(factory) : factory);
  return new PrismaClient({ adapter, transactionOptions: { maxWait: 10_000, timeout: 20_000 } });
}
