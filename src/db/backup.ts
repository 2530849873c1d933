import { existsSync } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { MIGRATIONS } from './database.ts';
import { lockFolder } from './folder-lock.ts';
import { type MigrationStatus, migrationStatus, type SqlSession } from './migrate.ts';
import { type DatabaseSession, embeddedFolder, hasEmbedded, replacedFolder, sessionOf, syncFiles } from './session.ts';

// Backups of the embedded database: its folder as a tar file, compressed. The key of its secrets is not in them.

/**
 * Writes the embedded database of the session to a file that only this user can read (mode 0600).
 * @returns the file's size, in bytes
 * @throws Error when the session is one of PostgreSQL, or the file is there already
 */
export async function backUp({ pglite }: DatabaseSession, file: string): Promise<number> {
  if (!pglite)
    throw new Error('This backs up the embedded database, and DATABASE_URL is set: use pg_dump for PostgreSQL.');
  // Else the file begins with a recovery when it is restored.
  await pglite.exec('CHECKPOINT');
  const dump = await pglite.dumpDataDir('gzip');
  const draft = `${file}.${process.pid}`;
  const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
    throw new Error(`${file} cannot be written: ${messageOf(error)}`, { cause: error });
  });
  try {
    await handle.writeFile(Buffer.from(await dump.arrayBuffer()));
    await handle.sync();
    await link(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw new Error(`${file} is there already. Give another name, or remove it first.`);
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
  return dump.size;
}

/** What a restored database is like. */
export type Restored = Pick<MigrationStatus, 'pending'>;

/**
 * Puts the database of a backup into the data folder. It is loaded beside the present one and opened; only then, and when
 * `inspect` does not throw, it takes its place.
 * @param force whether a database that is there may be replaced
 * @throws Error when there is one, a server runs on it, the file is no backup, or one of a newer version
 */
export async function restore(
  dataDir: string,
  file: string,
  force: boolean,
  inspect: (session: SqlSession) => Promise<void>,
): Promise<Restored> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new Error(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  const release = lockFolder(dataDir);
  try {
    if (hasEmbedded(dataDir) && !force)
      throw new Error(
        `There is a database in ${dataDir} already. Give --force to replace it, or set DATA_DIR to another folder.`,
      );
    const folder = embeddedFolder(dataDir);
    const [incoming, outgoing] = [`${folder}.restoring`, replacedFolder(dataDir)];
    await rm(incoming, { recursive: true, force: true });
    const status = await load(incoming, file, bytes, inspect).catch(async (error: unknown) => {
      await rm(incoming, { recursive: true, force: true });
      throw error;
    });
    await syncFiles(incoming);
    if (existsSync(folder)) {
      await rm(outgoing, { recursive: true, force: true });
      await rename(folder, outgoing);
    }
    await rename(incoming, folder);
    await rm(outgoing, { recursive: true, force: true });
    return status;
  } finally {
    release();
  }
}

async function load(
  folder: string,
  file: string,
  bytes: Buffer,
  inspect: (session: SqlSession) => Promise<void>,
): Promise<Restored> {
  const openBackup = async () => PGlite.create({ dataDir: folder, loadDataDir: new Blob([await tarOf(bytes)]) });
  const pglite = await openBackup().catch((error: unknown) => {
    throw new Error(`${file} is no backup of a database.`, { cause: error });
  });
  try {
    const session = sessionOf(pglite);
    const { applied, pending, problem } = await migrationStatus(session, MIGRATIONS);
    if (problem !== null) throw new Error(problem);
    if (applied.length === 0) throw new Error(`${file} is a database, but none of Mission Control.`);
    await inspect(session);
    return { pending };
  } finally {
    await pglite.close();
  }
}

const TAR_MAGIC = 'ustar';
const TAR_MAGIC_AT = 257;

/** Decompresses it and sees whether it is a tar file: PGlite would end the process over one that is none. @throws Error */
async function tarOf(bytes: Buffer): Promise<Uint8Array<ArrayBuffer>> {
  const tar = new Uint8Array(await promisify(gunzip)(bytes));
  const magic = Buffer.from(tar.subarray(TAR_MAGIC_AT, TAR_MAGIC_AT + TAR_MAGIC.length)).toString('latin1');
  if (magic !== TAR_MAGIC) throw new Error('This is no tar file.');
  return tar;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
