import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, globSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';

/** How PostgreSQL is told to end: `fast` rolls back what is open and closes well, `immediate` leaves as in a crash. */
const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

const START_TIMEOUT_MS = 30_000;

/** A PostgreSQL of the system's programs on a temporary folder. It can be stopped and started again on the same data. */
export class PostgresServer {
  /** Without the name of a database. */
  readonly url: string;
  readonly #port: number;
  readonly #fsync: boolean;
  readonly #bin: string;
  readonly #folder: string;
  readonly #account: { uid: number; gid: number } | null;
  readonly #killAtExit = () => this.#child?.kill('SIGQUIT');
  #child: ChildProcess | null = null;

  private constructor(port: number, fsync: boolean) {
    this.#port = port;
    this.#fsync = fsync;
    this.url = `postgresql://postgres@127.0.0.1:${port}`;
    this.#bin = path.dirname(globSync('/usr/lib/postgresql/*/bin/initdb').sort().at(-1) ?? missing());
    this.#account = accountOf('postgres');
    this.#folder = mkdtempSync(path.join(tmpdir(), 'mission-control-postgres-'));
    if (this.#account) chownSync(this.#folder, this.#account.uid, this.#account.gid);
    execFileSync(
      path.join(this.#bin, 'initdb'),
      ['-D', this.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
      { ...this.#account, stdio: 'pipe' },
    );
    process.once('exit', this.#killAtExit);
  }

  /**
   * A new one that takes connections.
   * @param port by default a free one
   * @param fsync whether a commit waits for the disk, as it does at an operator's
   */
  static async create({ port, fsync = false }: { port?: number; fsync?: boolean } = {}): Promise<PostgresServer> {
    const server = new PostgresServer(port ?? (await freePort()), fsync);
    await server.start();
    return server;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const fsync = `fsync=${this.#fsync ? 'on' : 'off'}`;
    const settings = ['listen_addresses=127.0.0.1', fsync, 'max_connections=300'];
    const child = spawn(
      path.join(this.#bin, 'postgres'),
      ['-D', this.#data, '-p', String(this.#port), '-k', this.#folder, ...settings.flatMap((each) => ['-c', each])],
      { ...this.#account, stdio: 'ignore' },
    );
    this.#child = child;
    await this.#accepting(child);
  }

  /** Resolves when it has ended; its data stays. */
  async stop(mode: keyof typeof STOP_SIGNALS = 'fast'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(STOP_SIGNALS[mode]);
    await ended;
  }

  /** Ends it and removes its data. */
  async dispose(): Promise<void> {
    await this.stop();
    process.off('exit', this.#killAtExit);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Makes an empty database. @returns its URL */
  async createDatabase(name: string, template = 'template1'): Promise<string> {
    const client = new pg.Client({ connectionString: `${this.url}/postgres` });
    await client.connect();
    await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE ${pg.escapeIdentifier(template)}`);
    await client.end();
    return `${this.url}/${name}`;
  }

  get #data(): string {
    return path.join(this.#folder, 'data');
  }

  async #accepting(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const client = new pg.Client({ connectionString: `${this.url}/postgres` });
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        if (Date.now() > deadline || child.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

function missing(): never {
  throw new Error('PostgreSQL’s server programs are missing. On Debian: apt-get install postgresql');
}

/** PostgreSQL does not run as root: there, its own user is used. */
function accountOf(user: string): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
