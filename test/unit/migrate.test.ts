import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { migrate, migrationStatus, type SqlSession } from '../../src/db/migrate.ts';

let pglite: PGlite;
let folder: string;

beforeAll(async () => {
  pglite = await PGlite.create();
}, 60_000);
afterAll(() => pglite.close());
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mission-control-migrations-'));
  await add('1_people', 'CREATE TABLE people (name text); CREATE TABLE pets (name text);');
});
afterEach(async () => {
  await pglite.exec('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await rm(folder, { recursive: true });
});

async function add(name: string, sql: string): Promise<void> {
  await mkdir(path.join(folder, name), { recursive: true });
  await writeFile(path.join(folder, name, 'migration.sql'), sql);
}

const session: SqlSession = {
  exec: (sql) => pglite.exec(sql),
  query: <Row>(sql: string, values?: unknown[]) => pglite.query<Row>(sql, values),
};

async function tables(): Promise<string[]> {
  const { rows } = await pglite.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

describe('migrations', () => {
  it('are applied once, in order of their names', async () => {
    await add('2_toys', 'ALTER TABLE pets ADD COLUMN toy text');
    expect(await migrate(session, folder)).toEqual(['1_people', '2_toys']);
    expect(await migrate(session, folder)).toEqual([]);
    await add('3_homes', 'CREATE TABLE homes (street text)');
    expect(await migrate(session, folder)).toEqual(['3_homes']);
    expect(await tables()).toEqual(['_prisma_migrations', 'homes', 'people', 'pets']);
  });

  it('are told from those that were applied, before and after, and telling changes nothing', async () => {
    expect(await migrationStatus(session, folder)).toEqual({ applied: [], pending: ['1_people'], problem: null });
    expect(await tables()).toEqual([]);
    await migrate(session, folder);
    await add('2_toys', 'ALTER TABLE pets ADD COLUMN toy text');
    expect(await migrationStatus(session, folder)).toEqual({
      applied: [{ name: '1_people', at: expect.any(Date) }],
      pending: ['2_toys'],
      problem: null,
    });
  });

  it('that fail leave nothing behind, and are named', async () => {
    await add('2_broken', 'CREATE TABLE half (x int); CREATE TABLE people (name text)');
    await expect(migrate(session, folder)).rejects.toThrow(/^Migration 2_broken: .*"people" already exists/);
    expect(await tables()).toEqual(['_prisma_migrations', 'people', 'pets']);
    await add('2_broken', 'CREATE TABLE whole (x int)');
    expect(await migrate(session, folder)).toEqual(['2_broken']);
  });

  it('of a newer version are not touched', async () => {
    await add('2_future', 'CREATE TABLE future (x int)');
    await migrate(session, folder);
    await rm(path.join(folder, '2_future'), { recursive: true });
    await pglite.exec("UPDATE _prisma_migrations SET logs = 'Mission Control 9.0.0' WHERE migration_name = '2_future'");
    const problem =
      `The database has the migration 2_future of Mission Control 9.0.0, which this version, ${packageJson.version}, does not ` +
      'know: start that version, or restore a backup that was made before.';
    await expect(migrate(session, folder)).rejects.toThrow(problem);
    expect(await migrationStatus(session, folder)).toMatchObject({ pending: [], problem });
  });

  it('must not be edited after they were applied', async () => {
    await migrate(session, folder);
    await add('1_people', 'CREATE TABLE people (name text NOT NULL)');
    await expect(migrate(session, folder)).rejects.toThrow('Migration 1_people was edited after it was applied.');
  });

  it('that Prisma has marked as failed are not passed over, and those rolled back are applied', async () => {
    await migrate(session, folder);
    await pglite.exec('UPDATE _prisma_migrations SET finished_at = NULL');
    await expect(migrate(session, folder)).rejects.toThrow('Migration 1_people failed earlier; resolve it before');
    await pglite.exec('UPDATE _prisma_migrations SET rolled_back_at = now(); DROP TABLE people, pets');
    expect(await migrate(session, folder)).toEqual(['1_people']);
  });

  it('are applied by one of several processes that start at once; the others find nothing', async () => {
    const sessions = new LockingSessions();
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(sessions.open(), folder)));
    expect(applied.flat()).toEqual(['1_people']);
    // Also when it failed, the lock is given back.
    await add('2_broken', 'CREATE TABLE people (name text)');
    const failed = await Promise.allSettled(Array.from({ length: 3 }, () => migrate(sessions.open(), folder)));
    expect(failed.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected']);
  });
});

/** Sessions that wait for each other's advisory lock, as those of a PostgreSQL do; PGlite has but one. */
class LockingSessions {
  #held: Promise<void> = Promise.resolve();

  open(): SqlSession {
    let release = () => {};
    return {
      exec: async (sql) => {
        if (sql.includes('pg_advisory_lock')) {
          const before = this.#held;
          this.#held = new Promise((resolve) => {
            release = resolve;
          });
          await before;
        }
        const result = await session.exec(sql);
        if (sql.includes('pg_advisory_unlock')) release();
        return result;
      },
      query: (sql, values) => session.query(sql, values),
    };
  }
}
