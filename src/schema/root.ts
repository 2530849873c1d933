import { GraphQLError } from 'graphql';
import { permits } from '../access/policy.ts';
import type { Viewer } from '../access/viewer.ts';
import { visibleAgents, visibleApiTokens, visibleBoards, visibleGateways, visibleTasks } from '../access/visibility.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { isId } from '../fleet/validation.ts';
import { builder, LARGEST_PAGE } from './builder.ts';
import { node } from './node.ts';

type Found = { id: string; __typename: string };

/** The objects with these ids that the viewer can see, each with its type; one query per type, whatever the number. */
async function findNodes(fleet: Fleet, viewer: Viewer, ids: readonly string[]): Promise<Map<string, Found>> {
  const { prisma } = fleet.database;
  const id = { in: ids.filter(isId) };
  const [organizations, gateways, boards, agents, tasks, syncs, apiTokens] = await Promise.all([
    prisma.organization.findMany({ where: { id, AND: { id: viewer.organizationId } } }),
    prisma.gateway.findMany({ where: { id, AND: visibleGateways(viewer) } }),
    prisma.board.findMany({ where: { id, AND: visibleBoards(viewer) } }),
    prisma.agent.findMany({ where: { id, AND: visibleAgents(viewer) } }),
    prisma.task.findMany({ where: { id, AND: visibleTasks(viewer) } }),
    permits(viewer, 'readGateway')
      ? prisma.templateSync.findMany({ where: { id, gateway: visibleGateways(viewer) } })
      : [],
    viewer.kind === 'OPERATOR' ? prisma.apiToken.findMany({ where: { id, AND: visibleApiTokens(viewer) } }) : [],
  ]);
  const typed = (__typename: string, rows: { id: string }[]) => rows.map((row) => ({ ...row, __typename }));
  const found: Found[] = [
    ...typed('Organization', organizations),
    ...typed('Gateway', gateways),
    ...typed('Board', boards),
    ...typed('Agent', agents),
    ...typed('Task', tasks),
    ...typed('TemplateSync', syncs),
    ...typed('ApiToken', apiTokens),
  ];
  return new Map(found.map((entry) => [entry.id, entry]));
}

builder.queryFields((t) => ({
  node: t.field({
    type: node,
    nullable: true,
    description: 'Any object by its id.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: async (_root, { id }, { fleet, viewer }) =>
      (await findNodes(fleet, viewer, [id])).get(id.toLowerCase()) ?? null,
  }),
  nodes: t.field({
    type: [node],
    nullable: { list: false, items: true },
    description: 'Any objects by their ids, in the same order; null where there is none.',
    args: { ids: t.arg.idList({ required: true, description: 'Their ids, at most 100.' }) },
    resolve: async (_root, { ids }, { fleet, viewer }) => {
      if (ids.length > LARGEST_PAGE)
        throw new GraphQLError(`Ask for at most ${LARGEST_PAGE} ids at once.`, {
          extensions: { code: 'BAD_USER_INPUT' },
        });
      const found = await findNodes(fleet, viewer, ids);
      return ids.map((id) => found.get(id.toLowerCase()) ?? null);
    },
  }),
}));
