import { expect, test } from 'vitest';
import { diffToSchema } from '../../prisma/engine.ts';
import { openPGlite } from '../../src/db/database.ts';

// In a file of its own, as the schema engine runs once per process.
test('a column that the migrations forgot is seen', async () => {
  const database = await openPGlite(null);
  await database.exec('ALTER TABLE "Agent" DROP COLUMN "generation"');
  expect(await diffToSchema(database)).toMatch(/ALTER TABLE "Agent" ADD COLUMN\s+"generation"/);
  await database.close();
}, 60_000);
