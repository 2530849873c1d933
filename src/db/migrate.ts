import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** One database session: an advisory lock is held by it, so all statements must go to the same one. */
export interface MigrationSession {
  exec(sql: string): Promise<unknown>;
  query(sql: string, values?: unknown[]): Promise<{ rows: MigrationRow[] }>;
}

interface MigrationRow {
  migration_name: string;
  checksum: string;
  finished_at: Date | null;
  rolled_back_at: Date | null;
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

/**
 * Applies the migrations in `folder` that the database does not have yet, each in a transaction of its own, and
 * returns their names. Any number of processes may call this at once: one applies, the others wait and find nothing.
 *
 * Throws when the database has a migration that this build does not know (it belongs to a newer version), when an
 * applied migration was edited, or when one fails; a failed one leaves nothing behind.
 */
export async function migrate(session: MigrationSession, folder: string): Promise<string[]> {
  const migrations = await readMigrations(folder);
  await session.exec(`SELECT pg_advisory_lock(${LOCK_KEY})`);
  try {
    await session.exec(TABLE);
    const pending = migrationsToApply(migrations, await appliedMigrations(session));
    for (const migration of pending) await apply(session, migration);
    return pending.map((migration) => migration.name);
  } finally {
    await session.exec(`SELECT pg_advisory_unlock(${LOCK_KEY})`);
  }
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

async function appliedMigrations(session: MigrationSession): Promise<MigrationRow[]> {
  const { rows } = await session.query(
    'SELECT migration_name, checksum, finished_at, rolled_back_at FROM _prisma_migrations ORDER BY started_at',
  );
  return rows.filter((row) => !row.rolled_back_at);
}

function migrationsToApply(known: Migration[], applied: MigrationRow[]): Migration[] {
  const checksums = new Map(known.map((migration) => [migration.name, migration.checksum]));
  for (const row of applied) {
    const name = row.migration_name;
    if (!row.finished_at) throw new Error(`Migration ${name} failed earlier; resolve it before starting again.`);
    const checksum = checksums.get(name);
    if (checksum === undefined)
      throw new Error(
        `The database has the migration ${name}, which this version does not know. Start a newer version.`,
      );
    if (checksum !== row.checksum) throw new Error(`Migration ${name} was edited after it was applied.`);
  }
  const done = new Set(applied.map((row) => row.migration_name));
  return known.filter((migration) => !done.has(migration.name));
}

async function apply(session: MigrationSession, { name, sql, checksum }: Migration): Promise<void> {
  await session.exec('BEGIN');
  try {
    await session.exec(sql);
    await session.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
       VALUES ($1, $2, clock_timestamp(), $3, clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    );
    await session.exec('COMMIT');
  } catch (error) {
    await session.exec('ROLLBACK');
    throw new Error(`Migration ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
