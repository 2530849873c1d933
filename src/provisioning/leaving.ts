import type { Database, Db } from '../db/database.ts';
import { appendEvent } from '../events/log.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { wasAdopted } from './identity.ts';

/** The agent has left its gateway: its row goes, and with the last one the row of a board or gateway that is to go. */
export async function dropAgent(prisma: Database['prisma'], agent: Agent, message?: string): Promise<void> {
  await prisma.$transaction(async (tx) => {
    await tx.agent.deleteMany({ where: { id: agent.id } });
    const { gatewayId, openclawAgentId } = agent;
    // The id of one that was adopted is somebody's own: whoever has it next is another one.
    if (!wasAdopted(agent))
      await tx.departedAgent.createMany({ data: { gatewayId, openclawAgentId }, skipDuplicates: true });
    if (agent.boardId !== null) await dropBoardIfEmpty(tx, agent.boardId);
    await dropGatewayIfEmpty(tx, agent.gatewayId);
    await appendEvent(tx, agent, 'DELETED', message === undefined ? {} : { message });
  });
}

/** Removes the row of a board that is to go, unless agents of it have not left their gateway yet. */
export async function dropBoardIfEmpty(tx: Db, boardId: string): Promise<void> {
  await tx.board.deleteMany({ where: { id: boardId, deletionRequestedAt: { not: null }, agents: { none: {} } } });
}

/** Removes the row of a gateway that is to go, unless agents have not left it yet. */
export async function dropGatewayIfEmpty(tx: Db, gatewayId: string): Promise<void> {
  await tx.gateway.deleteMany({
    where: { id: gatewayId, deletionRequestedAt: { not: null }, agents: { none: {} }, boards: { none: {} } },
  });
}
