import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { Client } from '../support/client.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { ServerProcess } from '../support/server-process.ts';

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
    const first = new ServerProcess({ DATA_DIR });
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
    const DATA_DIR = path.join(folder, 'admin');
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
  });

  it('takes over the folder of a process that was killed', async () => {
    const DATA_DIR = path.join(folder, 'killed');
    const killed = new ServerProcess({ DATA_DIR, ADMIN_TOKEN });
    await killed.listening();
    await killed.kill();
    expect(await readFile(path.join(DATA_DIR, 'lock'), 'utf8')).toMatch(new RegExp(`^${killed.pid} `));
    const next = new ServerProcess({ DATA_DIR, ADMIN_TOKEN });
    const { url } = await next.listening();
    expect((await new Client(url, ADMIN_TOKEN).ask(Whoami)).status).toBe(200);
    await next.stop();
    await expect(stat(path.join(DATA_DIR, 'lock'))).rejects.toThrow('ENOENT');
  });
});

describe('a wrong setting stops the start with one line', () => {
  const rows: [setting: string, value: () => Promise<string> | string, problem: RegExp][] = [
    ['PORT', () => 'eighty', /^PORT must be a port number, from 0 to 65535\. For example: PORT=8000$/],
    ['PORT', () => '65536', /^PORT must be a port number, from 0 to 65535\. For example: PORT=8000$/],
    ['PORT', takenPort, /^PORT \d+ is in use on 127\.0\.0\.1.*For example: PORT=0/],
    ['HOST', () => 'no.such.host.invalid', /^HOST no\.such\.host\.invalid .*For example: HOST=127\.0\.0\.1$/],
    ['HOST', () => '203.0.113.7', /^HOST 203\.0\.113\.7 .*For example: HOST=127\.0\.0\.1$/],
    ['BASE_URL', () => 'ftp://somewhere', /^BASE_URL must be an http or https URL\. For example: BASE_URL=https:/],
    ['DATA_DIR', () => aFile(), /^DATA_DIR .*cannot be used.* For example: DATA_DIR=\.\/data$/],
    ['DATABASE_URL', () => 'mysql://x', /^DATABASE_URL must begin with postgresql:\/\/\. For example: DATABASE_URL=p/],
    ['DATABASE_URL', () => 'postgresql://localhost/x', /^SECRET_KEY is required together with DATABASE_URL.*example: S/],
    ['SECRET_KEY', () => 'c2hvcnQ=', /^SECRET_KEY must be 32 bytes in base64.* For example: SECRET_KEY=\$\(openssl/],
    ['ADMIN_TOKEN', () => 'short', /^ADMIN_TOKEN must have at least 32 characters\. For example: ADMIN_TOKEN=/],
    ['ADMIN_TOKEN', () => `${ADMIN_TOKEN} x`, /^ADMIN_TOKEN must not contain spaces\. For example: ADMIN_TOKEN=/],
    ['TEMPLATES_DIR', () => '/no/such/folder', /^TEMPLATES_DIR .*\/no\/such\/folder.*For example: TEMPLATES_DIR=t/],
    ['CORS_ORIGINS', () => 'https://a.example/path', /^CORS_ORIGINS must be origins, without a path\. For example: C/],
    ['CORS_ORIGINS', () => 'everyone', /^CORS_ORIGINS must be an http or https URL\. For example: CORS_ORIGINS=/],
    ['LOG_LEVEL', () => 'loud', /^LOG_LEVEL must be one of fatal, error, .*trace, silent\. For example: LOG_LEVEL=info$/],
    ['PROVISION_CONCURRENCY', () => '0', /^PROVISION_CONCURRENCY must be a whole number from 1 to 32\. For example: P/],
    ['PROVISION_CONCURRENCY', () => 'many', /^PROVISION_CONCURRENCY must be a whole number from 1 to 32\. For exam/],
  ];

  it.each(rows)('%s (%#)', { concurrent: true }, async (setting, value, problem) => {
    const DATA_DIR = await mkdtemp(path.join(folder, 'wrong-'));
    const server = new ServerProcess({ DATA_DIR, [setting]: await value() });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(server.stderr.trimEnd()).toMatch(problem);
    expect(server.stdout).toBe('');
  });

  it('says that the database cannot be reached, without its password', async () => {
    const server = new ServerProcess({
      DATA_DIR: path.join(folder, 'postgres'),
      DATABASE_URL: 'postgresql://somebody:hunter2-is-secret@127.0.0.1:1/none',
      SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
    });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.stderr.trimEnd()).toMatch(/^DATABASE_URL .*127\.0\.0\.1.*For example: DATABASE_URL=/);
    expect(server.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(server.stderr).not.toContain('hunter2');
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
