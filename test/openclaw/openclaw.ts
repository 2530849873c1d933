import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import type { FakeModel } from './fake-model.ts';
import { installOpenClaw } from './install.ts';

export interface OpenClawOptions {
  /** The model that its agents use. Without one, the gateway has no model configured. */
  model?: FakeModel;
  /** @default a free port */
  port?: number;
  /** Run cron, and with it heartbeats. @default true */
  cron?: boolean;
  /** Merged over the quiet configuration, one level of each top-level key deep. */
  config?: Record<string, Record<string, unknown>>;
  env?: Record<string, string>;
  /** How long a start may take, in milliseconds. Measured: 10–15 s alone, minutes on a busy machine. @default 180_000 */
  startTimeoutMs?: number;
}

export interface OpenClaw {
  url: string;
  httpUrl: string;
  port: number;
  token: string;
  home: string;
  stateDir: string;
  /** Of the running process; it changes with `start` and `restart`. */
  readonly pid: number;
  /** All that the gateway wrote, of all its runs. */
  log(): string;
  readConfig(): Promise<Record<string, unknown>>;
  /** Ends the gateway as a service manager would, keeping its files. Resolves with the exit code when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends it at once, keeping its files. */
  kill(): Promise<void>;
  /** Starts it again after `stop` or `kill`, on the same port and files. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** Ends it and removes its files. */
  dispose(): Promise<void>;
}

/** Starts a real OpenClaw gateway on loopback with a home of its own, and waits until it is ready. */
export async function startOpenClaw(options: OpenClawOptions = {}): Promise<OpenClaw> {
  const command = await installOpenClaw();
  const port = options.port ?? (await freePort());
  const home = await mkdtemp(join(tmpdir(), 'openclaw-test-'));
  const stateDir = join(home, '.openclaw');
  const token = randomBytes(24).toString('hex');
  await mkdir(stateDir, { recursive: true });
  await writeFile(join(stateDir, 'openclaw.json'), JSON.stringify(quietConfig(port, token, options), null, 2));

  let log = '';
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn(process.execPath, [command, 'gateway', 'run', '--port', String(port)], {
      cwd: home,
      env: { ...environment(home, stateDir, options.cron ?? true), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own group, so that whatever the agents started ends with it.
      detached: true,
    });
    child = started;
    const collect = (data: Buffer) => {
      log += data.toString();
    };
    started.stdout.on('data', collect);
    started.stderr.on('data', collect);
    try {
      await waitUntilReady(port, started, options.startTimeoutMs ?? 180_000, () => log);
    } catch (error) {
      await end(started, 'SIGKILL');
      throw error;
    }
  }

  const openclaw: OpenClaw = {
    url: `ws://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    port,
    token,
    home,
    stateDir,
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => log,
    async readConfig() {
      return JSON.parse(await readFile(join(stateDir, 'openclaw.json'), 'utf8')) as Record<string, unknown>;
    },
    async stop(signal = 'SIGTERM') {
      return child ? end(child, signal) : null;
    },
    async kill() {
      if (child) await end(child, 'SIGKILL');
    },
    start,
    async restart() {
      await openclaw.stop();
      await start();
    },
    async dispose() {
      process.off('exit', killAtExit);
      await openclaw.kill();
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
  const killAtExit = () => {
    if (child) signalGroup(child, 'SIGKILL');
  };
  process.on('exit', killAtExit);

  try {
    await start();
  } catch (error) {
    await openclaw.dispose();
    throw error;
  }
  return openclaw;
}

/** The quietest configuration that does all that a control plane relies on: no plugins, no look-ups in the network. */
function quietConfig(port: number, token: string, options: OpenClawOptions): Record<string, Record<string, unknown>> {
  const { model } = options;
  const config: Record<string, Record<string, unknown>> = {
    gateway: { mode: 'local', port, bind: 'loopback', auth: { mode: 'token', token } },
    update: { checkOnStart: false },
    plugins: { enabled: false },
    models: {
      catalogRefresh: { enabled: false },
      ...(model ? { providers: { fake: fakeProvider(model.url) } } : {}),
    },
    ...(model ? { agents: { defaults: { model: { primary: 'fake/fake-1' } } } } : {}),
  };
  for (const [key, value] of Object.entries(options.config ?? {})) config[key] = { ...config[key], ...value };
  return config;
}

function fakeProvider(baseUrl: string) {
  return {
    baseUrl,
    apiKey: 'fake',
    api: 'openai-completions',
    models: [
      {
        id: 'fake-1',
        name: 'Fake',
        contextWindow: 128_000,
        maxTokens: 4096,
        input: ['text'],
        reasoning: false,
        cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      },
    ],
  };
}

function environment(home: string, stateDir: string, cron: boolean): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    OPENCLAW_STATE_DIR: stateDir,
    OPENCLAW_SKIP_CHANNELS: '1',
    OPENCLAW_SKIP_GMAIL_WATCHER: '1',
    OPENCLAW_SKIP_BROWSER_CONTROL_SERVER: '1',
    OPENCLAW_SKIP_CANVAS_HOST: '1',
    OPENCLAW_SKIP_PROVIDERS: '1',
    OPENCLAW_SKIP_STARTUP_MODEL_PREWARM: '1',
    OPENCLAW_DISABLE_BONJOUR: '1',
    OPENCLAW_NO_AUTO_UPDATE: '1',
    OPENCLAW_NO_RESPAWN: '1',
    OPENCLAW_EXEC_SHELL_SNAPSHOT: '0',
    OPENCLAW_HIDE_BANNER: '1',
    ...(cron ? {} : { OPENCLAW_SKIP_CRON: '1' }),
  };
}

async function waitUntilReady(port: number, child: ChildProcess, timeoutMs: number, log: () => string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(
        `OpenClaw ended with ${child.exitCode ?? child.signalCode} while starting:\n${log().slice(-4000)}`,
      );
    }
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) })
      .then((response) => response.json() as Promise<{ ready?: boolean }>)
      .catch(() => ({ ready: false }));
    if (ready.ready === true) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`OpenClaw was not ready within ${timeoutMs} ms:\n${log().slice(-4000)}`);
}

/** A stop that takes longer than this becomes a kill. Measured: 0.4–2.7 s. */
const STOP_WITHIN_MS = 30_000;

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      // What it started may outlive it.
      signalGroup(child, 'SIGKILL');
      resolve(child.exitCode);
    };
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_WITHIN_MS);
    if (child.exitCode !== null || child.signalCode !== null) {
      finish();
      return;
    }
    child.once('exit', finish);
    child.kill(signal);
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}
