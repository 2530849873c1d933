import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, Prisma } from '../../src/db/database.ts';
import { openTestDatabase } from '../support/mission-control.ts';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

it('answers with rows as Prisma has them', async () => {
  const { prisma, query } = database;
  const { id: organizationId } = await prisma.organization.create({ data: { name: 'Test' } });
  const token = { organizationId, role: 'VIEWER', prefix: 'test', name: 'Näme "of" one' } as const;
  await prisma.apiToken.createMany({
    data: [null, new Date('2030-01-02T03:04:05.006Z'), new Date('2030-01-02T03:04:05Z')].map((expiresAt) => ({
      ...token,
      expiresAt,
      tokenHash: randomUUID(),
    })),
  });
  const rows = await prisma.apiToken.findMany({ orderBy: { id: 'asc' } });
  expect(rows).toHaveLength(3);
  expect(await query(Prisma.sql`SELECT * FROM "ApiToken" ORDER BY id`)).toEqual(rows);
  const hashes = rows.map(({ tokenHash }) => tokenHash);
  const found = await query(
    Prisma.sql`SELECT * FROM "ApiToken" WHERE "tokenHash" = ANY(${hashes}::text[]) ORDER BY id`,
  );
  expect(found).toEqual(rows);
});

it('takes values of all kinds', async () => {
  const at = new Date('2030-01-02T03:04:05.006Z');
  const texts = ['', 'a,b', '{"c"}', "d'e", 'f\\g', 'null', null];
  const [row] = await database.query(Prisma.sql`
    SELECT ${texts}::text[] AS texts, ${[true, false]}::boolean[] AS flags, ${[]}::uuid[] AS none, ${null}::uuid AS nothing,
           ${true}::boolean AS flag, ${7}::int AS number, ${at}::timestamptz AS at`);
  expect(row).toEqual({ texts, flags: [true, false], none: [], nothing: null, flag: true, number: 7, at });
});

it('throws what the database refuses', async () => {
  await expect(database.query(Prisma.sql`SELECT ${'x'}::text::uuid`)).rejects.toThrow();
});
