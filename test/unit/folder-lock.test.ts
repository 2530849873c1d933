import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/db/folder-lock.ts';

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

  it('does not remove the lock of somebody else', () => {
    const release = lockFolder(folder);
    writeFileSync(file, '1 1');
    release();
    expect(readFileSync(file, 'utf8')).toBe('1 1');
  });
});
