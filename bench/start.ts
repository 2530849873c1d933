import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Measurement, RunOptions, Target } from './bench.ts';
import { ROOT, startServerProcess } from './server-process.ts';

export const name = 'start';
export const about =
  'From `npm start` until /readyz answers 200, in a copy of the project without generated code, as after `npm ci ' +
  '--ignore-scripts`. First start: no generated code, no data folder. Later start: both are there.';

const FIRST = 'first start';
const LATER = 'later start';
export const targets: Target[] = [
  { measurement: FIRST, atMost: 8 },
  { measurement: LATER, atMost: 2.5 },
];

const ROUNDS = 5;
const SHORT_ROUNDS = 3;
/** What a clone does not have, or what does not take part. */
const LEFT_OUT = new Set(['node_modules', '.git', 'data', 'bench', 'test']);

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-bench-'));
  const project = path.join(folder, 'project');
  const generated = path.join(project, 'src', 'generated');
  const first: number[] = [];
  const later: number[] = [];
  try {
    await cp(ROOT, project, { recursive: true, filter: (source) => !LEFT_OUT.has(path.relative(ROOT, source)) });
    await symlink(path.join(ROOT, 'node_modules'), path.join(project, 'node_modules'));
    for (let round = 1; round <= (short ? SHORT_ROUNDS : ROUNDS); round++) {
      const data = path.join(folder, `data-${round}`);
      await rm(generated, { recursive: true, force: true });
      first.push(await secondsToReady(project, data));
      later.push(await secondsToReady(project, data));
      progress(`round ${round}: first ${first.at(-1)?.toFixed(2)} s, later ${later.at(-1)?.toFixed(2)} s`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [
    { name: FIRST, unit: 's', samples: first },
    { name: LATER, unit: 's', samples: later },
  ];
}

async function secondsToReady(project: string, dataDir: string): Promise<number> {
  const env = { ...cleanEnvironment(), PORT: '0', DATA_DIR: dataDir };
  const server = await startServerProcess({ program: 'npm', args: ['start'], cwd: project, env });
  await server.stop();
  return server.readyMs / 1000;
}

/** What an operator's shell has, without what `npm run bench` adds to it. */
function cleanEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  const folders = PATH.split(path.delimiter).filter((folder) => !/node_modules[/\\]/.test(folder));
  return { PATH: folders.join(path.delimiter), HOME, npm_config_update_notifier: 'false' };
}
