// What is asked for: of this server and of mercurius, whose shapes are the same, and of PostGraphile under these names.

export const QUERIES = ['nested', 'page', 'byId', 'nested apart', 'page apart'] as const;
export type Query = (typeof QUERIES)[number];
type Shape = 'nested' | 'page' | 'byId';

/** Documents that clients which ask apart have between them, so that no two ask in the same words at the same time. */
const APART = 64;

/** What a query asks for; those that ask apart ask for the same. */
export function shapeOf(query: Query): Shape {
  return query.replace(' apart', '') as Shape;
}

/** The ways in which a query is asked. */
export function documentsOf(query: Query, documents: Record<Shape, string>): string[] {
  const document = documents[shapeOf(query)];
  if (query === shapeOf(query)) return [document];
  return Array.from({ length: APART }, (_, index) => `query Apart${index} ${document}`);
}

const BY_ID = 'name kind isBoardLead status liveness openclawAgentId workspacePath lastSeenAt createdAt';
const PAGE = `${BY_ID} isManaged sessionKey identityTemplate soulTemplate lastHeartbeatAt updatedAt`;

export const DOCUMENTS: Record<Shape, string> = {
  nested: '{ boards(first: 10) { nodes { id name agents(first: 10) { nodes { id name status } } } } }',
  page: `{ agents(first: 50) { nodes { id ${PAGE} board { id name } currentTask { id title } } } }`,
  byId: `query ($id: ID!) { agent(id: $id) { id ${BY_ID} } }`,
};

export const POSTGRAPHILE_DOCUMENTS: Record<Shape, string> = {
  nested: `{
    boards: allBoards(first: 10) {
      nodes { id: rowId name agents: agentsByBoardId(first: 10) { nodes { id: rowId name status } } }
    }
  }`,
  page: `{
    agents: allAgents(first: 50) {
      nodes { id: rowId ${PAGE} board: boardByBoardId { id: rowId name } currentTask: taskByCurrentTaskId { id: rowId title } }
    }
  }`,
  byId: `query ($id: UUID!) { agent: agentByRowId(rowId: $id) { id: rowId ${BY_ID} } }`,
};
