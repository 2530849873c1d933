import type { MissionControl } from './mission-control.ts';

/** All that was asked for and reported, for checking that a refused request has changed nothing. */
export async function storedFleet({ prisma }: MissionControl) {
  const order = { orderBy: { id: 'asc' } } as const;
  const [gateways, boards, agents, tasks, organizations, apiTokens, events] = await Promise.all([
    prisma.gateway.findMany({ ...order, select: { id: true, name: true, url: true, workspaceRoot: true } }),
    prisma.board.findMany(order),
    prisma.agent.findMany({
      ...order,
      select: {
        id: true,
        name: true,
        status: true,
        liveness: true,
        generation: true,
        currentTaskId: true,
        lastHeartbeatAt: true,
        identityProfile: true,
        deletionRequestedAt: true,
      },
    }),
    prisma.task.findMany(order),
    prisma.organization.count(),
    prisma.apiToken.count(),
    // Provisioning goes on meanwhile, and tells of it.
    prisma.agentEvent.count({ where: { type: { not: 'PROVISIONING' } } }),
  ]);
  return { gateways, boards, agents, tasks, organizations, apiTokens, events };
}
