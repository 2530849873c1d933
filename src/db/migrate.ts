import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { VERSION } from '../version.ts';

/** One database session: an advisory lock is held by it, so all statements must go to the same one. */
export interface SqlSession {
  exec(sql: string): Promise<unknown>;
  query<Row>(sql: string, values?: unknown[]): Promise<{ rows: Row[] }>;
}

interface MigrationRow {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
  rolled_back_at: Date | null;
  logs: string | null;
}

/** Which migrations a database has, by their names. */
export interface MigrationStatus {
  applied: { name: string; at: Date }[];
  /** Those that this version has and the database does not. */
  pending: string[];
  /** Why this version cannot work with the database, in a sentence; null when it can, once nothing is pending. */
  problem: string | null;
}

/** The key that Prisma Migrate itself locks, so that the two never run at the same time. */
const LOCK_KEY = 72707369;

/** Prisma's own bookkeeping table, so that its tools see what was applied here. */
const TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`;

/** What is kept with a migration, to tell an older version by which one it was applied. */
const APPLIED_BY = 'Mission Control ';

/**
 * Applies the migrations in `folder` that the database does not have yet, each in a transaction of its own, and
 * returns their names. Any number of processes may call this at once: one applies, the others wait and find nothing.
 *
 * Throws when the database has a migration that this build does not know (it belongs to a newer version), when an
 * applied migration was edited, or when one fails; a failed one leaves nothing behind.
 */
export async function migrate(session: SqlSession, folder: string): Promise<string[]> {
  const migrations = await readMigrations(folder);
  await session.exec(`SELECT pg_advisory_lock(${LOCK_KEY})`);
  try {
    await session.exec(TABLE);
    const applied = await appliedMigrations(session);
    const problem = problemOf(migrations, applied);
    if (problem !== null) throw new Error(problem);
    const pending = pendingOf(migrations, applied);
    for (const migration of pending) await apply(session, migration);
    return pending.map((migration) => migration.name);
  } finally {
    await session.exec(`SELECT pg_advisory_unlock(${LOCK_KEY})`);
  }
}

/** Reads how the database stands to the migrations in `folder`, and changes nothing. */
export async function migrationStatus(session: SqlSession, folder: string): Promise<MigrationStatus> {
  const migrations = await readMigrations(folder);
  const { rows } = await session.query<{ there: boolean }>(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there",
  );
  const applied = rows[0]?.there ? await appliedMigrations(session) : [];
  return {
    applied: applied.flatMap(({ migration_name: name, finished_at: at }) => (at === null ? [] : [{ name, at }])),
    pending: pendingOf(migrations, applied).map(({ name }) => name),
    problem: problemOf(migrations, applied),
  };
}

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(path.join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function appliedMigrations(session: SqlSession): Promise<MigrationRow[]> {
  const { rows } = await session.query<MigrationRow>(
    'SELECT migration_name, checksum, finished_at, rolled_back_at, logs FROM _prisma_migrations ORDER BY started_at',
  );
  return rows.filter((row) => !row.rolled_back_at);
}

function pendingOf(known: Migration[], applied: MigrationRow[]): Migration[] {
  const done = new Set(applied.map((row) => row.migration_name));
  return known.filter((migration) => !done.has(migration.name));
}

function problemOf(known: Migration[], applied: MigrationRow[]): string | null {
  const checksums = new Map(known.map((migration) => [migration.name, migration.checksum]));
  for (const row of applied) {
    const name = row.migration_name;
    if (!row.finished_at) return `Migration ${name} failed earlier; resolve it before starting again.`;
    const checksum = checksums.get(name);
    if (checksum === undefined) {
      const newer = row.logs?.startsWith(APPLIED_BY) ? row.logs : 'a newer version';
      return `The database has the migration ${name} of ${newer}, which this version, ${VERSION}, does not know: start that version, or restore a backup that was made before.`;
    }
    if (checksum !== row.checksum) return `Migration ${name} was edited after it was applied.`;
  }
  return null;
}

async function apply(session: SqlSession, { name, sql, checksum }: Migration): Promise<void> {
  await session.exec('BEGIN');
  try {
    await session.exec(sql);
    await session.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count, logs)
       VALUES ($1, $2, clock_timestamp(), $3, clock_timestamp(), 1, $4)`,
      [randomUUID(), checksum, name, `${APPLIED_BY}${VERSION}`],
    );
    await session.exec('COMMIT');
  } catch (error) {
    await session.exec('ROLLBACK');
    throw new Error(`Migration ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
