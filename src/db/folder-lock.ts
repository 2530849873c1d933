import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
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
    if (createExclusively(file, mine)) {
      const release = () => {
        if (readIfThere(file) === mine) unlinkSync(file);
      };
      process.once('exit', release);
      return () => {
        process.off('exit', release);
        release();
      };
    }
    const [pid = '', started = ''] = (readIfThere(file) ?? '').split(' ');
    if (pid !== '' && isAlive(Number(pid)) && startTime(Number(pid)) === started) {
      throw new DataFolderInUse(
        `The data folder ${folder} is in use by process ${pid}. Stop that one, or set DATA_DIR to another folder.`,
      );
    }
    removeIfThere(file);
  }
  throw new Error(`The data folder ${folder} could not be locked: other processes keep taking it.`);
}

/** Made whole under another name first: a lock without its holder's name would be taken for one that is left over. */
function createExclusively(file: string, content: string): boolean {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600 });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    unlinkSync(draft);
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
