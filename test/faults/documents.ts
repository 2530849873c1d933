// What the suite asks of the API. Plain texts: they hold for the server as it is, whatever was generated from its schema.

const AGENT = `
  fragment AgentFields on Agent {
    id
    name
    kind
    status
    board { id }
    soulTemplate
    heartbeat { enabled intervalSeconds }
    lastHeartbeatAt
    openclawAgentId
    workspacePath
    provisioning {
      phase
      generation
      observedGeneration
      attempts
      nextAttemptAt
      lastError { message code gatewayCode retryable hint }
      steps { name outcome detail startedAt durationMs }
    }
  }
`;

/** An agent as the API shows it. */
export interface AgentView {
  id: string;
  name: string;
  kind: 'BOARD_LEAD' | 'BOARD_WORKER' | 'GATEWAY_MAIN';
  status: string;
  board: { id: string } | null;
  soulTemplate: string | null;
  heartbeat: { enabled: boolean; intervalSeconds: number };
  lastHeartbeatAt: string | null;
  openclawAgentId: string;
  workspacePath: string;
  provisioning: {
    phase: string;
    generation: number;
    observedGeneration: number;
    attempts: number;
    nextAttemptAt: string | null;
    lastError: object | null;
    steps: object[];
  };
}

/** What a mutation answers: the thing that it changed, or why it was refused. */
export type Outcome = { __typename: string; message?: string } & Partial<AgentView>;

/** A mutation that answers with an agent, called `outcome`. One with an input has a place for what is wrong in it. */
function mutation(name: string, inputType?: string): string {
  const [argument, type] = inputType === undefined ? ['id', 'ID'] : ['input', inputType];
  return `
    mutation Faults($${argument}: ${type}!) {
      outcome: ${name}(${argument}: $${argument}) {
        __typename
        ...AgentFields
        ... on Error { message }
        ${inputType === undefined ? '' : '... on ValidationError { fields { path message } }'}
      }
    }
    ${AGENT}
  `;
}

export const CREATE_AGENT = mutation('createAgent', 'CreateAgentInput');
export const UPDATE_AGENT = mutation('updateAgent', 'UpdateAgentInput');
export const REPROVISION_AGENT = mutation('reprovisionAgent', 'ReprovisionAgentInput');
export const HEARTBEAT = mutation('heartbeat', 'HeartbeatInput');
export const PAUSE_AGENT = mutation('pauseAgent');
export const RESUME_AGENT = mutation('resumeAgent');
export const DELETE_AGENT = mutation('deleteAgent');

export const SYNC_TEMPLATES = `
  mutation FaultsSync($input: SyncGatewayTemplatesInput!) {
    outcome: syncGatewayTemplates(input: $input) {
      __typename
      ... on TemplateSync { id }
      ... on Error { message }
    }
  }
`;

export const READ_SYNC = `
  query FaultsReadSync($id: ID!) {
    templateSync(id: $id) { phase total updated unchanged skipped failures { message } }
  }
`;

export const CREATE_GATEWAY = `
  mutation FaultsGateway($input: CreateGatewayInput!) {
    outcome: createGateway(input: $input) {
      __typename
      ... on Gateway { id }
      ... on Error { message }
    }
  }
`;

export const CREATE_BOARD = `
  mutation FaultsBoard($input: CreateBoardInput!) {
    outcome: createBoard(input: $input) {
      __typename
      ... on Board { id }
      ... on Error { message }
    }
  }
`;

export const READ_FLEET = `
  query FaultsFleet { agents(first: 100) { totalCount nodes { ...AgentFields } } }
  ${AGENT}
`;

export const READ_AGENT = `
  query FaultsAgent($id: ID!) { agent(id: $id) { ...AgentFields } }
  ${AGENT}
`;

export const READ_DOCUMENTS = `
  query FaultsDocuments($id: ID!) { agent(id: $id) { documents { name delivery change } } }
`;

export const WHO_AM_I = `
  query FaultsViewer { viewer { kind agent { id } } }
`;

export const LATEST_EVENTS = `
  query FaultsLatestEvents { agents(first: 100) { nodes { events(last: 1) { nodes { cursor } } } } }
`;

export const EVENTS_OF_AGENT = `
  query FaultsEvents($id: ID!, $after: String) {
    agent(id: $id) {
      events(first: 100, after: $after) { nodes { cursor type } pageInfo { hasNextPage endCursor } }
    }
  }
`;

export const FOLLOW_EVENTS = `
  subscription FaultsFollow($after: String, $since: DateTime) {
    agentEvents(after: $after, since: $since) { cursor type agentId }
  }
`;
