import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { Load, Loaded } from './peers/load.ts';

export type { Load, Loaded };

const PEERS = path.join(import.meta.dirname, 'peers');

/** Makes a load in another process. @throws Error when a request was not answered */
export async function load(what: Load): Promise<Loaded> {
  const child = spawn(process.execPath, [path.join(PEERS, 'load.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const killAtExit = () => child.kill('SIGKILL');
  process.on('exit', killAtExit);
  child.stdin.end(JSON.stringify(what));
  const said = await text(child.stdout);
  process.off('exit', killAtExit);
  if (said === '') throw new Error(`${what.url} could not be measured.`);
  return JSON.parse(said) as Loaded;
}

/** What makes the load, and others to compare with. Their versions are in a lock file of their own, as they are no part of the product. */
export async function installPeers(progress: (text: string) => void): Promise<void> {
  const read = async (file: string) => JSON.parse(await readFile(path.join(PEERS, file), 'utf8'));
  const { dependencies } = (await read('package.json')) as { dependencies: Record<string, string> };
  const isThere = async ([name, version]: [string, string]) =>
    (await read(`node_modules/${name}/package.json`).catch(() => ({}))).version === version;
  const there = await Promise.all(Object.entries(dependencies).map(isThere));
  if (!there.includes(false)) return;
  progress('what makes the load, and the others, are being installed');
  const args = ['ci', '--prefix', PEERS, '--ignore-scripts', '--no-progress', '--loglevel=error'];
  await promisify(execFile)('npm', args, { cwd: PEERS });
}
