import { v7 as newId } from 'uuid';
import type { Gateway, Prisma } from '../generated/prisma/client.ts';
import { type AgentPlace, openclawAgentIdOf, workspacePathOf } from '../provisioning/identity.ts';

interface NewAgent {
  id?: string | null | undefined;
  name: string;
  gateway: Pick<Gateway, 'id' | 'organizationId' | 'workspaceRoot'>;
  /** Left out: the gateway's main agent. */
  board?: { id: string; isLead: boolean };
  settings?: AgentSettings;
}

/** What an operator can choose about an agent, as it is stored. */
export type AgentSettings = Pick<
  Prisma.AgentUncheckedCreateInput,
  'identityProfile' | 'identityTemplate' | 'soulTemplate' | 'heartbeatEnabled' | 'heartbeatIntervalSeconds'
>;

/** The row of an agent that is to be provisioned at once. */
export function newAgentRow({ id, name, gateway, board, settings }: NewAgent): Prisma.AgentUncheckedCreateInput {
  const agentId = id ?? newId();
  const place = placeOf(agentId, gateway.id, board);
  return {
    id: agentId,
    organizationId: gateway.organizationId,
    gatewayId: gateway.id,
    boardId: board?.id ?? null,
    kind: place.kind,
    name,
    openclawAgentId: openclawAgentIdOf(place),
    workspacePath: workspacePathOf(gateway.workspaceRoot, place),
    nextAttemptAt: new Date(),
    ...settings,
  };
}

function placeOf(agentId: string, gatewayId: string, board: NewAgent['board']): AgentPlace {
  if (!board) return { kind: 'GATEWAY_MAIN', agentId, boardId: null, gatewayId };
  return { kind: board.isLead ? 'BOARD_LEAD' : 'BOARD_WORKER', agentId, boardId: board.id, gatewayId };
}
