import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const CLIENT = path.join(import.meta.dirname, 'live-client.ts');

interface Following {
  url: string;
  token: string;
  /** `stalled`: over WebSocket, and nothing is read of what comes. */
  way: 'ws' | 'sse' | 'stalled';
  count: number;
  query: string;
  boardId: string;
}

const SETTLE_MS = 1_000;

/** Subscribers of a board in a process of their own. */
export class Followers {
  readonly #child: ChildProcess;
  readonly #times: number[] = [];
  #wake: () => void = () => undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static start({ url, token, way, count, query, boardId }: Following): Promise<Followers> {
    const args = [CLIENT, url, token, way, String(count), query, JSON.stringify({ boardId })];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const followers = new Followers(child);
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The subscribers ended with ${code}.`)));
      createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
        // All have asked by then; the last of them are looked up by the server for a moment more.
        if (line === 'ready') return void sleep(SETTLE_MS).then(() => resolve(followers));
        followers.#times.push(Number(line));
        followers.#wake();
      });
    });
  }

  /** When the last of them got each of so many events. */
  async got(count: number): Promise<number[]> {
    const deadline = performance.now() + 60_000;
    while (this.#times.length < count) {
      if (performance.now() > deadline) throw new Error(`Only ${this.#times.length} of ${count} events have come.`);
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), sleep(1_000)]);
    }
    return this.#times.slice(0, count);
  }

  async end(): Promise<void> {
    // Those that do not read end by themselves when the server has cut all of them off.
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await ended;
    }
    // The server notices.
    await sleep(1_000);
  }
}
