import type { GraphQLResolveInfo } from 'graphql';
import { visibleAgents } from '../access/visibility.ts';
import { readTogether, selectionOf } from './batch.ts';
import type { Context } from './context.ts';

/** The agent of an entry that only names it; read together with those of other entries. Null when the viewer sees none. */
export function agentById(context: Context, info: GraphQLResolveInfo, id: string): Promise<{ id: string } | null> {
  const selection = selectionOf(context, info, { id: true });
  return readTogether(context, info, 'agent', id, async (ids) => {
    const agents = await context.fleet.database.prisma.agent.findMany({
      ...selection,
      where: { id: { in: [...ids] }, ...visibleAgents(context.viewer) },
    });
    return new Map(agents.map((agent) => [agent.id, agent]));
  });
}
