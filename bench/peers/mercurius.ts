import Fastify from 'fastify';
import mercurius, { type Selection } from 'mercurius';
import { listen } from './listen.ts';
import { agentById, agents, agentsOfBoards, boards, byIds, isBoardLead, type Row, sessionKey } from './sql.ts';

// A schema written by hand, with batch loaders that read the columns that are asked for.

const schema = `
  scalar DateTime
  enum AgentKind { BOARD_LEAD BOARD_WORKER GATEWAY_MAIN }
  enum AgentStatus { PROVISIONING READY ACTIVE IDLE PAUSED DELETED }
  enum Liveness { UNKNOWN ONLINE LATE OFFLINE }
  type Board { id: ID! name: String! agents(first: Int = 50): AgentConnection! }
  type Task { id: ID! title: String! }
  type Agent {
    id: ID!
    name: String!
    kind: AgentKind!
    isBoardLead: Boolean!
    isManaged: Boolean!
    status: AgentStatus!
    liveness: Liveness!
    board: Board
    openclawAgentId: String!
    sessionKey: String!
    workspacePath: String!
    identityTemplate: String
    soulTemplate: String
    lastHeartbeatAt: DateTime
    lastSeenAt: DateTime
    currentTask: Task
    createdAt: DateTime!
    updatedAt: DateTime!
  }
  type BoardConnection { nodes: [Board!]! }
  type AgentConnection { nodes: [Agent!]! }
  type Query {
    boards(first: Int = 50): BoardConnection!
    agents(first: Int = 50): AgentConnection!
    agent(id: ID!): Agent
  }
`;

interface First {
  first: number;
}

interface Ask<Args> {
  parent: Row;
  args: Args;
  info: Selection;
}

const resolvers = {
  Query: {
    boards: async (_root: unknown, { first }: First) => ({ nodes: await boards(first) }),
    agents: async (_root: unknown, { first }: First, _context: unknown, info: Selection) => ({
      nodes: await agents(first, fieldsOf(info, 'nodes')),
    }),
    agent: (_root: unknown, { id }: { id: string }, _context: unknown, info: Selection) =>
      agentById(id, fieldsOf(info)),
  },
  Board: {
    agents: batched<First>(async (asks) => {
      const [{ args, info }] = asks;
      const ids = asks.map(({ parent }) => parent.id);
      const found = await agentsOfBoards(ids, args.first, fieldsOf(info, 'nodes'));
      return ids.map((id) => ({ nodes: found.get(id) ?? [] }));
    }),
  },
  Agent: {
    isBoardLead,
    sessionKey,
    board: batched((asks) => related(asks, 'Board', 'boardId')),
    currentTask: batched((asks) => related(asks, 'Task', 'currentTaskId')),
  },
};

async function related(asks: Ask<object>[], table: 'Board' | 'Task', column: string): Promise<(Row | null)[]> {
  const ids = asks.map(({ parent }) => parent[column]);
  const found = await byIds(table, ids.filter(Boolean));
  return ids.map((id) => found.get(id) ?? null);
}

/**
 * Reads once for all that a request asks of a field in one turn. Mercurius' own loaders do so too, but do not hear which
 * columns are asked for.
 */
function batched<Args = object>(read: (asks: [Ask<Args>, ...Ask<Args>[]]) => Promise<unknown[]>) {
  interface Batch {
    asks: Ask<Args>[];
    answers: Promise<unknown[]>;
  }
  const batches = new WeakMap<object, Batch>();
  return async (parent: Row, args: Args, context: object, info: Selection) => {
    let batch = batches.get(context);
    if (!batch) {
      const asks: Ask<Args>[] = [];
      const answers = new Promise<void>((resolve) => process.nextTick(resolve)).then(() => {
        batches.delete(context);
        return read(asks as [Ask<Args>]);
      });
      batch = { asks, answers };
      batches.set(context, batch);
    }
    const index = batch.asks.push({ parent, args, info }) - 1;
    return (await batch.answers)[index];
  };
}

const OBJECTS = ['board', 'currentTask'];
const known = new WeakMap<object, string[]>();

/** The columns that are asked for under this field, or under one of its own. Documents are kept parsed, so these are too. */
function fieldsOf({ fieldNodes: [node] }: Selection, part?: string): string[] {
  const fields = known.get(node);
  if (fields) return fields;
  const parent = part ? node.selectionSet.selections.find(({ name }) => name.value === part) : node;
  const names = (parent ?? node).selectionSet.selections.map(({ name }) => name.value);
  const found = names.filter((name) => !OBJECTS.includes(name));
  known.set(node, found);
  return found;
}

const app = Fastify();
await app.register(mercurius, { schema, resolvers, jit: 1, context: () => ({}) });
await app.ready();
listen(app.server);
