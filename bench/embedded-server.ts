import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Api } from '../src/demo/api.ts';
import { ROOT, startServerProcess } from './server-process.ts';

/** Does the work on a server on its own embedded database, in a process of its own that has nothing else to do. */
export async function onEmbeddedServer<Result>(work: (api: Api) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-bench-'));
  const token = randomBytes(24).toString('hex');
  const { PATH = '', HOME = '' } = process.env;
  const settings = {
    PORT: '0',
    DATA_DIR: path.join(folder, 'data'),
    ADMIN_TOKEN: token,
    LOG_LEVEL: 'error',
    SOULS_URL: '',
  };
  try {
    const server = await startServerProcess({
      program: process.execPath,
      args: ['src/main.ts'],
      cwd: ROOT,
      env: { PATH, HOME, ...settings },
    });
    const api = new Api(`${server.url}/graphql`, token);
    try {
      return await work(api);
    } finally {
      await api.close();
      // A gateway that answers nothing is waited for when it stops.
      await server.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
