import { hash } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Another living process holds the data folder. */
export class DataFolderInUse extends Error {
  override name = 'DataFolderInUse';
}

/**
 * Takes the data folder for this process and returns the function that gives it back. PGlite takes no lock of its own,
 * and two processes on one folder lose each other's writes without an error.
 *
 * The lock file names its holder (process id and start time), so one left by a killed process is taken over.
 * @throws DataFolderInUse
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'lock');
  const mine = `${process.pid} ${startTime(process.pid)}`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (!take(file, mine)) continue;
    const release = () => {
      if (readIfThere(file) === mine) unlinkSync(file);
    };
    process.once('exit', release);
    return () => {
      process.off('exit', release);
      release();
    };
  }
  throw new Error(`The data folder ${folder} could not be locked: other processes keep taking it.`);
}

/**
 * A dead holder's lock is not removed: now and then that would be the lock of somebody who has just taken it over. Instead the
 * place behind it is taken, which only one can and which is named for the holder before, and then put in the place of the lock.
 * @returns false when the lock has changed meanwhile @throws DataFolderInUse
 */
function take(file: string, mine: string): boolean {
  const passed: { place: string; holder: string }[] = [];
  let place = file;
  while (!createExclusively(place, mine)) {
    const holder = readIfThere(place);
    if (holder === null) return false;
    refuseIfAlive(holder, path.dirname(file));
    passed.push({ place, holder });
    place = `${file}.after-${hash('sha256', holder).slice(0, 16)}`;
  }
  const [first, ...others] = passed;
  if (!first) return true;
  if (readIfThere(file) !== first.holder) {
    unlinkSync(place);
    return false;
  }
  renameSync(place, file);
  for (const left of others) removeIfThere(left.place);
  return true;
}

/** @throws DataFolderInUse */
function refuseIfAlive(holder: string, folder: string): void {
  const [pid = '', started = ''] = holder.split(' ');
  if (pid === '' || !isAlive(Number(pid)) || startTime(Number(pid)) !== started) return;
  throw new DataFolderInUse(
    `The data folder ${folder} is in use by process ${pid}. Stop that one, or set DATA_DIR to another folder.`,
  );
}

/** Made whole under another name first: a lock without its holder's name would be taken for one that is left over. */
function createExclusively(file: string, content: string): boolean {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    removeIfThere(draft);
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

function removeIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Tells a process from a later one with the same id. Empty where the system has no /proc, or it is a zombie. */
function startTime(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
