// npm run migration -- NAME: writes prisma/migrations/<time>_<name>/migration.sql with what schema.prisma has and the
// migrations do not. Read it and add by hand what Prisma cannot express: checks, expression indexes, triggers.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { migrate } from '../src/db/migrate.ts';
import { sessionOf } from '../src/db/session.ts';
import { diffToSchema } from './engine.ts';

const name = process.argv[2];
if (!name || !/^[a-z][a-z0-9_]*$/.test(name)) throw new Error('usage: npm run migration -- name_in_snake_case');

const folder = path.join(import.meta.dirname, 'migrations');
const database = await PGlite.create();
await migrate(sessionOf(database), folder);
const sql = await diffToSchema(database);
await database.close();
if (sql === '') {
  process.stdout.write('Nothing to migrate: the migrations already match schema.prisma.\n');
} else {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const target = path.join(folder, `${stamp}_${name}`);
  await mkdir(target);
  await writeFile(path.join(target, 'migration.sql'), sql);
  process.stdout.write(`Wrote ${path.relative(process.cwd(), target)}/migration.sql\n`);
}
