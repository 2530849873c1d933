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
