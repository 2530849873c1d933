import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { ADMIN_TOKEN } from './mission-control.ts';

/** A migrated database of a test's own, with a session on it, and what servers on it are started with. */
export interface OwnDatabase {
  client: pg.Client;
  settings: Record<string, string>;
}

/** @param postgres the suite's PostgreSQL */
export async function ownDatabase(postgres: string): Promise<OwnDatabase> {
  const admin = new pg.Client({ connectionString: `${postgres}/postgres` });
  await admin.connect();
  const name = `own_${randomUUID().replaceAll('-', '')}`;
  await admin.query(`CREATE DATABASE ${name} TEMPLATE template`);
  await admin.end();
  const DATABASE_URL = `${postgres}/${name}`;
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  const settings = {
    DATABASE_URL,
    ADMIN_TOKEN,
    SECRET_KEY: Buffer.alloc(32, 5).toString('base64'),
    // Documents name the address, so it has to be the same for all servers.
    BASE_URL: 'http://127.0.0.1:9',
    REQUESTS_PER_MINUTE: '0',
    LOG_LEVEL: 'warn',
  };
  return { client, settings };
}
