import type { Prisma } from '../generated/prisma/client.ts';
import { permits } from './policy.ts';
import type { Viewer } from './viewer.ts';

// What a viewer can see. Anything else is, for them, not there. Pure: conditions for queries. A condition on the id is
// in AND, so that it stays beside an id that a query asks for.

/** Agents that lists show: an agent on its way out is not among them. */
export function listedAgents(viewer: Viewer): Prisma.AgentWhereInput {
  return { ...visibleAgents(viewer), deletionRequestedAt: null };
}

/** Operators see their organization's; an agent its board's, a gateway's main agent its gateway's. */
export function visibleAgents(viewer: Viewer): Prisma.AgentWhereInput {
  const { organizationId } = viewer;
  if (viewer.kind === 'OPERATOR') return { organizationId };
  return viewer.boardId === null
    ? { organizationId, gatewayId: viewer.gatewayId }
    : { organizationId, boardId: viewer.boardId };
}

/** Not those on their way out. */
export function visibleBoards(viewer: Viewer): Prisma.BoardWhereInput {
  const seen = { organizationId: viewer.organizationId, deletionRequestedAt: null };
  if (viewer.kind === 'OPERATOR') return seen;
  return viewer.boardId === null ? { ...seen, gatewayId: viewer.gatewayId } : { ...seen, AND: { id: viewer.boardId } };
}

export function visibleTasks(viewer: Viewer): Prisma.TaskWhereInput {
  return { board: visibleBoards(viewer) };
}

/** Not those on their way out. Agents see none but a gateway's main agent its own. */
export function visibleGateways(viewer: Viewer): Prisma.GatewayWhereInput {
  const seen = { organizationId: viewer.organizationId, deletionRequestedAt: null };
  if (viewer.kind === 'OPERATOR') return seen;
  return { ...seen, AND: { id: viewer.agentKind === 'GATEWAY_MAIN' ? viewer.gatewayId : { in: [] } } };
}

/** The same for viewers who see the same and may do the same. */
export function rightsOf(viewer: Viewer): string {
  const { organizationId } = viewer;
  if (viewer.kind === 'OPERATOR') return `${organizationId} ${viewer.role}`;
  const { agentId, agentKind, boardId, gatewayId } = viewer;
  return [organizationId, agentId, agentKind, boardId, gatewayId].join(' ');
}

/** All of the organization for those who may read them, and for other operators their own. */
export function visibleApiTokens(viewer: Viewer): Prisma.ApiTokenWhereInput {
  const { organizationId } = viewer;
  if (permits(viewer, 'readApiTokens')) return { organizationId };
  const own = viewer.kind === 'OPERATOR' ? viewer.tokenId : null;
  return { organizationId, AND: { id: own ?? { in: [] } } };
}

/** Whether the viewer may be told of an event of this agent. */
export function seesAgent(
  viewer: Viewer,
  agent: { organizationId: string; boardId: string | null; gatewayId: string },
) {
  if (agent.organizationId !== viewer.organizationId) return false;
  if (viewer.kind === 'OPERATOR') return true;
  return viewer.boardId === null ? agent.gatewayId === viewer.gatewayId : agent.boardId === viewer.boardId;
}
