import { execFile } from 'node:child_process';
import { chmodSync, globSync, lchownSync, lstatSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { productionPackages } from '../../deploy/production-packages.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { Client } from '../support/client.ts';
import { buildImage, filesOf, type Image, pathIn, readDockerfile } from '../support/dockerfile.ts';
import { freePort } from '../support/free-port.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { ownDatabase } from '../support/own-database.ts';
import { ServerProcess } from '../support/server-process.ts';

const WhoIsInTheContainer = graphql(`
  query WhoIsInTheContainer { viewer { role } agents { totalCount } }
`);

const CONTEXT = fileURLToPath(new URL('../..', import.meta.url));
const postgres = inject('postgres');
const run = promisify(execFile);

/** A container's user is another one than who builds the image: that takes root. */
describe.skipIf(postgres === null || process.getuid?.() !== 0)('the image that the Dockerfile makes', () => {
  let folder: string;
  let image: Image;
  let account: { uid: number; gid: number };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'mission-control-image-'));
    // The container's user goes through it.
    chmodSync(folder, 0o755);
    const read = (file: string) => readFileSync(path.join(CONTEXT, file), 'utf8');
    const stages = readDockerfile(read('Dockerfile'));
    image = await buildImage(stages, CONTEXT, filesOf(CONTEXT, read('.dockerignore')), folder);
    const [uid = 0, gid = 0] = image.user.split(':').map(Number);
    account = { uid, gid };
    // As `docker run --read-only` has it: all but the volumes.
    for (const file of globSync('app/**', { cwd: image.root })) {
      const name = path.join(image.root, file);
      lchownSync(name, 0, 0);
      const { mode } = lstatSync(name);
      if (!lstatSync(name).isSymbolicLink()) chmodSync(name, mode & 0o555);
    }
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const inApp = (file: string) => pathIn(image.root, image.workdir, file);
  const node = () => path.join(image.root, 'usr', 'local', 'bin', 'node');

  /** Its environment, with paths in the folder that stands for its root. */
  function environment(more: Record<string, string>): Record<string, string> {
    const own = Object.entries(image.env).map(([name, value]) => [
      name,
      value.startsWith('/') ? path.join(image.root, value) : value,
    ]);
    return { ...Object.fromEntries(own), ADMIN_TOKEN, LOG_LEVEL: 'warn', DRAIN_SECONDS: '0', ...more };
  }

  function start(env: Record<string, string>): ServerProcess {
    const [program, ...rest] = image.command;
    expect(program).toBe('node');
    return new ServerProcess(environment(env), { command: [node(), ...rest], cwd: inApp('.'), ...account });
  }

  /** The exit code of the health check. */
  async function health(env: Record<string, string>): Promise<number> {
    const [program, ...rest] = image.healthcheck;
    expect(program).toBe('node');
    return run(node(), rest, { env: environment(env), ...account }).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  }

  it('has what is needed to run, and nothing else', async () => {
    const files = globSync('**', { cwd: inApp('.'), exclude: ['node_modules/**'] });
    const folders = new Set(files.map((file) => file.split('/').slice(0, 2).join('/')));
    expect([...folders].filter((name) => /test|docs|bench|examples|simulator|demo|\.env|\.git/.test(name))).toEqual([]);
    const installed = JSON.parse(readFileSync(inApp('node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, unknown>;
    };
    expect(Object.keys(installed.packages).sort()).toEqual(
      productionPackages()
        .map((each) => each.path)
        .sort(),
    );
    const { stdout } = await run('du', ['-sm', inApp('.')]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(100);
  });

  it('runs as its own user, who can write nothing but the volume', async () => {
    expect(account.uid).toBeGreaterThan(0);
    const write = (file: string) => run('touch', [file], account);
    await expect(write(inApp('src/main.ts'))).rejects.toThrow('Permission denied');
    await expect(write(inApp('src/generated/new'))).rejects.toThrow('Permission denied');
    expect(image.volumes).toEqual([image.env.DATA_DIR]);
    await write(path.join(image.root, image.env.DATA_DIR ?? '', 'something'));
  });

  const databases: [name: string, settings: () => Promise<Record<string, string>>][] = [
    ['an embedded database on its volume', async () => ({})],
    [
      'PostgreSQL, without a volume',
      async () => {
        const own = await ownDatabase(postgres ?? '');
        await own.client.end();
        return { ...own.settings, DATA_DIR: '/nowhere' };
      },
    ],
  ];
  it.each(databases)('serves from %s, says that it is healthy, and stops', async (_name, database) => {
    const env = { PORT: String(await freePort()), ...(await database()) };
    expect(await health(env)).toBe(1);
    const server = start(env);
    const { url } = await server.listening(60_000);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await health(env)).toBe(0);
    const data = await new Client(url.replace('0.0.0.0', '127.0.0.1'), ADMIN_TOKEN).run(WhoIsInTheContainer);
    expect(data).toEqual({ viewer: { role: 'OWNER' }, agents: { totalCount: 0 } });
    expect((await fetch(`${url}/graphql`, { headers: { Accept: 'text/html' } })).status).toBe(200);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.stderr).toBe('');
    expect(await health(env)).toBe(1);
  });
});
