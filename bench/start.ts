import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measurement, RunOptions, Target } from './bench.ts';
import { memoryKb } from './process-usage.ts';
import { ROOT, startServerProcess } from './server-process.ts';

const IDLE_MS = 10_000;

export const name = 'start';
export const about =
  'From `npm start` until /readyz answers 200, in a copy of the project without generated code, as after `npm ci ' +
  '--ignore-scripts`. First start: no generated code, no data folder. Later start: both are there. Beside it, a script that ' +
  `only makes or opens an embedded database. Then the memory (RSS) of a server that has had nothing to do for ${IDLE_MS / 1_000} s.`;

const FIRST = 'first start';
const LATER = 'later start';
const ratioOf = (start: string) => `${start}, ours / bare`;
export const targets: Target[] = [
  { measurement: ratioOf(FIRST), atMost: 2.5 },
  { measurement: ratioOf(LATER), atMost: 5 },
];

const ROUNDS = 5;
const SHORT_ROUNDS = 1;
/** What a clone does not have, or what does not take part. */
const LEFT_OUT = new Set(['node_modules', '.git', 'data', 'bench', 'test']);

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-bench-'));
  const project = path.join(folder, 'project');
  const generated = path.join(project, 'src', 'generated');
  const first: Pair[] = [];
  const later: Pair[] = [];
  try {
    await cp(ROOT, project, { recursive: true, filter: (source) => !LEFT_OUT.has(path.relative(ROOT, source)) });
    await symlink(path.join(ROOT, 'node_modules'), path.join(project, 'node_modules'));
    for (let round = 1; round <= (short ? SHORT_ROUNDS : ROUNDS); round++) {
      const data = path.join(folder, `data-${round}`);
      await rm(generated, { recursive: true, force: true });
      const bare = path.join(folder, `bare-${round}`);
      first.push({ ours: await secondsToReady(project, data), bare: secondsOfBare(bare) });
      later.push({ ours: await secondsToReady(project, data), bare: secondsOfBare(bare) });
      progress(`round ${round}: first ${first.at(-1)?.ours.toFixed(2)} s, later ${later.at(-1)?.ours.toFixed(2)} s`);
    }
    const measurements = [...measurementsOf(FIRST, first), ...measurementsOf(LATER, later)];
    if (short) return measurements;
    return [...measurements, { name: 'memory when idle, MB', unit: '', samples: [await idleMb(project, folder)] }];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Seconds. */
interface Pair {
  ours: number;
  bare: number;
}

function measurementsOf(start: string, pairs: Pair[]): Measurement[] {
  return [
    { name: ratioOf(start), unit: 'x', samples: pairs.map(({ ours, bare }) => ours / bare) },
    { name: `${start}, ours`, unit: 's', samples: pairs.map(({ ours }) => ours) },
    { name: `${start}, bare`, unit: 's', samples: pairs.map(({ bare }) => bare) },
  ];
}

function secondsOfBare(folder: string): number {
  const said = execFileSync(process.execPath, [path.join(ROOT, 'bench/bare-start.ts'), folder], { encoding: 'utf8' });
  return Number(said) / 1000;
}

async function secondsToReady(project: string, dataDir: string): Promise<number> {
  const env = { ...cleanEnvironment(), PORT: '0', DATA_DIR: dataDir, SOULS_URL: '' };
  const server = await startServerProcess({ program: 'npm', args: ['start'], cwd: project, env });
  await server.stop();
  return server.readyMs / 1000;
}

async function idleMb(project: string, folder: string): Promise<number> {
  const env = { ...cleanEnvironment(), PORT: '0', DATA_DIR: path.join(folder, 'data-1'), SOULS_URL: '' };
  const server = await startServerProcess({ program: process.execPath, args: ['src/main.ts'], cwd: project, env });
  await sleep(IDLE_MS);
  const memory = memoryKb(server.pid) / 1024;
  await server.stop();
  return Math.round(memory);
}

/** What an operator's shell has, without what `npm run bench` adds to it. */
function cleanEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  const folders = PATH.split(path.delimiter).filter((folder) => !/node_modules[/\\]/.test(folder));
  return { PATH: folders.join(path.delimiter), HOME, npm_config_update_notifier: 'false' };
}
