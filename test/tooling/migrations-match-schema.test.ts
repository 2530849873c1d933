import { expect, test } from 'vitest';
import { diffToSchema } from '../../prisma/engine.ts';
import { openInMemory } from '../../src/db/database.ts';

// One look shows both: that a difference is seen, and that there is no other. The schema engine runs once per process.
test('the migrations make the tables that schema.prisma describes, and a column that they forgot is seen', async () => {
  const database = await openInMemory();
  await database.exec('ALTER TABLE "Agent" DROP COLUMN "generation"');
  const sql = await diffToSchema(database);
  expect(sql.replace(/\s+/g, ' ').trim(), 'what `npm run migration -- name` would write').toBe(
    '-- AlterTable ALTER TABLE "Agent" ADD COLUMN "generation" INTEGER NOT NULL DEFAULT 1;',
  );
  await database.close();
}, 60_000);
