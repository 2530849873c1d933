import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

// The real command, as somebody runs it who wants to see what this is.

const ROOT = path.join(import.meta.dirname, '..', '..');
const AGENTS = ['Gateway agent', 'Lena', 'Ada', 'Otto'];
const DEADLINE_MS = 60_000;
/** All four agents as they stand once each is provisioned and was seen. */
const ALL_ALIVE = new RegExp(AGENTS.map((name) => `${name} .*ONLINE +SUCCEEDED in .*\\n`).join('.*?'), 's');

interface Demo {
  child: ChildProcess;
  /** All that it wrote. */
  output: () => string;
  /** Waits until it has written this. */
  told: (what: RegExp) => Promise<void>;
  /** The exit code, when it has ended. */
  ended: Promise<number | null>;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'demo-test-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function startDemo(flags: string[], temporary: string): Demo {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['src/demo/main.ts', ...flags], {
    cwd: ROOT,
    env: { PATH, HOME, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const watchers = new Set<() => void>();
  const read = (data: Buffer) => {
    output += data.toString();
    for (const watcher of watchers) watcher();
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  cleanups.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const told = (what: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!what.test(output)) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => reject(new Error(`${what} was not written, but:\n${output}`)), DEADLINE_MS);
      watchers.add(look);
      look();
    });
  return { child, output: () => output, told, ended };
}

describe('npm run demo', { timeout: 2 * DEADLINE_MS }, () => {
  test('shows every agent provisioned and alive, and after its time ends and leaves nothing', async () => {
    const temporary = await temporaryFolder();
    const demo = startDemo(['--plain', '--seconds', '6'], temporary);
    await demo.told(/Bearer mco_/);
    await demo.told(ALL_ALIVE);
    expect(await demo.ended, demo.output()).toBe(0);
    expect(demo.output()).toMatch(/Lena +PROVISIONING +REGISTER CHANGED/);
    expect(demo.output()).toMatch(/Ada +HEARTBEAT/);
    expect(await readdir(temporary)).toEqual([]);
  });

  test('ends on ctrl-C with exit code 0, also when npm passes the signal on a second time', async () => {
    const temporary = await temporaryFolder();
    const demo = startDemo(['--plain'], temporary);
    await demo.told(/CREATED/);
    const [, url] = /GraphiQL: (\S+)/.exec(demo.output()) ?? [];
    demo.child.kill('SIGINT');
    demo.child.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(0);
    expect(await readdir(temporary)).toEqual([]);
    await expect(fetch(url ?? '')).rejects.toThrow();
  });

  test.each([
    [['--colour'], "Unknown option '--colour'"],
    [['now'], "Unexpected argument 'now'"],
    [['--seconds', 'many'], '--seconds must be a number'],
    [['--gateway', 'ws://127.0.0.1:18789'], '--gateway needs --workspace-root DIR'],
    [['--workspace-root', '/tmp'], '--workspace-root goes with --gateway URL'],
  ])('refuses %j with one line', async (flags, line) => {
    const demo = startDemo(flags, await temporaryFolder());
    expect(await demo.ended).toBe(2);
    expect(demo.output()).toContain(line);
    expect(demo.output().trim().split('\n')).toHaveLength(1);
  });
});
