import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/db/database.ts';
import { makeSnapshot } from './global-setup.ts';
import { PostgresServer } from './postgres-server.ts';

/** Starts a PostgreSQL with a migrated database to copy, and ends it after the suite. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = await PostgresServer.create();
  const databaseUrl = await server.createDatabase('template');
  const database = await openDatabase({ dataDir: '', databaseUrl });
  await database.close();
  provide('postgres', server.url);
  const { file, remove } = await makeSnapshot();
  provide('snapshot', file);
  return async () => {
    await remove();
    await server.dispose();
  };
}
