import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../../bin/mission-control.js', import.meta.url));

/** How a command has ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** mission-control in a process of its own. Nothing but PATH and HOME comes from this process's environment. */
export function startCommand(
  args: string[],
  settings: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: ROOT,
    env: { PATH, HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ ...ended, code })) };
}

/** Runs mission-control to its end. */
export function runCommand(args: string[], settings: Record<string, string> = {}): Promise<Ended> {
  return startCommand(args, settings).ended;
}
