import { graphql } from '../../src/generated/client/index.ts';

export const FLEET = graphql(`
  query WatchFleet($filter: AgentFilter, $after: String) {
    agents(filter: $filter, first: 100, after: $after) {
      nodes { id name status liveness }
      pageInfo { hasNextPage endCursor }
      eventCursor
    }
  }
`);

export const CHANGES = graphql(`
  subscription WatchChanges($filter: AgentEventFilter, $after: String) {
    agentEvents(filter: $filter, after: $after) {
      cursor
      type
      at
      agentId
      agent { name }
      status
      previousStatus
      liveness
      step { name outcome detail }
      message
    }
  }
`);
