import type { graphql as typed } from '../generated/client/gql.ts';

// What a live view asks of the API. Of what codegen makes only the types are used: these documents are also asked where it was not run.

/** The document as it is written, with the fragment that it uses. */
const graphql = ((source: string) =>
  source.includes('...DemoAgent') ? `${source}${AGENT}` : source) as unknown as typeof typed;

const AGENT = graphql(`
  fragment DemoAgent on Agent {
    id
    name
    kind
    status
    liveness
    lastSeenAt
    identityProfile { emoji }
    gateway { id }
    provisioning {
      phase
      startedAt
      finishedAt
      nextAttemptAt
      hint
      lastError { message hint }
      steps { name outcome startedAt durationMs }
    }
  }
`).toString();

/** How all gateways and their agents stand. */
export const OVERVIEW = graphql(`
  query DemoOverview {
    gateways(first: 100) { nodes { id name connection { state serverVersion lastError hint } } }
    agents(first: 100) { nodes { ...DemoAgent } }
  }
`);

export const AGENT_EVENTS = graphql(`
  subscription DemoAgentEvents($since: DateTime!) {
    agentEvents(since: $since) {
      type
      at
      agentId
      status
      previousStatus
      liveness
      message
      step { name outcome durationMs detail }
      agent { ...DemoAgent }
    }
  }
`);
