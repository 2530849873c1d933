import { graphql } from '../generated/client/index.ts';

// What the demo asks of the API: the same that any client can.

export const CREATE_GATEWAY = graphql(`
  mutation DemoCreateGateway($input: CreateGatewayInput!) {
    createGateway(input: $input) {
      __typename
      ... on Gateway { id }
      ... on Error { message }
    }
  }
`);

export const CREATE_BOARD = graphql(`
  mutation DemoCreateBoard($input: CreateBoardInput!) {
    createBoard(input: $input) {
      __typename
      ... on Board { id lead { id } }
      ... on Error { message }
    }
  }
`);

export const CREATE_AGENT = graphql(`
  mutation DemoCreateAgent($input: CreateAgentInput!) {
    createAgent(input: $input) {
      __typename
      ... on Agent { id }
      ... on Error { message }
    }
  }
`);

export const CREATE_TASK = graphql(`
  mutation DemoCreateTask($input: CreateTaskInput!) {
    createTask(input: $input) {
      __typename
      ... on Task { id }
      ... on Error { message }
    }
  }
`);

export const DELETE_GATEWAY = graphql(`
  mutation DemoDeleteGateway($gatewayId: ID!) {
    deleteGateway(id: $gatewayId, force: true) {
      __typename
      ... on Error { message }
    }
  }
`);

/** Where an agent that is being deleted stands; null when it is gone. */
export const AGENT_LEAVING = graphql(`
  query DemoAgentLeaving($id: ID!) {
    agent(id: $id) { name openclawAgentId provisioning { phase lastError { message } } }
  }
`);

/** How a gateway and its agents stand. */
export const FLEET = graphql(`
  query DemoFleet($gatewayId: ID!) {
    gateway(id: $gatewayId) {
      connection { state serverVersion lastError hint }
      agents(first: 100) { nodes { ...DemoAgent } }
    }
  }
`);
