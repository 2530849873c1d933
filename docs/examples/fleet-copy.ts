import { type Client, createClient } from 'graphql-ws';

type Agent = { id: string; name: string; status: string; liveness: string };
type List = {
  agents: { nodes: Agent[]; pageInfo: { hasNextPage: boolean; endCursor: string | null }; eventCursor: string };
};
type Change = { agentEvents: { cursor: string; agentId: string; agent: Agent | null } };

const AGENT = 'id name status liveness';
const LIST = `query ($after: String) { agents(first: 100, after: $after) {
  nodes { ${AGENT} } pageInfo { hasNextPage endCursor } eventCursor } }`;
const CHANGES = `subscription ($after: String) { agentEvents(after: $after) { cursor agentId agent { ${AGENT} } } }`;

/** @param url for example ws://127.0.0.1:8000/graphql */
export function connect(url: string, token: string): Client {
  const connectionParams = { Authorization: `Bearer ${token}` };
  const retryWait = () => new Promise<void>((resolve) => setTimeout(resolve, 200 + Math.random() * 1000));
  // Without shouldRetry the library takes a network that fails for a mistake. 4401 ends it all the same.
  return createClient({ url, connectionParams, retryAttempts: Infinity, retryWait, shouldRetry: () => true });
}

/**
 * Keeps `agents` an exact copy of the fleet, whatever happens to the connection, and calls `changed` after each change.
 * @throws what the server refuses it with; after SUBSCRIPTION_OVERFLOW and CURSOR_EXPIRED call it again
 */
export async function followFleet(client: Client, agents: Map<string, Agent>, changed: () => void): Promise<void> {
  agents.clear();
  let cursor: string | null = null;
  for (let after: string | null = null, more = true; more; ) {
    const { value } = await client.iterate<List>({ query: LIST, variables: { after } }).next();
    if (!value.data) throw new Error(JSON.stringify(value.errors));
    const { nodes, pageInfo, eventCursor }: List['agents'] = value.data.agents;
    for (const agent of nodes) agents.set(agent.id, agent);
    cursor ??= eventCursor; // The first page's: what happens while the others are read comes again.
    ({ endCursor: after, hasNextPage: more } = pageInfo);
  }
  changed();
  // When the connection breaks the client connects again and sends this anew, with the cursor that is in it by then.
  const request = { query: CHANGES, variables: { after: cursor } };
  for await (const { data, errors } of client.iterate<Change>(request)) {
    if (!data) throw new Error(JSON.stringify(errors));
    const { agentId, agent } = data.agentEvents;
    if (agent && agent.status !== 'DELETED') agents.set(agentId, agent);
    else agents.delete(agentId);
    request.variables.after = data.agentEvents.cursor;
    changed();
  }
}
