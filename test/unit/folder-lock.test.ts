import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/db/folder-lock.ts';

const LOCK = JSON.stringify(new URL('../../src/db/folder-lock.ts', import.meta.url).href);
const LOCK_ONCE = `
  import { lockFolder } from ${LOCK};
  lockFolder(process.argv[1])();
`;
/** Locks the folder of its argument when it is told to, at the instant that it is told, and gives it back when it is told to. */
const LOCK_WHEN_TOLD = `
  import { createInterface } from 'node:readline';
  import { DataFolderInUse, lockFolder } from ${LOCK};
  let release = () => undefined;
  const lock = () => {
    try {
      release = lockFolder(process.argv[1]);
      return 'has it';
    } catch (error) {
      return error instanceof DataFolderInUse ? 'in use' : String(error);
    }
  };
  createInterface(process.stdin).on('line', (line) => {
    const [what, at] = line.split(' ');
    if (what === 'lock') {
      while (Date.now() < Number(at));
      console.log(lock());
    } else {
      release();
      release = () => undefined;
      console.log('gave it back');
    }
  });
  console.log('ready');
`;
const scripted = (script: string) => ['--input-type=module', '-e', script];

/** Runs a program to its end. */
async function run(program: string, args: string[]): Promise<{ pid: number | undefined; stderr: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { pid: child.pid, stderr };
}

/** A process that wants a folder. */
class Rival {
  readonly #child;
  readonly #lines;

  constructor(wanted: string) {
    this.#child = spawn(process.execPath, [...scripted(LOCK_WHEN_TOLD), wanted], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** The next line that it says. */
  async says(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done ? 'has ended' : value;
  }

  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exited;
  }
}

let folder: string;
let file: string;
beforeEach(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), 'mission-control-lock-')), 'data');
  file = path.join(folder, 'lock');
});
afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));

describe('the lock of a data folder', () => {
  it('makes the folder, for its owner only, and is gone when it is given back', () => {
    const release = lockFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    release();
    expect(existsSync(file)).toBe(false);
    release();
    lockFolder(folder)();
  });

  it('is refused while a living process has it, with a sentence that names both', () => {
    const release = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(
      `The data folder ${folder} is in use by process ${process.pid}. Stop that one, or set DATA_DIR to another folder.`,
    );
    release();
  });

  it('is taken over from a process that is dead', async () => {
    lockFolder(folder)();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(file, `${child.pid} 12345`);
    const release = lockFolder(folder);
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    release();
  });

  it.runIf(existsSync('/proc/self/stat'))('is taken over from a dead process whose id a living one has now', () => {
    lockFolder(folder)();
    writeFileSync(file, `${process.pid} 1`);
    lockFolder(folder)();
    expect(existsSync(file)).toBe(false);
  });

  it('is taken over when it is empty or no lock at all', () => {
    lockFolder(folder)();
    for (const content of ['', 'what is this?']) {
      writeFileSync(file, content);
      lockFolder(folder)();
    }
  });

  it('of a killed process is taken by one, however many want it at once', async () => {
    lockFolder(folder)();
    const { pid: killed } = await run(process.execPath, ['-e', '']);
    const rivals = Array.from({ length: 4 }, () => new Rival(folder));
    for (const rival of rivals) expect(await rival.says()).toBe('ready');
    const deadline = performance.now() + 6_000;
    for (let round = 0; performance.now() < deadline; round++) {
      writeFileSync(file, `${killed} ${round}`);
      const at = Date.now() + 15;
      for (const rival of rivals) rival.tell(`lock ${at}`);
      const outcomes = await Promise.all(rivals.map((rival) => rival.says()));
      const holders = rivals.filter((_rival, index) => outcomes[index] === 'has it');
      expect(outcomes.sort(), `in round ${round}`).toEqual(['has it', 'in use', 'in use', 'in use']);
      expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${holders[0]?.pid} `));
      for (const rival of rivals) rival.tell('release');
      await Promise.all(rivals.map((rival) => rival.says()));
      expect(readdirSync(folder)).toEqual([]);
    }
    for (const rival of rivals) await rival.end();
  });

  it.runIf(process.platform !== 'win32')(
    'that cannot be written, as on a full disk, leaves nothing behind',
    async () => {
      mkdirSync(folder);
      // No file may have a single byte.
      const onFullDisk = () =>
        run('sh', ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, ...scripted(LOCK_ONCE), folder]);
      expect((await onFullDisk()).stderr).toContain('EFBIG');
      expect(readdirSync(folder)).toEqual([]);
      // Also in the place of a lock that is left over.
      const { pid: killed } = await run(process.execPath, ['-e', '']);
      writeFileSync(file, `${killed} 12345`);
      expect((await onFullDisk()).stderr).toContain('EFBIG');
      expect(readdirSync(folder)).toEqual(['lock']);
      expect(readFileSync(file, 'utf8')).toBe(`${killed} 12345`);
      lockFolder(folder)();
    },
  );

  it('does not remove the lock of somebody else', () => {
    const release = lockFolder(folder);
    writeFileSync(file, '1 1');
    release();
    expect(readFileSync(file, 'utf8')).toBe('1 1');
  });
});
