import { graphql } from '../../src/generated/client/gql.ts';

// Operations that several of these tests share, beyond those of test/support/documents.ts.

export const SendAgentMessage = graphql(`
  mutation SendAgentMessage($input: SendAgentMessageInput!) {
    sendAgentMessage(input: $input) {
      __typename
      ... on Agent { id }
      ... on ValidationError { fields { path message } }
      ... on GatewayError { gatewayCode retryable hint }
      ... on Error { message code }
    }
  }
`);

export const WakeAgent = graphql(`
  mutation WakeAgent($id: ID!) {
    wakeAgent(id: $id) {
      __typename
      ... on Agent { id }
      ... on GatewayError { gatewayCode retryable hint }
      ... on Error { message code }
    }
  }
`);

export const ReachGateway = graphql(`
  mutation ReachGateway($id: ID!) {
    checkGateway(id: $id) {
      __typename
      ... on Gateway { id connection { state } }
      ... on GatewayError { gatewayCode retryable hint }
      ... on Error { message code }
    }
  }
`);

export const WhoAmI = graphql(`
  query WhoAmI {
    viewer { kind role organization { id name } agent { id name } }
  }
`);

export const ReadTask = graphql(`
  query ReadTask($id: ID!) { task(id: $id) { id title description status assignee { id } board { id } } }
`);
