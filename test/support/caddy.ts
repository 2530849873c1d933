import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const CADDYFILE = fileURLToPath(new URL('../../deploy/Caddyfile', import.meta.url));
const PROGRAM = process.env.CADDY_PATH || '/usr/bin/caddy';

/** Whether this machine has Caddy: Debian's, or the one that CADDY_PATH names. */
export const hasCaddy = existsSync(PROGRAM);

/** Caddy with the configuration of deploy/Caddyfile, before servers of the test. */
export class Caddy {
  /** http://… */
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param urls of servers on loopback */
  static async create(urls: readonly string[]): Promise<Caddy> {
    const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-caddy-'));
    const url = `http://127.0.0.1:${await freePort()}`;
    const child = spawn(PROGRAM, ['run', '--config', CADDYFILE, '--adapter', 'caddyfile'], {
      env: {
        HOME: folder,
        BASE_URL: url,
        SERVERS: urls.map((each) => new URL(each).host).join(' '),
        CADDY_ADMIN: `127.0.0.1:${await freePort()}`,
      },
      stdio: 'ignore',
    });
    const caddy = new Caddy(url, child, folder);
    await eventually(
      () =>
        fetch(`${url}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      (isUp) => isUp,
    );
    return caddy;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
