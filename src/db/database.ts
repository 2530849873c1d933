import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { Prisma, PrismaClient } from '../generated/prisma/client.ts';
import { type DirectQuery, directQuery } from './direct-query.ts';
import { EMBEDDED_LEASES, type Leases } from './leases.ts';
import { migrate, migrationStatus, type SqlSession } from './migrate.ts';
import { PGliteAdapter } from './pglite-adapter.ts';
import { PostgresLeases } from './postgres-leases.ts';
import { PostgresListener } from './postgres-listener.ts';
import { type DataPlace, describePostgres, openSession, sessionOf } from './session.ts';
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
  /** For what comes thousands of times a second; everything else goes through Prisma's client. */
  query: DirectQuery;
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

export interface DatabaseOptions extends DataPlace {
  /** Whether migrations that the database lacks are applied; else it is refused then. @default true */
  migrate?: boolean;
  /** Looks at the database before anything is changed in it; throws to refuse it. */
  inspect?: (session: SqlSession) => Promise<void>;
  /** A prepared data folder to start the embedded database from, in memory; for tests. */
  snapshot?: Blob;
  /** Puts something between Prisma and the database that sees every statement; for tests. */
  watch?: (adapter: SqlDriverAdapterFactory) => SqlDriverAdapterFactory;
  /** Whether statements are spans of the traces that they belong to. @default false */
  traced?: boolean;
}

/** The migrations of this version. */
export const MIGRATIONS = path.join(import.meta.dirname, '..', '..', 'prisma', 'migrations');

/**
 * Opens the database, has it inspected, and applies the migrations that it does not have yet.
 * @throws Error when they may not be applied, or the database is one of a newer version
 */
export function openDatabase(options: DatabaseOptions): Promise<Database> {
  return options.databaseUrl === null ? openEmbedded(options) : openPostgres(options.databaseUrl, options);
}

/** A PGlite in memory, from a snapshot or new, with all migrations. */
export async function openInMemory(snapshot?: Blob): Promise<PGlite> {
  const pglite = await PGlite.create(snapshot ? { loadDataDir: snapshot } : {});
  await migrate(sessionOf(pglite), MIGRATIONS);
  return pglite;
}

async function openEmbedded({ snapshot, ...options }: DatabaseOptions): Promise<Database> {
  const memory = snapshot ? await openInMemory(snapshot) : null;
  const session = memory ? null : await openSession(options);
  const pglite = memory ?? session?.pglite;
  if (!pglite) throw new Error('The embedded database is a PGlite.');
  try {
    if (session) await prepare(session, options);
  } catch (error) {
    await session?.close();
    throw error;
  }
  const { prisma, query } = await openPrisma(new PGliteAdapter(pglite), options);
  return {
    kind: 'embedded',
    description: session?.description ?? 'embedded PostgreSQL in memory',
    prisma,
    query,
    leases: EMBEDDED_LEASES,
    listen: (channel, onPayload) => pglite.listen(channel, onPayload),
    pool: () => null,
    async close() {
      await prisma.$disconnect();
      await session?.close();
      if (!pglite.closed) await pglite.close();
    },
  };
}

async function prepare(session: SqlSession, { inspect, migrate: mayMigrate = true }: DatabaseOptions): Promise<void> {
  await inspect?.(session);
  if (mayMigrate) await migrate(session, MIGRATIONS);
  else await requireMigrated(session);
}

/** @throws Error when the database lacks migrations of this version, or has others */
async function requireMigrated(session: SqlSession): Promise<void> {
  const { problem, pending } = await migrationStatus(session, MIGRATIONS);
  if (problem !== null) throw new Error(problem);
  if (pending.length > 0)
    throw new Error(`The database lacks ${pending.join(', ')}. Run npx mission-control migrate, then start again.`);
}

async function openPostgres(connectionString: string, options: DatabaseOptions): Promise<Database> {
  const session = await openSession(options);
  try {
    await prepare(session, options);
  } finally {
    await session.close();
  }
  // A connection that the network has dropped without a word is given up: everybody waits for what a group has asked for on it.
  const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: STATEMENT_MS, query_timeout: STATEMENT_MS });
  const adapter = new PrismaPg(pool, { statementNameGenerator: statementNames(), disposeExternalPool: true });
  const { prisma, query } = await openPrisma(adapter, options);
  const listener = new PostgresListener(connectionString);
  const leases = new PostgresLeases(connectionString);
  return {
    kind: 'postgresql',
    description: describePostgres(connectionString),
    prisma,
    query,
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

/** How long a statement, or a transaction, may take. */
const STATEMENT_MS = 20_000;

/** What stands between Prisma and the database. */
type Between = Pick<DatabaseOptions, 'watch' | 'traced'>;

async function openPrisma(
  factory: SqlDriverAdapterFactory,
  { watch = (adapter) => adapter, traced = false }: Between,
): Promise<Pick<Database, 'prisma' | 'query'>> {
  const adapter = watch(traced ? traceStatements(factory) : factory);
  return {
    prisma: new PrismaClient({ adapter, transactionOptions: { maxWait: 10_000, timeout: STATEMENT_MS } }),
    query: directQuery(await adapter.connect()),
  };
}
