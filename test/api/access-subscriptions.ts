import { CreateTask } from '../support/documents.ts';
import type { MissionControl } from '../support/mission-control.ts';
import { ACTORS, type ActorName, type Cell, type Row } from './access-table.ts';
import type { World } from './access-world.ts';

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { extensions?: Record<string, unknown> }[];
}

interface SubscriptionRow extends Row {
  variables?: (world: World) => object;
  /** Lets something happen that those may be told of who may, and then something for each of the others. */
  happen: (mc: MissionControl, world: World, report: Reports) => Promise<unknown>;
  /** Whether a result tells of it; null when it is about something else, and another one has to come. */
  tells: (data: Record<string, unknown>, world: World) => boolean | null;
}

interface Reports {
  heartbeat: (agentId: string) => Promise<unknown>;
  foreignHeartbeat: (agentId: string) => Promise<unknown>;
}

export const SUBSCRIPTIONS: SubscriptionRow[] = [
  {
    field: 'agentEvents',
    on: 'of the worker',
    cells: 'yyyyyyyy--',
    query: 'subscription { agentEvents(filter: {types: [HEARTBEAT]}) { agentId } }',
    happen: async (_mc, world, { heartbeat, foreignHeartbeat }) => {
      await heartbeat(world.worker);
      await heartbeat(world.beside);
      await foreignHeartbeat(world.foreign);
    },
    tells: ({ agentEvents }, world) => (agentEvents as { agentId: string }).agentId === world.worker,
  },
  {
    field: 'gatewayEvents',
    cells: 'yyyynnnyn-',
    query: 'subscription { gatewayEvents { gateway { id } } }',
    happen: async ({ prisma }, world) => {
      for (const id of [world.gateway, world.foreignGateway])
        for (const connectionState of ['INCOMPATIBLE', 'CONNECTING'] as const)
          await prisma.gateway.update({ where: { id }, data: { connectionState } });
    },
    tells: ({ gatewayEvents }, world) => {
      const { id } = (gatewayEvents as { gateway: { id: string } }).gateway;
      return id === world.gateway || (id === world.foreignGateway ? false : null);
    },
  },
  {
    field: 'taskEvents',
    on: 'of the board',
    cells: 'yyyyyyyy--',
    query: 'subscription ($id: ID!) { taskEvents(boardId: $id) { taskId } }',
    variables: (world) => ({ id: world.board }),
    happen: ({ owner }, world) => owner.run(CreateTask, { input: { boardId: world.board, title: 'Told' } }),
    tells: () => true,
  },
  {
    field: 'templateSyncProgress',
    cells: 'yyyy---y--',
    query: 'subscription ($id: ID!) { templateSyncProgress(id: $id) { id } }',
    variables: (world) => ({ id: world.sync }),
    // The sync as it is now comes at once.
    happen: async () => undefined,
    tells: () => true,
  },
];

/** Subscribes everybody over server-sent events, lets something happen, and answers with who was told of it. */
export async function subscribeAll(
  mc: MissionControl,
  world: World,
  row: SubscriptionRow,
  reports: Reports,
): Promise<Record<ActorName, string>> {
  const stop = new AbortController();
  const subscriptions = await Promise.all(
    ACTORS.map(async (actor) => {
      const response = await fetch(`${mc.url}/graphql`, {
        method: 'POST',
        signal: stop.signal,
        headers: {
          Accept: 'text/event-stream',
          'Content-Type': 'application/json',
          Authorization: `Bearer ${world.tokens[actor]}`,
        },
        body: JSON.stringify({ query: row.query, variables: row.variables?.(world) }),
      });
      return [actor, response] as const;
    }),
  );
  await row.happen(mc, world, reports);
  const told = await Promise.all(
    subscriptions.map(async ([actor, response]) => [actor, await cellOf(row, world, response)] as const),
  );
  stop.abort();
  return Object.fromEntries(told) as Record<ActorName, string>;
}

async function cellOf(row: SubscriptionRow, world: World, response: Response): Promise<Cell | string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      const { data, errors } = JSON.parse(line.slice('data: '.length)) as Result;
      const code = errors?.[0]?.extensions?.code;
      if (code === 'FORBIDDEN') return 'n';
      if (code === 'NOT_FOUND') return '-';
      if (code !== undefined || !data) return String(code);
      const told = row.tells(data, world);
      if (told !== null) return told ? 'y' : '-';
    }
  }
  return 'the end';
}
