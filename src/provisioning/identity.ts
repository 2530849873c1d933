/**
 * Where an agent lives on its gateway. Everything here follows from the agent's kind and ids, so the same agent
 * always gets the same place: provisioning it again finds what the first run made.
 */

export { sessionKeyOf } from '../gateway/session-key.ts';

export type AgentKind = 'BOARD_LEAD' | 'BOARD_WORKER' | 'GATEWAY_MAIN';

/** What an agent's names on the gateway are made of: a worker's own id, a lead's board, a main agent's gateway. */
export interface AgentPlace {
  readonly kind: AgentKind;
  readonly agentId: string;
  /** Null for a gateway's main agent. */
  readonly boardId: string | null;
  readonly gatewayId: string;
}

/**
 * The agent's id on the gateway. All three forms survive the gateway's own slug rules unchanged.
 *
 * @throws TypeError for a lead without a board.
 */
export function openclawAgentIdOf({ kind, agentId, boardId, gatewayId }: AgentPlace): string {
  switch (kind) {
    case 'BOARD_WORKER':
      return `mc-${agentId}`;
    case 'BOARD_LEAD':
      if (boardId === null) throw new TypeError(`Agent ${agentId} leads no board.`);
      return `lead-${boardId}`;
    case 'GATEWAY_MAIN':
      return `mc-gateway-${gatewayId}`;
  }
}

/** Whether an agent's id on a gateway is one that openclawAgentIdOf has given. */
export function isMadeHere(openclawAgentId: string): boolean {
  return /^(mc|mc-gateway|lead)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(openclawAgentId);
}

/** Whether the agent was there before it was managed: then it keeps the id and the workspace that it had. */
export function wasAdopted(agent: Omit<AgentPlace, 'agentId'> & { id: string; openclawAgentId: string }): boolean {
  return agent.openclawAgentId !== openclawAgentIdOf({ ...agent, agentId: agent.id });
}

/**
 * The agent's workspace folder on the gateway's host.
 *
 * @param workspaceRoot as the operator gave it; a leading `~` is the gateway's to expand.
 */
export function workspacePathOf(workspaceRoot: string, place: AgentPlace): string {
  const folder =
    place.kind === 'GATEWAY_MAIN' ? `workspace-gateway-${place.gatewayId}` : `workspace-${openclawAgentIdOf(place)}`;
  return `${workspaceRoot.replace(/\/+$/, '')}/${folder}`;
}
