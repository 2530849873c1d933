import { graphql } from '../generated/index.ts';

export const VIEWER = graphql(`
  query PageViewer {
    viewer { kind role organization { name } }
  }
`);

export const BOARDS = graphql(`
  query PageBoards($after: String) {
    boards(first: 100, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const AGENTS = graphql(`
  query PageAgents($filter: AgentFilter, $after: String) {
    agents(filter: $filter, first: 100, after: $after) {
      nodes { ...PageAgent }
      pageInfo { hasNextPage endCursor }
      eventCursor
    }
  }

  fragment PageAgent on Agent {
    id
    name
    kind
    status
    liveness
    lastSeenAt
    board { id name }
    identityProfile { role emoji }
    provisioning {
      phase
      nextAttemptAt
      steps { name outcome }
      lastError { message hint }
    }
  }
`);

export const AGENT_EVENTS = graphql(`
  subscription PageAgentEvents($filter: AgentEventFilter, $after: String) {
    agentEvents(filter: $filter, after: $after) {
      cursor
      type
      agentId
      agent { ...PageAgent }
    }
  }
`);

export const CREATE_AGENT = graphql(`
  mutation PageCreateAgent($input: CreateAgentInput!) {
    createAgent(input: $input) {
      __typename
      ... on Agent { id name }
      ... on ValidationError { fields { path message } }
      ... on Error { code message }
    }
  }
`);
