import { hashToken, newToken, OPERATOR_TOKEN_PREFIX } from '../access/tokens.ts';
import type { Database, Db } from '../db/database.ts';

const ADMIN_TOKEN_NAME = 'ADMIN_TOKEN';

/**
 * Makes the first organization and its first operator token (role OWNER) when there is none yet. With `adminToken`
 * that token is the one, also when it has changed since the last start: the one before stops working.
 * @returns the token that was made now, to be shown once; null when none was made
 */
export async function ensureFirstOrganization(database: Database, adminToken: string | null): Promise<string | null> {
  return database.prisma.$transaction(async (tx) => {
    // Processes that start at the same time must not make two.
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('first organization', 0))`;
    const first = await tx.organization.findFirst({ orderBy: { id: 'asc' } });
    const organization = first ?? (await tx.organization.create({ data: { name: 'Default' } }));
    if (adminToken !== null) {
      await setAdminToken(tx, organization.id, adminToken);
      return null;
    }
    if (first) return null;
    const token = newToken(OPERATOR_TOKEN_PREFIX);
    await createOwnerToken(tx, organization.id, 'First token', token);
    return token;
  });
}

async function setAdminToken(tx: Db, organizationId: string, token: string): Promise<void> {
  const tokenHash = hashToken(token);
  const known = await tx.apiToken.findUnique({ where: { tokenHash } });
  if (known) return;
  await tx.apiToken.deleteMany({ where: { organizationId, name: ADMIN_TOKEN_NAME } });
  await createOwnerToken(tx, organizationId, ADMIN_TOKEN_NAME, token);
}

async function createOwnerToken(tx: Db, organizationId: string, name: string, token: string): Promise<void> {
  await tx.apiToken.create({
    data: { organizationId, name, role: 'OWNER', prefix: token.slice(0, 8), tokenHash: hashToken(token) },
  });
}
