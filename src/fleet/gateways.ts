import { z } from 'zod';
import type { Viewer } from '../access/viewer.ts';
import { visibleGateways } from '../access/visibility.ts';
import { appendEvent } from '../events/log.ts';
import { listSessions } from '../gateway/sessions.ts';
import type { Agent, Gateway } from '../generated/prisma/client.ts';
import { newAgentRow } from './agent-row.ts';
import { atGateway, NotFoundError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { literally } from './like.ts';
import { createOnce } from './once.ts';
import { isId, line, name, parseInput, uuid } from './validation.ts';

const gatewayUrl = z
  .string()
  .trim()
  .max(500, 'must have at most 500 characters')
  .superRefine((text, context) => {
    const problem = urlProblem(text);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

function urlProblem(text: string): string | null {
  // URL.parse leaves out or encodes what the rest of the world takes as it is.
  if (/[\p{Cc}\s]/u.test(text)) return 'must not have spaces or control characters';
  if (!text.isWellFormed()) return 'must be valid Unicode';
  const url = URL.parse(text);
  if (!url || !/^wss?:\/\//.test(text)) return 'must be a ws:// or wss:// URL';
  if (url.username || url.password) return 'must not contain credentials; give the token in input.token';
  if (url.hash) return 'must not have a fragment (#…)';
  return null;
}

const createGatewayInput = z.object({
  id: uuid.nullish(),
  name,
  url: gatewayUrl,
  token: z
    .string()
    .min(1, 'must not be empty; leave it out for a gateway without one')
    .max(4_000, 'must have at most 4000 characters')
    .nullish(),
  workspaceRoot: line(500).refine(
    (path) => /^(\/|~|[A-Za-z]:[\\/])/.test(path),
    'must be an absolute path on the gateway, or begin with ~',
  ),
  tlsFingerprint: z
    .string()
    .trim()
    .regex(
      /^(sha256:)?([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i,
      'must be a SHA-256 fingerprint: 64 hex digits, colons allowed',
    )
    .nullish(),
  allowInsecureTls: z.boolean().nullish(),
});

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
    db: fleet.database.prisma,
    find: (id) => fleet.database.prisma.gateway.findUnique({ where: { id } }),
    id: input.id,
    organizationId,
    same: settings,
    create: () =>
      fleet.database.prisma.$transaction(async (tx) => {
        const gateway = await tx.gateway.create({
          data: {
            ...(input.id && { id: input.id }),
            organizationId,
            ...settings,
            tokenSealed: token ? fleet.secrets.seal(token) : null,
          },
        });
        const main = await tx.agent.create({ data: newAgentRow({ name: 'Gateway agent', gateway }) });
        await fleet.queue.enqueue(tx, gateway.id);
        await appendEvent(tx, main, 'CREATED');
        return gateway;
      }),
    taken: async () => {
      const name = { equals: literally(input.name), mode: 'insensitive' } as const;
      const holder = await fleet.database.prisma.gateway.findFirst({ where: { organizationId, name } });
      return `The gateway ${holder?.id} is already named "${holder?.name}".`;
    },
  });
}

/** The gateway, if there is one that the viewer can see. */
export async function findGateway(fleet: Fleet, viewer: Viewer, id: string): Promise<Gateway> {
  const gateway = isId(id)
    ? await fleet.database.prisma.gateway.findFirst({ where: { id, ...visibleGateways(viewer) } })
    : null;
  if (!gateway) throw new NotFoundError('gateway', id);
  return gateway;
}

/**
 * Connects to the gateway afresh now.
 * @throws ForbiddenError, NotFoundError, GatewayFailure (why it cannot be reached or refuses us)
 */
export async function checkGateway(fleet: Fleet, viewer: Viewer, id: string): Promise<Gateway> {
  authorize(viewer, 'checkGateway');
  const gateway = await findGateway(fleet, viewer, id);
  await atGateway(() => fleet.links.check(gateway));
  await fleet.queue.enqueue(fleet.database.prisma, gateway.id);
  return fleet.database.prisma.gateway.findUniqueOrThrow({ where: { id: gateway.id } });
}

export interface GatewaySession {
  key: string;
  label: string | null;
  /** Null for an agent that is not managed here. */
  agent: Agent | null;
  updatedAt: Date | null;
}

/** The gateway's sessions, read live. @throws ForbiddenError, GatewayFailure */
export async function gatewaySessions(fleet: Fleet, viewer: Viewer, gatewayId: string): Promise<GatewaySession[]> {
  authorize(viewer, 'inspectGateway');
  const { prisma } = fleet.database;
  const gateway = await prisma.gateway.findUniqueOrThrow({ where: { id: gatewayId } });
  const sessions = await atGateway(async () => listSessions(await fleet.links.connect(gateway)));
  const agents = await prisma.agent.findMany({ where: { gatewayId, deletionRequestedAt: null } });
  const byOpenclawId = new Map(agents.map((agent) => [agent.openclawAgentId, agent]));
  return sessions.map(({ key, label, agentId, updatedAt }) => ({
    key,
    label,
    agent: (agentId && byOpenclawId.get(agentId)) || null,
    updatedAt,
  }));
}
