import { type Config, usingSetting } from '../config.ts';
import { type DatabaseSession, hasEmbedded, openSession } from '../db/session.ts';

/** Opens the database, works with it and closes it. @throws Error when there is none, or a server runs on the embedded one */
export async function withSession<T>(config: Config, work: (session: DatabaseSession) => Promise<T>): Promise<T> {
  requireDatabase(config);
  return withNewSession(config, work);
}

/** As withSession, but the embedded database is made when there is none. */
export async function withNewSession<T>(config: Config, work: (session: DatabaseSession) => Promise<T>): Promise<T> {
  const session = await usingSetting(databaseSetting(config), () => openSession(config));
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** @throws Error when the embedded database is not there: in the wrong folder, a command must not make a new one. */
export function requireDatabase({ databaseUrl, dataDir }: Config): void {
  if (databaseUrl === null && !hasEmbedded(dataDir))
    throw new Error(
      `There is no database in ${dataDir}. Set DATA_DIR or DATABASE_URL as the server has it, or start the server first.`,
    );
}

/** The setting that says which database it is. */
export function databaseSetting({ databaseUrl }: Config): 'DATA_DIR' | 'DATABASE_URL' {
  return databaseUrl === null ? 'DATA_DIR' : 'DATABASE_URL';
}
