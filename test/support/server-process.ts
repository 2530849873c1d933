import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { Client } from './client.ts';
import { ADMIN_TOKEN } from './mission-control.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The line with which the server says that it listens. */
export interface Listening {
  msg: 'listening';
  url: string;
  graphiql: string;
  database: string;
  version: string;
  firstToken?: string;
  header?: string;
}

/** The real command in a process of its own, with all that it prints. */
export class ServerProcess {
  stdout = '';
  stderr = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;

  /**
   * @param settings environment variables; nothing but PATH comes from this process
   * @param start another command than this checkout's, in its folder, as another user
   */
  constructor(
    settings: Record<string, string>,
    start: { command: [string, ...string[]]; cwd: string; uid?: number; gid?: number } = {
      command: [process.execPath, MAIN],
      cwd: ROOT,
    },
  ) {
    const { command, ...where } = start;
    this.#child = spawn(command[0], command.slice(1), {
      ...where,
      env: { PATH: process.env.PATH, PORT: '0', SOULS_URL: '', ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the line that says where it listens; rejects when it ends without one. */
  async listening(timeoutMs = 30_000): Promise<Listening> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.stdout.split('\n').find((text) => text.includes('"msg":"listening"'));
      // The last line may have come in part.
      if (line?.endsWith('}')) return JSON.parse(line) as Listening;
      if (!this.isRunning) throw new Error(`The server ended: ${this.stderr}${this.stdout}`);
      if (performance.now() > deadline) throw new Error(`The server does not listen: ${this.stderr}${this.stdout}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** SIGTERM, and its end. */
  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.signal('SIGTERM');
    return this.exited;
  }
}

/** A data folder with an empty database that has all migrations: a first start without it takes some seconds more. */
export async function preparedFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-process-'));
  await mkdir(path.join(folder, 'pglite'), { mode: 0o700 });
  await promisify(execFile)('tar', ['-xf', inject('snapshot'), '-C', path.join(folder, 'pglite')]);
  return folder;
}

/** A server on a folder of the test, with the owner signed in. */
export async function startProcess(
  dataDir: string,
  settings: Record<string, string> = {},
): Promise<{ server: ServerProcess; url: string; owner: Client }> {
  const server = new ServerProcess({ DATA_DIR: dataDir, ADMIN_TOKEN, LOG_LEVEL: 'warn', ...settings });
  const { url } = await server.listening();
  return { server, url, owner: new Client(url, ADMIN_TOKEN) };
}
