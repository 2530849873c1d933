import { setTimeout as sleep } from 'node:timers/promises';
import { ServerProcess } from '../support/server-process.ts';

const START_TIMEOUT_MS = 60_000;
const START_AGAIN_MS = 200;
/** Of what the processes wrote, this much is kept for a report. */
const KEPT_LOG = 4_000_000;

/** One of the server processes, on a port of its own and started again whenever it ends, as a service manager does. */
export class KeptServer {
  readonly name: string;
  readonly url: string;
  /** Ends that nobody asked for after it had listened, with what the process wrote last. */
  readonly crashes: string[] = [];
  readonly #settings: Record<string, string>;
  #process: ServerProcess | null = null;
  #isUp = false;
  #stopped = false;
  #written = '';

  /** @param settings environment variables, PORT among them */
  constructor(name: string, settings: Record<string, string>) {
    this.name = name;
    this.url = `http://127.0.0.1:${settings.PORT}`;
    this.#settings = settings;
    process.once('exit', () => this.#process?.signal('SIGKILL'));
  }

  /** Whether it listens. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** All that it wrote, the latest at the end. */
  get log(): string {
    return this.#written + outputOf(this.#process);
  }

  /** Resolves when it listens. One that ends at its start, as without its database, is started again. */
  async start(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!this.#process && !this.#stopped) {
      const started = new ServerProcess(this.#settings);
      this.#process = started;
      try {
        await started.listening(Math.max(1, deadline - performance.now()));
      } catch (error) {
        await started.kill();
        this.#forget(started);
        if (performance.now() > deadline) throw error;
        await sleep(START_AGAIN_MS);
        continue;
      }
      this.#isUp = true;
      void started.exited.then(() => this.#ended(started));
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const killed = this.#forget(this.#process);
    await killed?.kill();
  }

  /** SIGTERM, and its end, for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const stopped = this.#forget(this.#process);
    await stopped?.stop();
  }

  #ended(ended: ServerProcess): void {
    if (ended !== this.#process) return;
    this.crashes.push(`server ${this.name} ended by itself: ${outputOf(ended).slice(-4_000)}`);
    this.#forget(ended);
    this.start().catch((error: unknown) => this.crashes.push(`server ${this.name} does not start again: ${error}`));
  }

  #forget(process: ServerProcess | null): ServerProcess | null {
    this.#isUp = false;
    this.#process = null;
    this.#written = (this.#written + outputOf(process)).slice(-KEPT_LOG);
    return process;
  }
}

function outputOf(process: ServerProcess | null): string {
  return process ? process.stdout + process.stderr : '';
}
