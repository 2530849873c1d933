import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startServer } from '../../src/server.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { Client } from '../support/client.ts';
import { runCommand } from '../support/command.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { startProcess } from '../support/server-process.ts';
import { Installed, onDatabase, refusedStart, stoppedInstallation } from '../support/stopped-installation.ts';

const TOKEN = 'gateway-token-0123456789-that-nobody-may-see';
const ROOT = path.join(import.meta.dirname, '..', '..');
const { version } = packageJson;

let gateway: Simulator;
let DATA_DIR: string;
/** For what tests make. */
let own: string;
beforeAll(async () => {
  gateway = await startSimulator({ token: TOKEN });
  own = await mkdtemp(path.join(tmpdir(), 'mission-control-commands-'));
  DATA_DIR = await stoppedInstallation(gateway);
});
afterAll(async () => {
  await gateway.stop();
  for (const made of [DATA_DIR, own]) await rm(made, { recursive: true, force: true });
});

describe('mission-control', () => {
  it('runs in a clone, by its launcher and by npx; says what is wrong in one sentence, without a secret', async () => {
    const [launched, npx, wrong, nowhere, checked] = await Promise.all([
      runCommand(['--version']),
      promisify(execFile)('npx', ['--no-install', 'mission-control', '--help'], { cwd: ROOT }),
      runCommand(['token', 'create', '--role', 'KING']),
      runCommand(['token', 'list', '--json'], { DATA_DIR: path.join(own, 'nowhere') }),
      runCommand(['gateway', 'check', gateway.url, '--json'], {
        DATA_DIR: path.join(own, 'nowhere'),
        OPENCLAW_GATEWAY_TOKEN: `${TOKEN}?`,
      }),
    ]);
    expect(launched).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(npx.stdout).toMatch(/^Usage: mission-control/);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(
      /^error: .* Allowed choices are OWNER, ADMIN, MEMBER, VIEWER\.\n\(add --help for the options and examples\)\n$/,
    );
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(nowhere.stderr)).toEqual({
      error: expect.stringMatching(/^There is no database in .*nowhere\. Set/),
    });
    expect(await readdir(own)).toEqual([]);
    expect(checked).toMatchObject({ code: 1, stderr: '' });
    const { ok, checks } = JSON.parse(checked.stdout);
    expect(ok).toBe(false);
    expect(checks.at(-1)).toMatchObject({ name: 'signIn', outcome: 'failed', hint: expect.stringContaining('token') });
    expect(checked.stdout).not.toContain(TOKEN);
  });

  it('called wrongly with --json says so as JSON, in one line, with exit code 2', async () => {
    const calls: [args: string[], sentence: RegExp][] = [
      [['token', 'create', '--role', 'KING', '--json'], /^option '--role .*KING.*Allowed choices are OWNER/],
      [
        ['token', 'list', '--json', '--organisation', 'A'],
        /^unknown option '--organisation' \(Did you mean --organization/,
      ],
      [['help', 'dokter', '--json'], /^Which command\?/],
    ];
    await Promise.all(
      calls.map(async ([args, sentence]) => {
        const { code, stdout, stderr } = await runCommand(args);
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^.+\n$/);
        expect(JSON.parse(stderr)).toEqual({ error: expect.stringMatching(sentence) });
      }),
    );
  });

  it('makes a token on the database, for whoever was locked out', async () => {
    const made = await runCommand(['token', 'create', '--role', 'MEMBER', '--expires', '1h', '--json'], { DATA_DIR });
    expect(made, made.stderr).toMatchObject({ code: 0, stderr: '' });
    const { secret, id } = JSON.parse(made.stdout);
    expect(secret).toMatch(/^mco_[\w-]{43}$/);
    const { server, url } = await startProcess(DATA_DIR);
    expect((await new Client(url, secret).run(Installed)).viewer.role).toBe('MEMBER');
    const [inUse, watched] = await Promise.all([
      runCommand(['token', 'revoke', id], { DATA_DIR }),
      runCommand(['watch', url, '--once'], { MISSION_CONTROL_TOKEN: secret }),
    ]);
    expect(inUse.code).toBe(1);
    expect(inUse.stderr).toMatch(new RegExp(`^The data folder .* is in use by process ${server.pid}\\. Stop that one`));
    expect(watched).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^Gateway CONNECTED/) });
    await server.stop();
  });
});

describe('a start is refused in one line, and nothing is changed', () => {
  const TABLES = ['Installation', 'Organization', 'ApiToken', 'Gateway', '_prisma_migrations'];
  /** All that a start may change. */
  const contentOf = (database: PGlite) =>
    Promise.all(TABLES.map(async (table) => (await database.query(`SELECT * FROM "${table}" ORDER BY 1`)).rows));

  /** Why a start in this process is refused; src/start.ts prints it. */
  const refusal = (settings: Record<string, string>) =>
    startServer(readConfig({ PORT: '0', SOULS_URL: '', ...settings }), createLog('silent')).then(
      () => expect.fail('it has started'),
      (error: unknown) => String(error instanceof Error ? error.message : error),
    );

  it('with a wrong key, without the key, with MIGRATE=off, and by a version that is older than the database', async () => {
    const before = await onDatabase(DATA_DIR, async (database) => {
      await database.exec(`DELETE FROM _prisma_migrations WHERE migration_name LIKE '%_lists'`);
      return contentOf(database);
    });

    const SECRET_KEY = randomBytes(32).toString('base64');
    const wrong = await refusedStart({ DATA_DIR, SECRET_KEY, ADMIN_TOKEN: `${ADMIN_TOKEN}-changed` });
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^SECRET_KEY does not have the key [\w-]{8}, with which .*; nothing was changed\.\n$/);

    const keyFile = path.join(DATA_DIR, 'secret.key');
    await rename(keyFile, `${keyFile}.aside`);
    expect(await refusal({ DATA_DIR })).toMatch(/secret\.key is missing, and .*; nothing was changed\.$/);
    await expect(stat(keyFile)).rejects.toThrow('ENOENT');
    await rename(`${keyFile}.aside`, keyFile);

    expect(await refusal({ DATA_DIR, MIGRATE: 'off' })).toMatch(
      /^The database lacks \d+_lists\. Run npx mission-control migrate, then start again\.$/,
    );

    await onDatabase(DATA_DIR, async (database) => {
      expect(await contentOf(database)).toEqual(before);
      await database.exec(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, logs)
         VALUES ('future', 'x', '20991231000000_future', now(), 'Mission Control 9.9.9')`,
      );
    });
    const older = await refusedStart({ DATA_DIR });
    expect(older).toMatchObject({ code: 1, stdout: '' });
    expect(older.stderr).toContain(
      `The database has the migration 20991231000000_future of Mission Control 9.9.9, which this version, ${version}, does not know`,
    );
  });
});
