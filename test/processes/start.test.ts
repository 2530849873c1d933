import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { createLog } from '../../src/log.ts';
import { startServer } from '../../src/server.ts';
import { Client } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { preparedFolder, ServerProcess } from '../support/server-process.ts';

const Whoami = graphql(`
  query Whoami { viewer { __typename } }
`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mission-control-start-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('starting the server', () => {
  it('makes a token at the first start, prints it once, and never again', async () => {
    const DATA_DIR = path.join(folder, 'first');
    const PORT = String(await freePort());
    const first = new ServerProcess({ DATA_DIR, PORT });
    await isNotReadyYet(`http://127.0.0.1:${PORT}`);
    const { url, firstToken = '', header, graphiql, database } = await first.listening();
    expect(firstToken).toMatch(/^mco_[\w-]{43}$/);
    expect(header).toBe(`{"Authorization":"Bearer ${firstToken}"}`);
    expect(graphiql).toBe(`${url}/graphql`);
    expect(database).toContain(DATA_DIR);
    expect((await new Client(url, firstToken).ask(Whoami)).status).toBe(200);
    expect((await new Client(url, 'mco_wrong').ask(Whoami)).status).toBe(401);

    // A second process on the same folder is refused, and the first does not notice.
    const second = new ServerProcess({ DATA_DIR });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.stderr).toBe(
      `Mission Control cannot start: The data folder ${DATA_DIR} is in use by process ${first.pid}. ` +
        'Stop that one, or set DATA_DIR to another folder.\n',
    );
    expect(second.stdout).toBe('');
    expect((await new Client(url, firstToken).ask(Whoami)).status).toBe(200);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(first.stdout.split('\n').filter((line) => line.includes(firstToken))).toHaveLength(1);
    expect(first.stderr).toBe('');

    expect((await stat(path.join(DATA_DIR, 'secret.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(DATA_DIR)).mode & 0o777).toBe(0o700);

    const again = new ServerProcess({ DATA_DIR });
    const listening = await again.listening();
    expect(listening).not.toHaveProperty('firstToken');
    expect(again.stdout).not.toContain('mco_');
    expect((await new Client(listening.url, firstToken).ask(Whoami)).status).toBe(200);
    await again.stop();
  });

  it('takes ADMIN_TOKEN, and drops the one before when it has changed', async () => {
    const DATA_DIR = await preparedFolder();
    const first = new ServerProcess({ DATA_DIR, ADMIN_TOKEN });
    const { url, ...rest } = await first.listening();
    expect(rest).not.toHaveProperty('firstToken');
    expect((await new Client(url, ADMIN_TOKEN).ask(Whoami)).status).toBe(200);
    expect(first.stdout).not.toContain(ADMIN_TOKEN);
    await first.stop();

    const changed = `${ADMIN_TOKEN}-changed`;
    const second = new ServerProcess({ DATA_DIR, ADMIN_TOKEN: changed });
    const { url: now } = await second.listening();
    expect((await new Client(now, changed).ask(Whoami)).status).toBe(200);
    expect((await new Client(now, ADMIN_TOKEN).ask(Whoami)).status).toBe(401);
    await second.stop();
    await rm(DATA_DIR, { recursive: true });
  });

  it('takes over the folder of a process that was killed', async () => {
    const DATA_DIR = await preparedFolder();
    const killed = new ServerProcess({ DATA_DIR, ADMIN_TOKEN });
    await killed.listening();
    await killed.kill();
    expect(await readFile(path.join(DATA_DIR, 'lock'), 'utf8')).toMatch(new RegExp(`^${killed.pid} `));
    const next = new ServerProcess({ DATA_DIR, ADMIN_TOKEN });
    const { url } = await next.listening();
    expect((await new Client(url, ADMIN_TOKEN).ask(Whoami)).status).toBe(200);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
    await expect(stat(path.join(DATA_DIR, 'lock'))).rejects.toThrow('ENOENT');
    await rm(DATA_DIR, { recursive: true });
  });
});

/** While it makes its database, a server lives, and tells when to come again. */
async function isNotReadyYet(url: string): Promise<void> {
  const healthz = () => fetch(`${url}/healthz`).catch(() => null);
  await eventually(healthz, (response) => response?.status === 200);
  const readyz = await fetch(`${url}/readyz`);
  expect([readyz.status, await readyz.json()]).toEqual([
    503,
    { ready: false, missing: 'The database is being opened.' },
  ]);
  const asked = await new Client(url, 'mco_any').ask(Whoami);
  expect(asked).toMatchObject({ status: 503, errors: [{ message: 'The server is starting.' }] });
  expect((await fetch(`${url}/graphql`, { method: 'POST' })).headers.get('retry-after')).toBe('1');
}

describe('a wrong setting', () => {
  it('stops the start with one line on stderr, and exit code 1', async () => {
    const server = new ServerProcess({ DATA_DIR: path.join(folder, 'wrong'), PORT: 'eighty' });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.stderr).toBe('PORT must be a port number, from 0 to 65535. For example: PORT=8000\n');
    expect(server.stdout).toBe('');
    await expect(stat(path.join(folder, 'wrong'))).rejects.toThrow('ENOENT');
  });

  const secretKey = Buffer.alloc(32, 1).toString('base64');
  const rows: [name: string, settings: () => Promise<Record<string, string>>, problem: RegExp][] = [
    [
      'a port in use',
      async () => ({ PORT: await takenPort() }),
      /^PORT \d+ is in use on 127\.0\.0\.1\. For example: PORT=/,
    ],
    ['no address of this machine', async () => ({ HOST: '203.0.113.7' }), /^HOST 203\.0\.113\.7 is no address of this/],
    [
      'an unknown host',
      async () => ({ HOST: 'no.such.host.invalid' }),
      /^HOST no\.such\.host\.invalid is no address of this/,
    ],
    [
      'a data folder that is a file',
      async () => ({ DATA_DIR: await aFile() }),
      /^DATA_DIR cannot be used: .*DATA_DIR=\.\/data$/,
    ],
    [
      'no templates',
      async () => ({ TEMPLATES_DIR: '/no/such/folder' }),
      /^TEMPLATES_DIR cannot be used: .*example: TEMPLATES_DIR=/,
    ],
    [
      'a database that does not answer',
      async () => ({ DATABASE_URL: 'postgresql://me:hunter2@127.0.0.1:1/none', SECRET_KEY: secretKey }),
      /^DATABASE_URL cannot be used: connect ECONNREFUSED 127\.0\.0\.1:1\. For example: DATABASE_URL=/,
    ],
    [
      'a database name that has two addresses, neither of which answers',
      async () => ({ DATABASE_URL: 'postgresql://me:hunter2@localhost:1/none', SECRET_KEY: secretKey }),
      /^DATABASE_URL cannot be used: .*ECONNREFUSED.* For example: DATABASE_URL=/,
    ],
    [
      'a database that takes connections and says nothing',
      async () => ({
        DATABASE_URL: `postgresql://me:hunter2@127.0.0.1:${await takenPort()}/none`,
        SECRET_KEY: secretKey,
      }),
      /^DATABASE_URL cannot be used: it has not answered for 10 s\. For example: DATABASE_URL=/,
    ],
  ];

  // What is wrong shows only when the setting is used; start.ts prints the message as it is.
  it.each(rows)('that cannot be used is named: %s', async (_name, settings, problem) => {
    const DATA_DIR = await mkdtemp(path.join(folder, 'unusable-'));
    const config = readConfig({ PORT: '0', DATA_DIR, SOULS_URL: '', ...(await settings()) });
    const began = performance.now();
    const error = await startServer(config, createLog('silent')).then(
      () => expect.fail('it has started'),
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(problem);
    expect(error.message).not.toMatch(/hunter2|\n/);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  async function aFile(): Promise<string> {
    const file = path.join(await mkdtemp(path.join(folder, 'file-')), 'file');
    await writeFile(file, '');
    return file;
  }
});

/** A port that somebody listens on until the tests end. */
async function takenPort(): Promise<string> {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  other.unref();
  const address = other.address();
  return String(typeof address === 'object' ? address?.port : 0);
}
