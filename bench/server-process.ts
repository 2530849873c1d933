import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = path.join(import.meta.dirname, '..');

export interface ServerProcess {
  url: string;
  pid: number;
  /** From the start of the process until /readyz answered 200. */
  readyMs: number;
  /** Ends it as a service manager does. */
  stop(): Promise<void>;
  /** Ends it at once, for one whose data nobody needs any more. */
  kill(): Promise<void>;
}

/** One for all servers of a run: several may be on one database. */
const SECRET_KEY = randomBytes(32).toString('base64');

/** What a server on this PostgreSQL is started with. @param token the owner's */
export function settingsOn(databaseUrl: string, token: string): Record<string, string> {
  const { PATH = '' } = process.env;
  const settings = { PORT: '0', LOG_LEVEL: 'error', SOULS_URL: '' };
  return { PATH, DATABASE_URL: databaseUrl, SECRET_KEY, ADMIN_TOKEN: token, ...settings };
}

/** Starts a program of the project that is a server; see startServerProcess. */
export function startProgram(file: string, env: Record<string, string>): Promise<ServerProcess> {
  return startServerProcess({ program: process.execPath, args: [path.join(ROOT, file)], cwd: ROOT, env });
}

export interface Command {
  program: string;
  args: string[];
  /** The folder of the project. */
  cwd: string;
  /** The whole environment. */
  env: Record<string, string>;
}

const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 5;

/** Starts a server and waits until it is ready. It says on stdout where it listens. */
export async function startServerProcess({ program, args, cwd, env }: Command): Promise<ServerProcess> {
  const started = performance.now();
  // In a group of its own: npm passes signals on to its shell only, and the server would go on.
  // A benchmark asks as often as it can, with one token.
  const settings = { REQUESTS_PER_MINUTE: '0', ...env };
  const child = spawn(program, args, { cwd, env: settings, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const killAtExit = () => signal(child, 'SIGKILL');
  process.on('exit', killAtExit);
  let output = '';
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      signal(child, 'SIGKILL');
      reject(new Error(`The server ${why}:\n${output.slice(-2000)}`));
    };
    const timer = setTimeout(() => fail('does not start'), START_TIMEOUT_MS);
    const read = (data: Buffer) => {
      output += data.toString();
      const found = /"msg":"listening","url":"([^"]+)"/.exec(output)?.[1];
      if (!found) return;
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve(found);
    };
    const onExit = (code: number | null) => fail(`ended with ${code}`);
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', (error) => fail(error.message));
    child.once('exit', onExit);
  });
  while (!(await isReady(url))) await sleep(POLL_MS);
  const kill = async () => {
    signal(child, 'SIGKILL');
    await exited;
    process.off('exit', killAtExit);
  };
  return {
    url,
    pid: child.pid ?? 0,
    readyMs: performance.now() - started,
    async stop() {
      signal(child, 'SIGTERM');
      await Promise.race([exited, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
      await kill();
    },
    kill,
  };
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then(
    (response) => response.status === 200,
    () => false,
  );
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // It has ended already.
  }
}
