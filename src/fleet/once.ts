import { createHash } from 'node:crypto';
import { type Database, type Db, Prisma } from '../db/database.ts';
import { ConflictError } from './errors.ts';

interface Creation<Row> {
  prisma: Database['prisma'];
  /** The id that the client chose, if it did. */
  id: string | null | undefined;
  organizationId: string;
  find: (id: string) => Promise<Row | null>;
  /** What is asked for: the same id with the same request makes one object, also when that was changed since. */
  request: unknown;
  /** What was kept of the request that made this row; null when it was made in another way. */
  keptOf: (row: Row) => string | null;
  /** In one transaction. @param kept what is to be kept of the request; null without an id */
  create: (tx: Db, kept: string | null) => Promise<Row>;
  /** The sentence for a name that another object has, which names that one. */
  taken: () => Promise<string>;
}

/**
 * Creates an object once: a repeat with the id that the client chose answers with what the first one made.
 * @throws ConflictError when the id belongs to something else, or when a unique name is taken
 */
export async function createOnce<Row extends { id: string; organizationId: string }>(
  creation: Creation<Row>,
): Promise<Row> {
  const repeated = await findRepeated(creation);
  if (repeated) return repeated;
  const { prisma, id, request, create } = creation;
  try {
    return await prisma.$transaction(async (tx) => {
      if (!id) return create(tx, null);
      if (await isTaken(tx, id)) throw usedForSomethingElse(id);
      return create(tx, digestOf(request));
    });
  } catch (error) {
    // The same create may have been sent twice at once, and the other one was first: what it made stands in the way.
    const first = await findRepeated(creation);
    if (first) return first;
    throw isUniqueViolation(error) ? new ConflictError(await creation.taken()) : error;
  }
}

/** Ids are unique across all types: until the end of the transaction nothing else is made with this one. */
async function isTaken(tx: Db, id: string): Promise<boolean> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))`;
  const holders = await tx.$queryRaw<unknown[]>`
    SELECT id FROM "Organization" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "ApiToken" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "Gateway" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "Board" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "Agent" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "Task" WHERE id = ${id}::uuid
    UNION ALL SELECT id FROM "TemplateSync" WHERE id = ${id}::uuid`;
  return holders.length > 0;
}

function usedForSomethingElse(id: string): ConflictError {
  return new ConflictError(`The id ${id} was already used for something else. Choose another id.`);
}

async function findRepeated<Row extends { id: string; organizationId: string }>(
  creation: Creation<Row>,
): Promise<Row | null> {
  const { id, organizationId, find, request, keptOf } = creation;
  const row = id ? await find(id) : null;
  if (!row) return null;
  if (row.organizationId === organizationId && keptOf(row) === digestOf(request)) return row;
  throw usedForSomethingElse(row.id);
}

function digestOf(request: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(canonical(request)))
    .digest('hex');
}

/** Whether two values are the same as JSON, whatever the order of keys. */
export function isSame(stored: unknown, given: unknown): boolean {
  return JSON.stringify(canonical(stored)) === JSON.stringify(canonical(given));
}

/** PostgreSQL's jsonb does not keep the order of keys. */
function canonical(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)]),
  );
}

/** Whether a unique index of the database refused a write. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}
