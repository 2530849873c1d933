import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleGateways } from '../access/visibility.ts';
import type { Db } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import { appendEvent } from '../events/log.ts';
import { listSessions } from '../gateway/sessions.ts';
import type { Gateway } from '../generated/prisma/client.ts';
import { announceSettings, requestReconcile, retryNow } from '../provisioning/requests.ts';
import { newAgentRow } from './agent-row.ts';
import { atGateway, NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import {
  gatewayToken,
  gatewayUrl,
  refuseFingerprintWithoutTls,
  tlsFingerprint,
  workspaceRoot,
} from './gateway-input.ts';
import { literally } from './like.ts';
import { createOnce } from './once.ts';
import { isId, name, parseInput, uuid } from './validation.ts';

const createGatewayInput = z
  .object({
    id: uuid.nullish(),
    name,
    url: gatewayUrl,
    token: gatewayToken.nullish(),
    workspaceRoot,
    tlsFingerprint: tlsFingerprint.nullish(),
    allowInsecureTls: z.boolean().nullish(),
  })
  .superRefine(refuseFingerprintWithoutTls);

/**
 * Stores a gateway, its token encrypted, and its main agent, which is then provisioned.
 * @throws ForbiddenError, ValidationError, ConflictError (the name is taken)
 */
export async function createGateway(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Gateway> {
  authorize(viewer, 'createGateway');
  const { token, ...input } = parseInput(createGatewayInput, given);
  const { organizationId } = viewer;
  const settings = {
    name: input.name,
    url: input.url,
    workspaceRoot: input.workspaceRoot,
    tlsFingerprint: input.tlsFingerprint ?? null,
    allowInsecureTls: input.allowInsecureTls ?? false,
  };
  return createOnce({
    prisma: fleet.database.prisma,
    find: (id) => fleet.database.prisma.gateway.findUnique({ where: { id } }),
    id: input.id,
    organizationId,
    request: { ...settings, token: token ?? null },
    keptOf: ({ createdFromSealed }) => (createdFromSealed === null ? null : fleet.secrets.open(createdFromSealed)),
    create: async (tx, createdFrom) => {
      const gateway = await tx.gateway.create({
        data: {
          ...(input.id && { id: input.id }),
          organizationId,
          ...settings,
          tokenSealed: token ? fleet.secrets.seal(token) : null,
          createdFromSealed: createdFrom === null ? null : fleet.secrets.seal(createdFrom),
        },
      });
      const main = await tx.agent.create({ data: newAgentRow({ name: 'Gateway agent', gateway }) });
      await requestReconcile(tx, gateway.id);
      await recordActivity(tx, viewer.actor, { ...aboutGateway(gateway), action: 'GATEWAY_CREATED' });
      await appendEvent(tx, main, 'CREATED', { actor: viewer.actor });
      return gateway;
    },
    taken: () => gatewayNameTaken(fleet, organizationId, input.name),
  });
}

/** What an activity says of its gateway. */
export function aboutGateway(gateway: Gateway) {
  return { organizationId: gateway.organizationId, gatewayId: gateway.id, object: gateway };
}

/** The sentence for a name that another gateway has. */
export async function gatewayNameTaken(fleet: Fleet, organizationId: string, taken: string): Promise<string> {
  const name = { equals: literally(taken), mode: 'insensitive' } as const;
  const where = { organizationId, name, deletionRequestedAt: null };
  const holder = await fleet.database.prisma.gateway.findFirst({ where });
  return `The gateway ${holder?.id} is already named "${holder?.name}".`;
}

/** Makes sure that a gateway is not on its way out, until the end of the transaction. @throws NotFoundError */
export async function requireGateway(tx: Db, id: string): Promise<Gateway> {
  const there = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Gateway" WHERE id = ${id}::uuid AND "deletionRequestedAt" IS NULL FOR SHARE`;
  if (there.length === 0) throw new NotFoundError('gateway', id);
  return tx.gateway.findUniqueOrThrow({ where: { id } });
}

/** The gateway, if there is one that the viewer can see. @throws NotFoundError */
export async function findGateway(fleet: Fleet, viewer: Viewer, id: string): Promise<Gateway> {
  const gateway = isId(id)
    ? await fleet.database.prisma.gateway.findFirst({ where: { id, ...visibleGateways(viewer) } })
    : null;
  if (!gateway) throw new NotFoundError('gateway', id);
  return gateway;
}

/**
 * Connects to the gateway afresh now; when it answers, what has failed there is tried again.
 * @throws ForbiddenError, NotFoundError, GatewayFailure (why it cannot be reached or refuses us)
 */
export async function checkGateway(fleet: Fleet, viewer: Viewer, id: string): Promise<Gateway> {
  authorize(viewer, 'checkGateway');
  const gateway = await findGateway(fleet, viewer, id);
  await recordActivity(fleet.database.prisma, viewer.actor, { ...aboutGateway(gateway), action: 'GATEWAY_CHECKED' });
  await atGateway(() => fleet.links.check(gateway));
  await retryNow(fleet.database.prisma, gateway.id, true);
  // Of several processes it may be another one whose connection counts, and that one may still wait for a person.
  await announceSettings(fleet.database.prisma, gateway.id);
  await requestReconcile(fleet.database.prisma, gateway.id);
  return fleet.database.prisma.gateway.findUniqueOrThrow({ where: { id: gateway.id } });
}

export interface GatewaySession {
  key: string;
  label: string | null;
  /** Null for an agent that is not managed here. */
  agentId: string | null;
  updatedAt: Date | null;
}

/** The gateway's sessions, read live. @throws ForbiddenError, GatewayFailure */
export async function gatewaySessions(fleet: Fleet, viewer: Viewer, gatewayId: string): Promise<GatewaySession[]> {
  authorize(viewer, 'inspectGateway');
  const { prisma } = fleet.database;
  const gateway = await prisma.gateway.findUniqueOrThrow({ where: { id: gatewayId } });
  const sessions = await atGateway(async () => listSessions(await fleet.links.connect(gateway)));
  const agents = await prisma.agent.findMany({
    where: { gatewayId, deletionRequestedAt: null },
    select: { id: true, openclawAgentId: true },
  });
  const ids = new Map(agents.map(({ id, openclawAgentId }) => [openclawAgentId, id]));
  return sessions.map(({ key, label, agentId, updatedAt }) => {
    return { key, label, agentId: ids.get(agentId ?? '') ?? null, updatedAt };
  });
}
