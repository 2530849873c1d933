import type { GraphQLResolveInfo } from 'graphql';
import type { Viewer } from '../access/viewer.ts';
import { actorOf } from '../events/activity.ts';
import { activityOfEach, type Slice } from '../events/pages.ts';
import { activityOf } from '../fleet/activity.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Activity, ActivityAction } from '../generated/prisma/client.ts';
import { actor } from './actor.ts';
import { readTogether } from './batch.ts';
import { builder } from './builder.ts';
import { anyOf, ID_CURSORS } from './connection.ts';
import type { Context } from './context.ts';
import { type List, pageOf } from './page.ts';

const activityAction = builder.enumType('ActivityAction', {
  description: 'What was done.',
  values: {
    GATEWAY_CREATED: { description: 'A gateway was added.' },
    GATEWAY_UPDATED: { description: 'A gateway was changed.' },
    GATEWAY_CHECKED: { description: 'A gateway was connected to afresh.' },
    GATEWAY_DELETED: { description: 'A gateway was deleted.' },
    TEMPLATES_SYNCED: { description: 'A sync of a gateway’s templates was asked for.' },
    BOARD_CREATED: { description: 'A board was made.' },
    BOARD_UPDATED: { description: 'A board was changed.' },
    BOARD_DELETED: { description: 'A board was deleted, with its tasks and agents.' },
    TASK_CREATED: { description: 'A task was put on a board.' },
    TASK_UPDATED: { description: 'A task was changed.' },
    TASK_DELETED: { description: 'A task was deleted.' },
    API_TOKEN_CREATED: { description: 'An operator token was made.' },
    API_TOKEN_REVOKED: { description: 'An operator token was revoked.' },
    ORGANIZATION_CREATED: { description: 'Another organization was made.' },
  } satisfies Record<ActivityAction, object>,
});

const activity = builder.objectRef<Activity>('Activity').implement({
  description: 'Something that somebody did to a gateway, a board, a task or a token. It stays when that is gone.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'UUID.' }),
    action: t.expose('action', { type: activityAction, description: 'What was done.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    actor: t.field({ type: actor, nullable: true, description: 'Who did it.', resolve: actorOf }),
    objectId: t.exposeID('objectId', { description: 'The id of what it was done to.' }),
    objectName: t.exposeString('objectName', { description: 'The name that it had.' }),
    message: t.exposeString('message', { nullable: true, description: 'More about it, for people.' }),
  }),
});

export const activityConnection = builder.connectionObject(
  { type: activity, name: 'ActivityConnection', description: 'A page of what was done.' },
  { name: 'ActivityEdge', description: 'One of a page of what was done, with its cursor.' },
);

/** What was done to one board or one gateway, oldest first; read together with that of others. */
export function activityOfOne(
  context: Context,
  info: GraphQLResolveInfo,
  of: { boardId: string } | { gatewayId: string },
): List<Activity, string> {
  const { prisma } = context.fleet.database;
  const [column, id] = 'boardId' in of ? (['boardId', of.boardId] as const) : (['gatewayId', of.gatewayId] as const);
  const read = async (what: string, slice: Slice<string>) => {
    const found = await readTogether(context, info, what, id, async (ids) =>
      Map.groupBy(await activityOfEach(prisma, column, ids, slice), (entry) => entry[column] ?? ''),
    );
    return found ?? [];
  };
  return {
    ...ID_CURSORS,
    read: (slice) => read('page', slice),
    has: async (range) => (await read(Object.keys(range).join(), anyOf(range))).length > 0,
  };
}

builder.queryField('activity', (t) =>
  t.field({
    type: activityConnection,
    description:
      'What was done in the organization to gateways, boards, tasks and tokens, oldest first. Operators with the role ' +
      'ADMIN or above.',
    args: t.arg.connectionArgs(),
    resolve: (_root, args, { fleet, viewer }) => pageOf(args, allActivity(fleet, viewer)),
  }),
);

function allActivity({ database }: Fleet, viewer: Viewer): List<Activity, string> {
  const where = activityOf(viewer);
  const read = ({ range, backwards, take }: Slice<string>) =>
    database.prisma.activity.findMany({
      where: { AND: [where, { id: range }] },
      orderBy: { id: backwards ? 'desc' : 'asc' },
      take,
    });
  return { ...ID_CURSORS, read, has: async (range) => (await read(anyOf(range))).length > 0 };
}
