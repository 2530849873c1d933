import { expect, test } from 'vitest';
import { diffToSchema } from '../../prisma/engine.ts';
import { openPGlite } from '../../src/db/database.ts';

test('the migrations make the tables that schema.prisma describes', async () => {
  const database = await openPGlite(null);
  expect(await diffToSchema(database), 'what `npm run migration -- name` would write').toBe('');
  await database.close();
}, 60_000);
