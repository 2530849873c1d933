import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { Client } from '../support/client.ts';
import { runCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { preparedFolder, ServerProcess, startProcess } from '../support/server-process.ts';

const Installed = graphql(`
  query Installed {
    server { version }
    viewer { role }
    gateways { nodes { name connection { state } } }
  }
`);

const TOKEN = 'gateway-token-0123456789-that-nobody-may-see';
const { version } = packageJson;

let gateway: Simulator;
/** Of a server that had a gateway, and was stopped. */
let folder: string;
/** For what tests make. */
let own: string;
beforeAll(async () => {
  gateway = await startSimulator({ token: TOKEN });
  own = await mkdtemp(path.join(tmpdir(), 'mission-control-commands-'));
  folder = await preparedFolder();
  const { server, owner } = await startProcess(folder);
  await addGateway(owner, gateway);
  await eventually(
    () => owner.run(Installed),
    ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
  );
  await server.stop();
});
afterAll(async () => {
  await gateway.stop();
  for (const made of [folder, own]) await rm(made, { recursive: true, force: true });
});

const keyFile = () => path.join(folder, 'secret.key');

async function onDatabase<T>(dataDir: string, work: (database: PGlite) => Promise<T>): Promise<T> {
  const database = await PGlite.create({ dataDir: path.join(dataDir, 'pglite') });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** All that a start may change. */
const contentOf = (dataDir: string) =>
  onDatabase(dataDir, async (database) => {
    const tables = ['Installation', 'Organization', 'ApiToken', 'Gateway', '_prisma_migrations'];
    const read = async (table: string) => (await database.query(`SELECT * FROM "${table}" ORDER BY 1`)).rows;
    return Promise.all(tables.map(read));
  });

/** How a start that is refused has ended. */
async function refusedStart(settings: Record<string, string>) {
  const server = new ServerProcess({ DATA_DIR: folder, ...settings });
  const { code } = await server.exited;
  return { code, stdout: server.stdout, stderr: server.stderr };
}

describe('mission-control', () => {
  it('runs in a clone, by its launcher and by npx', async () => {
    const root = path.join(import.meta.dirname, '..', '..');
    const [launched, npx, wrong] = await Promise.all([
      runCommand(['--version']),
      promisify(execFile)('npx', ['--no-install', 'mission-control', '--help'], { cwd: root }),
      runCommand(['token', 'create', '--role', 'KING']),
    ]);
    expect(launched).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(npx.stdout).toMatch(/^Usage: mission-control/);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/Allowed choices are OWNER, ADMIN, MEMBER, VIEWER\./);
  });

  it('says what is wrong in one sentence, without a secret', async () => {
    const [nowhere, checked] = await Promise.all([
      runCommand(['token', 'list', '--json'], { DATA_DIR: path.join(own, 'nowhere') }),
      runCommand(['gateway', 'check', gateway.url, '--json'], {
        DATA_DIR: folder,
        OPENCLAW_GATEWAY_TOKEN: `${TOKEN}?`,
      }),
    ]);
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(nowhere.stderr)).toEqual({
      error: expect.stringMatching(/^There is no database in .*nowhere\. Set/),
    });
    expect(await readdir(own)).toEqual([]);
    expect(checked).toMatchObject({ code: 1, stderr: '' });
    const { ok, device, checks } = JSON.parse(checked.stdout);
    expect({ ok, device }).toEqual({ ok: false, device: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(checks.at(-1)).toMatchObject({ name: 'signIn', outcome: 'failed', hint: expect.stringContaining('token') });
    expect(checked.stdout).not.toContain(TOKEN);
  });
});

it('a start with a wrong key, or without one, says so in one line and changes nothing', async () => {
  const before = await contentOf(folder);
  const SECRET_KEY = randomBytes(32).toString('base64');
  const wrong = await refusedStart({ SECRET_KEY, ADMIN_TOKEN: `${ADMIN_TOKEN}-changed` });
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toMatch(/^SECRET_KEY does not have the key [\w-]{8}, with which .*; nothing was changed\.\n$/);

  await rename(keyFile(), `${keyFile()}.aside`);
  const missing = await refusedStart({});
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toMatch(/secret\.key is missing, and .*\n$/);
  await expect(stat(keyFile())).rejects.toThrow('ENOENT');
  await rename(`${keyFile()}.aside`, keyFile());

  const doctor = await runCommand(['doctor'], { DATA_DIR: folder, SECRET_KEY });
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/^FAIL keys +SECRET_KEY does not have the key/m);
  expect(await contentOf(folder)).toEqual(before);
});

it('keys are rotated, also when that is killed (-9) and done again', async () => {
  const settings = { DATA_DIR: folder };
  const old = await readFile(keyFile(), 'utf8');
  const killed = startCommand(['keys', 'rotate'], settings);
  await eventually(
    () => readFile(keyFile(), 'utf8'),
    (text) => text !== old,
  );
  killed.child.kill('SIGKILL');
  await killed.ended;
  const [first = ''] = (await readFile(keyFile(), 'utf8')).split('\n');
  // As it is when the new key is there and nothing has been done with it.
  if ((await readFile(keyFile(), 'utf8')).split('\n').length === 2) await writeFile(keyFile(), `${first}\n${old}`);

  const again = await runCommand(['keys', 'rotate', '--json'], settings);
  expect(again, again.stderr).toMatchObject({ code: 0, stderr: '' });
  const { reencrypted, current } = JSON.parse(again.stdout);
  // The gateway's token, the digest of what made it, and this installation's device key.
  expect(reencrypted + current).toBeGreaterThanOrEqual(2);
  expect(await readFile(keyFile(), 'utf8')).toBe(`${first}\n`);
  expect((await stat(keyFile())).mode & 0o777).toBe(0o600);

  // As it is when all is done but dropping the old one.
  await writeFile(keyFile(), `${first}\n${old}`);
  const last = await runCommand(['keys', 'rotate', '--json'], settings);
  expect(JSON.parse(last.stdout)).toMatchObject({ reencrypted: 0, current: reencrypted + current });
  expect(await readFile(keyFile(), 'utf8')).toBe(`${first}\n`);
  expect(last.stdout + again.stdout).not.toContain(first);
  expect(await refusedStart({ SECRET_KEY: old.trim() })).toMatchObject({ code: 1 });
});

it('a token that was made on the database, and a backup that was restored, are there for a server', async () => {
  const [file, restored] = [path.join(own, 'backup.tar.gz'), path.join(own, 'restored')];
  const made = await runCommand(['token', 'create', '--role', 'MEMBER', '--expires', '1h', '--json'], {
    DATA_DIR: folder,
  });
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const { secret, id } = JSON.parse(made.stdout);
  expect(secret).toMatch(/^mco_[\w-]{43}$/);

  const backup = await runCommand(['backup', file], { DATA_DIR: folder });
  expect(backup, backup.stderr).toMatchObject({ code: 0, stderr: '' });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const [overwriting, withoutKey] = await Promise.all([
    runCommand(['backup', file], { DATA_DIR: folder }),
    runCommand(['restore', file], { DATA_DIR: restored }),
  ]);
  expect(overwriting).toMatchObject({
    code: 1,
    stderr: `${file} is there already. Give another name, or remove it first.\n`,
  });
  expect(withoutKey.stderr).toMatch(/secret\.key is missing/);
  await writeFile(path.join(restored, 'secret.key'), await readFile(keyFile()), { mode: 0o600 });
  expect(await runCommand(['restore', file], { DATA_DIR: restored })).toMatchObject({ code: 0, stderr: '' });
  const onto = await runCommand(['restore', file], { DATA_DIR: restored });
  expect(onto).toMatchObject({ code: 1, stderr: expect.stringMatching(/There is a database in .* Give --force/) });

  const { server, url, owner } = await startProcess(restored);
  const whole = await eventually(
    () => owner.run(Installed),
    ({ gateways }) => gateways.nodes[0]?.connection.state === 'CONNECTED',
  );
  expect(whole).toMatchObject({ server: { version }, viewer: { role: 'OWNER' }, gateways: { nodes: [{}] } });
  expect((await new Client(url, secret).run(Installed)).viewer.role).toBe('MEMBER');
  const [inUse, forced, watched] = await Promise.all([
    runCommand(['token', 'list'], { DATA_DIR: restored }),
    runCommand(['restore', file, '--force'], { DATA_DIR: restored }),
    runCommand(['watch', url, '--once'], { MISSION_CONTROL_TOKEN: secret }),
  ]);
  for (const { code, stderr } of [inUse, forced]) {
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^The data folder .* is in use by process ${server.pid}\\. Stop that one`));
  }
  expect(watched).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Gateway CONNECTED') });
  await server.stop();

  const revoked = await runCommand(['token', 'revoke', id], { DATA_DIR: restored });
  expect(revoked).toMatchObject({ code: 0, stderr: '' });
  const list = await runCommand(['token', 'list', '--json'], { DATA_DIR: restored });
  expect(JSON.parse(list.stdout).tokens).toEqual([expect.objectContaining({ name: 'ADMIN_TOKEN' })]);
});

describe('a server whose migrations are others than the database’s', () => {
  it('with MIGRATE=off does not start when some are pending, and says how to apply them', async () => {
    const lacking = await preparedFolder();
    await onDatabase(lacking, (database) =>
      database.exec(`DELETE FROM _prisma_migrations WHERE migration_name LIKE '%_lists'`),
    );
    const refused = await refusedStart({ DATA_DIR: lacking, MIGRATE: 'off' });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /: The database lacks \d+_lists\. Run npx mission-control migrate, then start again\.\n$/,
    );
    const status = await runCommand(['migrate', '--status', '--json'], { DATA_DIR: lacking });
    expect(JSON.parse(status.stdout)).toMatchObject({ pending: [expect.stringMatching(/_lists$/)], problem: null });
    await rm(lacking, { recursive: true });
  });

  it('does not start when it is older, and names both', async () => {
    await onDatabase(folder, (database) =>
      database.exec(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, logs)
         VALUES ('future', 'x', '20991231000000_future', now(), 'Mission Control 9.9.9')`,
      ),
    );
    const refused = await refusedStart({});
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(
      `The database has the migration 20991231000000_future of Mission Control 9.9.9, which this version, ${version}, does not know`,
    );
    const status = await runCommand(['migrate', '--status'], { DATA_DIR: folder });
    expect(status.code).toBe(1);
  });
});
