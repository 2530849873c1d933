import { existsSync } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { lockFolder } from './folder-lock.ts';
import type { SqlSession } from './migrate.ts';

/** Where the data is. */
export interface DataPlace {
  /** Of the embedded database, its lock and the secret key. */
  dataDir: string;
  /** Null: the embedded database. */
  databaseUrl: string | null;
}

/** A session with the database as it is: nothing is migrated and nothing is checked. For tools. */
export interface DatabaseSession extends SqlSession {
  /** For people: where the data is. Holds no password. */
  description: string;
  /** Null on PostgreSQL. */
  pglite: PGlite | null;
  close(): Promise<void>;
}

/** The folder of the embedded database within the data folder. */
export function embeddedFolder(dataDir: string): string {
  return path.join(dataDir, 'pglite');
}

/** Where a restore puts the database that it replaces, until the other one is in its place. */
export function replacedFolder(dataDir: string): string {
  return `${embeddedFolder(dataDir)}.replaced`;
}

/** Whether there is an embedded database in the data folder. */
export function hasEmbedded(dataDir: string): boolean {
  return existsSync(path.join(embeddedFolder(dataDir), 'PG_VERSION'));
}

/** Waits until all files of a folder are on the disk: PGlite leaves that to the system, which takes up to half a minute. */
export async function syncFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await open(path.join(entry.parentPath, entry.name), 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** For people: where the data of PostgreSQL is, without the password. */
export function describePostgres(connectionString: string): string {
  const { hostname, pathname } = new URL(connectionString);
  return `PostgreSQL ${hostname}${pathname}`;
}

/** A PGlite as a session. */
export function sessionOf(pglite: PGlite): SqlSession {
  return {
    exec: (sql) => pglite.exec(sql),
    query: <Row>(sql: string, values?: unknown[]) => pglite.query<Row>(sql, values),
  };
}

/**
 * Opens the database; the embedded one is made when there is none.
 * @throws Error when another process holds the data folder, or PostgreSQL does not answer
 */
export function openSession({ dataDir, databaseUrl }: DataPlace): Promise<DatabaseSession> {
  return databaseUrl === null ? openEmbeddedSession(dataDir) : openPostgresSession(databaseUrl);
}

async function openEmbeddedSession(dataDir: string): Promise<DatabaseSession> {
  const release = lockFolder(dataDir);
  try {
    const folder = embeddedFolder(dataDir);
    // Else it would be an empty one, and nobody would know why.
    if (!existsSync(folder) && existsSync(replacedFolder(dataDir)))
      throw new Error(
        `A restore into ${dataDir} was broken off. Run it again, or rename ${replacedFolder(dataDir)} to ${folder}.`,
      );
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const pglite = await PGlite.create({ dataDir: folder });
    return {
      ...sessionOf(pglite),
      description: `embedded PostgreSQL in ${folder}`,
      pglite,
      async close() {
        // Prisma's disconnecting has closed it already.
        if (!pglite.closed) await pglite.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** How long a database server may take to answer. */
const CONNECT_MS = 10_000;

async function openPostgresSession(connectionString: string): Promise<DatabaseSession> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_MS });
  try {
    await client.connect();
  } catch (error) {
    // The only one that pg gives no code.
    if (!(error instanceof Error) || error.message !== 'timeout expired') throw error;
    throw Object.assign(new Error(`it has not answered for ${CONNECT_MS / 1_000} s`), { code: 'ETIMEDOUT' });
  }
  return {
    exec: (sql) => client.query(sql),
    query: async <Row>(sql: string, values?: unknown[]) => {
      const { rows } = await client.query(sql, values);
      return { rows: rows as Row[] };
    },
    description: describePostgres(connectionString),
    pglite: null,
    close: () => client.end(),
  };
}
