import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

/** The OpenClaw that the suites run against. */
const OPENCLAW_VERSION = '2026.9.6';

/** A half-made install older than this belongs to nobody any more. */
const ABANDONED_AFTER_MS = 60 * 60_000;

/**
 * Installs OpenClaw once (650 MB, about 40 s from a near registry) and gives the path of its command, `openclaw.mjs`.
 *
 * It goes to `OPENCLAW_CACHE`, by default `~/.cache/mission-control-test/openclaw-<version>`. The install is made in a
 * sibling folder and renamed into place, so an interrupted one is never used, and of two at once the first to
 * finish wins. No install script has to run: the gateway starts and works without (measured with 2026.9.6).
 */
export async function installOpenClaw(cache = defaultCache()): Promise<string> {
  const command = join(cache, 'node_modules', 'openclaw', 'openclaw.mjs');
  if (existsSync(command)) return command;

  await mkdir(dirname(cache), { recursive: true });
  await removeAbandoned(cache);
  const making = await mkdtemp(`${cache}.making-`);
  try {
    await writeFile(join(making, 'package.json'), JSON.stringify({ private: true }));
    await npmInstall(making);
    try {
      await rename(making, cache);
    } catch (error) {
      // Another process was faster, or a folder without the command is in the way.
      if (!existsSync(command)) {
        await rm(cache, { recursive: true, force: true });
        await rename(making, cache).catch(() => {
          throw error;
        });
      }
    }
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  if (!existsSync(command)) throw new Error(`OpenClaw ${OPENCLAW_VERSION} was installed, but ${command} is not there`);
  return command;
}

function defaultCache(): string {
  return (
    process.env.OPENCLAW_CACHE || join(homedir(), '.cache', 'mission-control-test', `openclaw-${OPENCLAW_VERSION}`)
  );
}

async function removeAbandoned(cache: string): Promise<void> {
  const folder = dirname(cache);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(cache)}.making-`)) continue;
    const path = join(folder, name);
    const made = await stat(path).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

function npmInstall(cwd: string): Promise<void> {
  const arguments_ = ['install', '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  return new Promise((resolve, reject) => {
    const child = spawn('npm', [...arguments_, `openclaw@${OPENCLAW_VERSION}`], {
      cwd,
      // npm refuses packages by `engines` of the Node that runs it: put ours first.
      env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`npm install of openclaw@${OPENCLAW_VERSION} ended with ${code}:\n${output.slice(-4000)}`));
    });
  });
}
