import { createServer } from 'node:http';
import { listen } from './listen.ts';
import { agentById, agents, agentsOfBoards, boards, byIds, isBoardLead, type Row, sessionKey } from './sql.ts';

// The same answers without GraphQL: a path for each of the bench's documents.

const PAGE = [
  ...['id', 'name', 'kind', 'isManaged', 'status', 'liveness', 'openclawAgentId', 'workspacePath', 'identityTemplate'],
  ...['soulTemplate', 'lastHeartbeatAt', 'lastSeenAt', 'createdAt', 'updatedAt'],
];
const BY_ID = ['name', 'kind', 'status', 'liveness', 'openclawAgentId', 'workspacePath', 'lastSeenAt', 'createdAt'];

interface Variables {
  id: string;
}

const answers: Record<string, (variables: Variables) => Promise<object>> = {
  async '/nested'() {
    const found = await boards(10);
    const agentsOf = await agentsOfBoards(ids(found, 'id'), 10, ['name', 'status']);
    const nodes = found.map(({ id, name }) => ({
      ...{ id, name },
      agents: { nodes: (agentsOf.get(id) ?? []).map(({ id, name, status }) => ({ id, name, status })) },
    }));
    return { boards: { nodes } };
  },
  async '/page'() {
    const found = await agents(50, PAGE);
    const [boardWith, taskWith] = await Promise.all([
      byIds('Board', ids(found, 'boardId')),
      byIds('Task', ids(found, 'currentTaskId')),
    ]);
    const nodes = found.map(({ boardId, currentTaskId, ...agent }) => ({
      ...agent,
      ...{ isBoardLead: isBoardLead(agent), sessionKey: sessionKey(agent) },
      ...{ board: boardWith.get(boardId) ?? null, currentTask: taskWith.get(currentTaskId) ?? null },
    }));
    return { agents: { nodes } };
  },
  async '/byId'({ id }) {
    const { boardId: _board, currentTaskId: _task, ...agent } = (await agentById(id, BY_ID)) ?? {};
    return { agent: { ...agent, isBoardLead: isBoardLead(agent) } };
  },
};

function ids(rows: Row[], column: string): unknown[] {
  return rows.map((row) => row[column]).filter(Boolean);
}

const http = createServer((request, response) => {
  let asked = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => (asked += part));
  request.on('end', async () => {
    const { variables } = JSON.parse(asked) as { variables: Variables };
    const data = await answers[request.url ?? '']?.(variables);
    const body = Buffer.from(JSON.stringify({ data }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  });
});
listen(http);
