import { graphql } from '../../src/generated/client/gql.ts';

// The operations that several tests share. What a test needs alone stands in the test.

export const CreateGateway = graphql(`
  mutation CreateGateway($input: CreateGatewayInput!) {
    createGateway(input: $input) {
      __typename
      ... on Gateway { id name hasToken mainAgent { id } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const CreateBoard = graphql(`
  mutation CreateBoard($input: CreateBoardInput!) {
    createBoard(input: $input) {
      __typename
      ... on Board { id slug lead { id name openclawAgentId } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const CreateAgent = graphql(`
  mutation CreateAgent($input: CreateAgentInput!) {
    createAgent(input: $input) {
      __typename
      ... on Agent { id name status openclawAgentId sessionKey workspacePath provisioning { phase generation } }
      ... on ValidationError { fields { path message } }
      ... on LimitExceededError { limit }
      ... on Error { message code }
    }
  }
`);

export const DeleteAgent = graphql(`
  mutation DeleteAgent($id: ID!) {
    deleteAgent(id: $id) {
      __typename
      ... on Agent { id status }
      ... on Error { message code }
    }
  }
`);

export const CreateTask = graphql(`
  mutation CreateTask($input: CreateTaskInput!) {
    createTask(input: $input) {
      __typename
      ... on Task { id title status assignee { id } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const UpdateTask = graphql(`
  mutation UpdateTask($input: UpdateTaskInput!) {
    updateTask(input: $input) {
      __typename
      ... on Task { id title status description assignee { id } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const Heartbeat = graphql(`
  mutation Heartbeat($input: HeartbeatInput!) {
    heartbeat(input: $input) {
      __typename
      ... on Agent { id status liveness lastHeartbeatAt currentTask { id } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const ReadAgent = graphql(`
  query ReadAgent($id: ID!) {
    agent(id: $id) {
      id
      name
      status
      liveness
      lastHeartbeatAt
      lastSeenAt
      openclawAgentId
      sessionKey
      workspacePath
      currentTask { id }
      provisioning {
        phase
        generation
        observedGeneration
        attempts
        nextAttemptAt
        hint
        lastError { message code hint retryable gatewayCode }
        steps { name outcome detail durationMs }
      }
    }
  }
`);

export const ReadFleet = graphql(`
  query ReadFleet {
    agents(first: 100) {
      totalCount
      nodes { id name kind status liveness provisioning { phase lastError { message hint } } }
    }
  }
`);

export const AgentEvents = graphql(`
  subscription AgentEvents($filter: AgentEventFilter, $after: String) {
    agentEvents(filter: $filter, after: $after) {
      cursor
      type
      agentId
      status
      previousStatus
      liveness
      message
      step { name outcome detail }
    }
  }
`);

export const UpdateAgent = graphql(`
  mutation UpdateAgent($input: UpdateAgentInput!) {
    updateAgent(input: $input) {
      __typename
      ... on Agent {
        id
        name
        identityProfile { role expertise tone emoji }
        soulTemplate
        heartbeat { enabled intervalSeconds }
        provisioning { phase generation observedGeneration }
      }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const PauseAgent = graphql(`
  mutation PauseAgent($id: ID!) {
    pauseAgent(id: $id) { __typename ... on Agent { id status } ... on Error { message code } }
  }
`);

export const ResumeAgent = graphql(`
  mutation ResumeAgent($id: ID!) {
    resumeAgent(id: $id) { __typename ... on Agent { id status } ... on Error { message code } }
  }
`);

export const ReprovisionAgent = graphql(`
  mutation ReprovisionAgent($input: ReprovisionAgentInput!) {
    reprovisionAgent(input: $input) {
      __typename
      ... on Agent { id isManaged provisioning { phase generation } }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const AdoptAgent = graphql(`
  mutation AdoptAgent($input: AdoptAgentInput!) {
    adoptAgent(input: $input) {
      __typename
      ... on Agent { id name isManaged openclawAgentId workspacePath heartbeat { enabled intervalSeconds } }
      ... on ValidationError { fields { path message } }
      ... on GatewayError { gatewayCode hint }
      ... on Error { message code }
    }
  }
`);

export const UpdateGateway = graphql(`
  mutation UpdateGateway($input: UpdateGatewayInput!) {
    updateGateway(input: $input) {
      __typename
      ... on Gateway { id name url workspaceRoot hasToken tlsFingerprint allowInsecureTls }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const DeleteGateway = graphql(`
  mutation DeleteGateway($id: ID!, $force: Boolean) {
    deleteGateway(id: $id, force: $force) { __typename ... on Deleted { id } ... on Error { message code } }
  }
`);

export const DeleteBoard = graphql(`
  mutation DeleteBoard($id: ID!) {
    deleteBoard(id: $id) { __typename ... on Deleted { id } ... on Error { message code } }
  }
`);

export const SyncGatewayTemplates = graphql(`
  mutation SyncGatewayTemplates($input: SyncGatewayTemplatesInput!) {
    syncGatewayTemplates(input: $input) {
      __typename
      ... on TemplateSync { id phase total updated unchanged skipped finishedAt }
      ... on ValidationError { fields { path message } }
      ... on Error { message code }
    }
  }
`);

export const ReadConnection = graphql(`
  query ReadConnection($id: ID!) {
    gateway(id: $id) {
      id
      name
      connection { state lastError hint nextAttemptAt connectedAt }
    }
  }
`);

export const ReadAgentLog = graphql(`
  query ReadAgentLog($id: ID!) {
    agent(id: $id) { events(last: 100) { nodes { type status previousStatus liveness message step { name outcome detail } } } }
  }
`);
