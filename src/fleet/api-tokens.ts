import { z } from 'zod';
import { hashToken, newToken, OPERATOR_TOKEN_PREFIX, tokenPrefix } from '../access/tokens.ts';
import type { Viewer } from '../access/viewer.ts';
import { visibleApiTokens } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import type { ApiToken, Role } from '../generated/prisma/client.ts';
import { ForbiddenError, NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { instant, isId, name, parseInput } from './validation.ts';

/** The name of the token that the environment gives. At a start it takes the place of the one before of that name. */
export const ADMIN_TOKEN_NAME = 'ADMIN_TOKEN';

/** A token together with its secret, which is told once and not kept. */
export interface CreatedApiToken {
  token: ApiToken;
  secret: string;
}

/** The organization's operator tokens, oldest first. @throws ForbiddenError */
export async function listApiTokens(fleet: Pick<Fleet, 'database'>, viewer: Viewer): Promise<ApiToken[]> {
  authorize(viewer, 'readApiTokens');
  return fleet.database.prisma.apiToken.findMany({ where: visibleApiTokens(viewer), orderBy: { id: 'asc' } });
}

const createApiTokenInput = z.object({
  name: name.refine(
    (text) => text !== ADMIN_TOKEN_NAME,
    'must be another one: this is the name of the token that the environment gives',
  ),
  role: z.enum(['OWNER', 'ADMIN', 'MEMBER', 'VIEWER']),
  expiresAt: instant.refine((at) => at > new Date(), 'must be in the future').nullish(),
});

/**
 * Makes an operator token of the viewer's organization.
 * @throws ForbiddenError (also for an OWNER token, when the viewer is no owner), ValidationError
 */
export async function createApiToken(
  fleet: Pick<Fleet, 'database'>,
  viewer: Viewer,
  given: unknown,
): Promise<CreatedApiToken> {
  const input = parseInput(createApiTokenInput, given);
  authorize(viewer, 'createApiToken', { token: input });
  return fleet.database.prisma.$transaction(async (tx) => {
    const { organizationId } = viewer;
    const created = await storeToken(tx, { ...input, organizationId });
    await recordActivity(tx, viewer.actor, {
      organizationId,
      object: created.token,
      action: 'API_TOKEN_CREATED',
      message: `With the role ${input.role}.`,
    });
    return created;
  });
}

interface NewToken {
  organizationId: string;
  name: string;
  role: Role;
  expiresAt?: Date | null | undefined;
  createdAt?: Date;
}

/** @param secret one that is known already; without, a new one */
export async function storeToken(
  tx: Db,
  { expiresAt = null, ...token }: NewToken,
  secret: string = newToken(OPERATOR_TOKEN_PREFIX),
): Promise<CreatedApiToken> {
  const derived = { prefix: tokenPrefix(secret), tokenHash: hashToken(secret) };
  return { secret, token: await tx.apiToken.create({ data: { ...token, expiresAt, ...derived } }) };
}

/**
 * Revokes a token: requests with it are refused from then on, and what is open with it ends within seconds.
 * @throws NotFoundError, ForbiddenError (an owner's token, by somebody else who is none; or the last one)
 */
export async function revokeApiToken(
  fleet: Pick<Fleet, 'database'>,
  viewer: Viewer,
  id: string,
): Promise<{ id: string }> {
  const { prisma } = fleet.database;
  const token = isId(id) ? await prisma.apiToken.findFirst({ where: { id, ...visibleApiTokens(viewer) } }) : null;
  if (!token) throw new NotFoundError('API token', id);
  authorize(viewer, 'revokeApiToken', { token });
  await prisma.$transaction(async (tx) => {
    // Two owners who revoke each other's token at once must not leave none.
    await tx.$queryRaw`SELECT 1 FROM "Organization" WHERE id = ${token.organizationId}::uuid FOR NO KEY UPDATE`;
    const { count } = await tx.apiToken.deleteMany({ where: { id: token.id } });
    if (count === 0) throw new NotFoundError('API token', id);
    await requireLastingOwner(tx, token);
    const { organizationId } = token;
    await recordActivity(tx, viewer.actor, { organizationId, object: token, action: 'API_TOKEN_REVOKED' });
  });
  return { id: token.id };
}

/** An organization always has an OWNER token that does not expire: without one nobody could let anybody in again. */
async function requireLastingOwner(tx: Db, { organizationId, role, expiresAt }: ApiToken): Promise<void> {
  if (role !== 'OWNER' || expiresAt !== null) return;
  const left = await tx.apiToken.count({ where: { organizationId, role: 'OWNER', expiresAt: null } });
  if (left === 0)
    throw new ForbiddenError(
      'This is the last OWNER token of the organization that does not expire. Make another one with createApiToken first.',
    );
}
