import { z } from 'zod';
import { hashToken } from '../access/tokens.ts';
import type { Viewer } from '../access/viewer.ts';
import type { Database, Db } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import type { ApiToken, Organization } from '../generated/prisma/client.ts';
import { ADMIN_TOKEN_NAME, type CreatedApiToken, storeToken } from './api-tokens.ts';
import { ConflictError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { createOnce } from './once.ts';
import { name, parseInput, uuid } from './validation.ts';

/** Of the token that an organization begins with. */
const FIRST_TOKEN_NAME = 'First token';

/**
 * Makes the first organization and its first operator token (role OWNER) when there is none yet. With `adminToken`
 * that token is the one, also when it has changed since the last start: the one before stops working.
 * @returns the token that was made now, to be shown once; null when none was made
 */
export async function ensureFirstOrganization(
  { prisma }: Pick<Database, 'prisma'>,
  adminToken: string | null,
): Promise<string | null> {
  return prisma.$transaction(async (tx) => {
    // Processes that start at the same time must not make two.
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('first organization', 0))`;
    const first = await tx.organization.findFirst({ where: { isFirst: true } });
    const organization = first ?? (await tx.organization.create({ data: { name: 'Default', isFirst: true } }));
    if (adminToken !== null) {
      await setAdminToken(tx, organization.id, adminToken);
      return null;
    }
    if (first) return null;
    return (await storeToken(tx, firstTokenOf(organization))).secret;
  });
}

async function setAdminToken(tx: Db, organizationId: string, token: string): Promise<void> {
  const known = await tx.apiToken.findUnique({ where: { tokenHash: hashToken(token) } });
  if (known) return;
  await tx.apiToken.deleteMany({ where: { organizationId, name: ADMIN_TOKEN_NAME } });
  await storeToken(tx, { organizationId, name: ADMIN_TOKEN_NAME, role: 'OWNER' }, token);
}

/** The same instant tells it from tokens that are made later. */
function firstTokenOf({ id: organizationId, createdAt }: Organization) {
  return { organizationId, name: FIRST_TOKEN_NAME, role: 'OWNER', createdAt } as const;
}

export interface CreatedOrganization {
  organization: Organization;
  ownerToken: CreatedApiToken;
}

const createOrganizationInput = z.object({ id: uuid.nullish(), name });

/**
 * Makes another organization, with an OWNER token of its own. A repeat with the same id answers with what the first one
 * has made; the secret, which was told once and is not kept, is empty then.
 * @throws ForbiddenError, ValidationError, ConflictError (the id belongs to something else, or the organization's first
 *   token was revoked since)
 */
export async function createOrganization(fleet: Fleet, viewer: Viewer, given: unknown): Promise<CreatedOrganization> {
  const { prisma } = fleet.database;
  // It is made by the first one, and so belongs to it as far as a repeat is concerned.
  const { organizationId } = viewer;
  const organization = await prisma.organization.findUniqueOrThrow({ where: { id: organizationId } });
  authorize(viewer, 'createOrganization', { organization });
  const input = parseInput(createOrganizationInput, given);
  let secret = '';
  const made = await createOnce({
    prisma,
    find: async (id) => {
      const found = await prisma.organization.findUnique({ where: { id } });
      return found && { ...found, organizationId };
    },
    id: input.id,
    organizationId,
    request: { name: input.name },
    keptOf: ({ createdFrom }) => createdFrom,
    create: async (tx, createdFrom) => {
      const id = input.id ? { id: input.id } : {};
      const created = await tx.organization.create({ data: { ...id, name: input.name, createdFrom } });
      const token = await storeToken(tx, firstTokenOf(created));
      await recordActivity(tx, viewer.actor, { organizationId, object: created, action: 'ORGANIZATION_CREATED' });
      secret = token.secret;
      return { ...created, organizationId };
    },
    taken: async () => 'This id is already in use.',
  });
  return { organization: made, ownerToken: { token: await firstToken(fleet, made), secret } };
}

/** @throws ConflictError */
async function firstToken(fleet: Fleet, { id, createdAt }: Organization): Promise<ApiToken> {
  const token = await fleet.database.prisma.apiToken.findFirst({ where: { organizationId: id, createdAt } });
  if (token) return token;
  throw new ConflictError(
    `The organization ${id} was made by this request before, and its first token was revoked since. Its owners make new ones.`,
  );
}
