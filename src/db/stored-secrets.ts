import type { SqlSession } from './migrate.ts';
import { createSecretBox, keyId, type SecretKeys } from './secrets.ts';

/** A column whose texts are encrypted, quoted for SQL. */
interface Column {
  table: string;
  column: string;
}

/**
 * The columns that hold encrypted texts: those whose names end with "Sealed". Read from the database itself, so that it is
 * also right for one that has not been migrated yet. Not from information_schema, whose view takes an embedded database that has just
 * been opened about seven times as long, at each start.
 */
async function sealedColumns(session: SqlSession): Promise<Column[]> {
  const { rows } = await session.query<Column>(
    `SELECT quote_ident(relname) AS table, quote_ident(attname) AS column
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = current_schema() AND relkind = 'r' AND attname LIKE '%Sealed' AND NOT attisdropped ORDER BY 1, 2`,
  );
  return rows;
}

/** The ids of the keys that something stored is encrypted with; none when nothing is. Reads only. */
export async function keysInUse(session: SqlSession): Promise<string[]> {
  const ids = new Set<string>();
  for (const { table, column } of await sealedColumns(session)) {
    const { rows } = await session.query<{ id: string }>(
      `SELECT DISTINCT split_part(${column}, '.', 2) AS id FROM ${table} WHERE ${column} IS NOT NULL`,
    );
    for (const { id } of rows) ids.add(id);
  }
  return [...ids].sort();
}

/**
 * Decrypts everything that is stored. Reads only.
 * @returns how many texts there are @throws Error for the first that cannot be decrypted
 */
export async function openAll(session: SqlSession, keys: SecretKeys): Promise<number> {
  const box = createSecretBox(keys);
  let count = 0;
  for (const { table, column } of await sealedColumns(session)) {
    const { rows } = await session.query<{ sealed: string }>(
      `SELECT ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL`,
    );
    for (const { sealed } of rows) box.open(sealed);
    count += rows.length;
  }
  return count;
}

/** How a rotation went, in numbers of encrypted texts. */
export interface Rotation {
  reencrypted: number;
  /** Those that the first key had encrypted already. */
  current: number;
}

/**
 * Encrypts everything with the first key that is encrypted with another one, in one transaction. Servers may run meanwhile: a row
 * that one of them is changing is waited for, and then taken as it is.
 * @throws Error when a text was encrypted with a key that is not among these; then nothing is changed
 */
export async function reencrypt(session: SqlSession, keys: SecretKeys): Promise<Rotation> {
  const box = createSecretBox(keys);
  const id = keyId(keys[0]);
  const rotation: Rotation = { reencrypted: 0, current: 0 };
  await session.exec('BEGIN');
  try {
    for (const { table, column } of await sealedColumns(session)) {
      const { rows } = await session.query<{ row: string; sealed: string }>(
        `SELECT id::text AS row, ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL ORDER BY id FOR UPDATE`,
      );
      for (const { row, sealed } of rows) {
        if (sealed.split('.')[1] === id) {
          rotation.current++;
          continue;
        }
        const values = [box.seal(box.open(sealed)), row];
        await session.query(`UPDATE ${table} SET ${column} = $1 WHERE id::text = $2`, values);
        rotation.reencrypted++;
      }
    }
    await session.exec('COMMIT');
    return rotation;
  } catch (error) {
    await session.exec('ROLLBACK');
    throw error;
  }
}
