import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, globSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/db/database.ts';
import { freePort } from './free-port.ts';
// For what tests are provided with.
import type {} from './global-setup.ts';

/** Starts a PostgreSQL of the system's programs on a temporary folder, and ends it after the suite. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const bin = path.dirname(globSync('/usr/lib/postgresql/*/bin/initdb').sort().at(-1) ?? missing());
  const folder = mkdtempSync(path.join(tmpdir(), 'mission-control-postgres-'));
  const account = accountOf('postgres');
  if (account) chownSync(folder, account.uid, account.gid);
  const data = path.join(folder, 'data');
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...account,
    stdio: 'pipe',
  });
  const port = await freePort();
  const server = spawn(
    path.join(bin, 'postgres'),
    [
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      folder,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'fsync=off',
      '-c',
      'max_connections=300',
    ],
    { ...account, stdio: 'ignore' },
  );
  const url = `postgresql://postgres@127.0.0.1:${port}`;
  await accepting(url, server);
  await makeTemplate(url);
  provide('postgres', url);
  provide('snapshot', '');
  return async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
}

function missing(): never {
  throw new Error('PostgreSQL’s server programs are missing. On Debian: apt-get install postgresql');
}

/** PostgreSQL does not run as root: there, its own user is used. */
function accountOf(user: string): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function accepting(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = new pg.Client({ connectionString: `${url}/postgres` });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline || server.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function makeTemplate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${url}/postgres` });
  await client.connect();
  await client.query('CREATE DATABASE template');
  await client.end();
  const database = await openDatabase({ dataDir: '', databaseUrl: `${url}/template` });
  await database.close();
}
