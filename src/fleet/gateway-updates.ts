import { z } from 'zod';
import type { Actor, Viewer } from '../access/viewer.ts';
import type { Db, Prisma } from '../db/database.ts';
import { recordActivity } from '../events/activity.ts';
import { appendEvents } from '../events/log.ts';
import type { Gateway } from '../generated/prisma/client.ts';
import { wasAdopted, workspacePathOf } from '../provisioning/identity.ts';
import { dropGatewayIfEmpty } from '../provisioning/leaving.ts';
import { requestReconcile, retryNow } from '../provisioning/requests.ts';
import { DUE } from './change-agent.ts';
import { ConflictError, NotFoundError, ValidationError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { FINGERPRINT_NEEDS_TLS, gatewayToken, gatewayUrl, tlsFingerprint, workspaceRoot } from './gateway-input.ts';
import { aboutGateway, findGateway, gatewayNameTaken } from './gateways.ts';
import { letGo } from './leaving.ts';
import { isUniqueViolation } from './once.ts';
import { name, parseInput } from './validation.ts';

const updateGatewayInput = z.object({
  id: z.string(),
  name: name.nullish(),
  url: gatewayUrl.nullish(),
  token: gatewayToken.nullish(),
  workspaceRoot: workspaceRoot.nullish(),
  tlsFingerprint: tlsFingerprint.nullish(),
  allowInsecureTls: z.boolean().nullish(),
});

type Updates = Omit<z.infer<typeof updateGatewayInput>, 'id'>;

/**
 * Changes what is given of a gateway; the rest stays. A null token or fingerprint is removed. With another URL, token or
 * certificate it is connected to afresh, and what failed there is tried again; with another URL or workspace root its
 * agents are provisioned again.
 * @throws ForbiddenError, ValidationError, NotFoundError, ConflictError (the name is taken)
 */
export async function updateGateway(fleet: Fleet, viewer: Viewer, given: unknown): Promise<Gateway> {
  authorize(viewer, 'updateGateway');
  const { id, ...input } = parseInput(updateGatewayInput, given);
  await findGateway(fleet, viewer, id);
  try {
    return await fleet.database.prisma.$transaction(async (tx) => {
      const before = await lockGateway(tx, id);
      refuseUnsafe(before, input);
      const after = await tx.gateway.update({ where: { id }, data: columnsOf(fleet, before, input) });
      const moved = before.url !== after.url || before.workspaceRoot !== after.workspaceRoot;
      const changed = namesOfChanged(before, after);
      if (changed.length > 0) {
        const message = `Changed: ${changed.join(', ')}.`;
        await recordActivity(tx, viewer.actor, { ...aboutGateway(after), action: 'GATEWAY_UPDATED', message });
      }
      await requestReconcile(tx, after.id);
      if (moved) await moveAgents(tx, before, after, viewer.actor);
      else await retryNow(tx, after.id, true);
      return after;
    });
  } catch (error) {
    if (!isUniqueViolation(error) || !input.name) throw error;
    throw new ConflictError(await gatewayNameTaken(fleet, viewer.organizationId, input.name));
  }
}

async function lockGateway(tx: Db, id: string): Promise<Gateway> {
  await tx.$queryRaw`SELECT 1 FROM "Gateway" WHERE id = ${id}::uuid FOR UPDATE`;
  const gateway = await tx.gateway.findFirst({ where: { id, deletionRequestedAt: null } });
  if (!gateway) throw new NotFoundError('gateway', id);
  return gateway;
}

/** @throws ValidationError when a stored token would go where it was not given for */
function refuseUnsafe(gateway: Gateway, input: Updates): void {
  const url = input.url ?? gateway.url;
  const keepsToken = gateway.tokenSealed !== null && input.token === undefined;
  if (keepsToken && isElsewhere(gateway.url, url)) {
    const message =
      'leads to another host or takes the encryption away; give the token anew in input.token (null for none), so that the stored one is not sent there unawares';
    throw new ValidationError([{ path: 'input.url', message }]);
  }
  const fingerprint = input.tlsFingerprint === undefined ? gateway.tlsFingerprint : input.tlsFingerprint;
  if (fingerprint !== null && url.startsWith('ws:'))
    throw new ValidationError([{ path: 'input.tlsFingerprint', message: FINGERPRINT_NEEDS_TLS }]);
}

/** Whether a secret that was meant for one URL would be told to somebody else, or on an open road, at the other. */
function isElsewhere(before: string, after: string): boolean {
  const [from, to] = [new URL(before), new URL(after)];
  return from.host !== to.host || (from.protocol === 'wss:' && to.protocol === 'ws:');
}

function columnsOf(fleet: Fleet, gateway: Gateway, input: Updates): Prisma.GatewayUpdateInput {
  const { token } = input;
  return {
    ...(input.name && { name: input.name }),
    ...(input.url && { url: input.url }),
    ...(input.url && isElsewhere(gateway.url, input.url) && { deviceTokenSealed: null }),
    ...(token !== undefined && { tokenSealed: token === null ? null : sealed(fleet, gateway, token) }),
    ...(input.workspaceRoot && { workspaceRoot: input.workspaceRoot }),
    ...(input.tlsFingerprint !== undefined && { tlsFingerprint: input.tlsFingerprint }),
    ...(input.allowInsecureTls != null && { allowInsecureTls: input.allowInsecureTls }),
  };
}

/** The same token again stays as it is stored, so that the connection is not made anew for nothing. */
function sealed({ secrets }: Fleet, { tokenSealed }: Gateway, token: string): string {
  const isSame = tokenSealed !== null && secrets.open(tokenSealed) === token;
  return isSame ? tokenSealed : secrets.seal(token);
}

/** The names of the input's fields that have made a difference. */
function namesOfChanged(before: Gateway, after: Gateway): string[] {
  const columns = ['name', 'url', 'tokenSealed', 'workspaceRoot', 'tlsFingerprint', 'allowInsecureTls'] as const;
  const changed = columns.filter((column) => before[column] !== after[column]);
  return changed.map((column) => (column === 'tokenSealed' ? 'token' : column));
}

/** The agents are to be where the gateway is now: nothing that was written before counts. */
async function moveAgents(tx: Db, before: Gateway, after: Gateway, actor: Actor): Promise<void> {
  const agents = await tx.agent.findMany({
    where: { gatewayId: after.id, deletionRequestedAt: null },
    orderBy: { id: 'asc' },
  });
  const moved = [];
  for (const agent of agents) {
    const workspacePath =
      before.workspaceRoot === after.workspaceRoot || wasAdopted(agent)
        ? agent.workspacePath
        : workspacePathOf(after.workspaceRoot, { ...agent, agentId: agent.id });
    const data = {
      ...DUE,
      nextAttemptAt: new Date(),
      workspacePath,
      documentHashes: {},
      wokenAt: null,
      wakeAttempts: 0,
      // At another URL may be another gateway, which has never had them.
      ...(before.url !== after.url && { observedGeneration: 0 }),
    };
    moved.push(await tx.agent.update({ where: { id: agent.id }, data }));
  }
  const message = 'Provisioned again: its gateway has another URL or workspace root.';
  await appendEvents(
    tx,
    moved.map((agent) => ({ agent, type: 'UPDATED', details: { message, actor } })),
  );
}

/**
 * Deletes a gateway, at once for everybody; its agents leave it one by one, and its row goes with the last of them. What
 * cannot be reached for a day is left there.
 * @throws ForbiddenError, NotFoundError, ConflictError (it has boards, and force is not given)
 */
export async function deleteGateway(fleet: Fleet, viewer: Viewer, id: string, force: boolean): Promise<{ id: string }> {
  authorize(viewer, 'deleteGateway');
  const { id: gatewayId } = await findGateway(fleet, viewer, id);
  await fleet.database.prisma.$transaction(async (tx) => {
    const gateway = await lockGateway(tx, gatewayId);
    const here = { gatewayId: gateway.id, deletionRequestedAt: null };
    const boards = await tx.board.count({ where: here });
    if (boards > 0 && !force)
      throw new ConflictError(
        `The gateway "${gateway.name}" still has ${boards === 1 ? 'a board' : `${boards} boards`}. Delete the boards first, or give force: true to delete them with all of their agents.`,
      );
    const deletionRequestedAt = new Date();
    await recordActivity(tx, viewer.actor, { ...aboutGateway(gateway), action: 'GATEWAY_DELETED' });
    await tx.gateway.update({ where: { id: gateway.id }, data: { deletionRequestedAt } });
    await tx.board.updateMany({ where: here, data: { deletionRequestedAt } });
    await tx.task.deleteMany({ where: { board: { gatewayId: gateway.id } } });
    await letGo(tx, { gatewayId: gateway.id }, viewer.actor);
    await tx.board.deleteMany({ where: { gatewayId: gateway.id, agents: { none: {} } } });
    await dropGatewayIfEmpty(tx, gateway.id);
  });
  return { id: gatewayId };
}
