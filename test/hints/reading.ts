import { expect } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { eventually } from '../support/eventually.ts';
import { SECRET, type Stage } from './stage.ts';

// Where an operator reads what is wrong with a gateway.

const ReadGateway = graphql(`
  query ReadGatewayAndMainAgent($id: ID!) {
    gateway(id: $id) {
      url
      connection { state serverVersion protocolVersion connectedAt lastError hint nextAttemptAt }
      mainAgent {
        id
        status
        provisioning { phase nextAttemptAt hint lastError { message code gatewayCode retryable hint } }
      }
    }
  }
`);

const CheckGateway = graphql(`
  mutation CheckGatewayAndRead($id: ID!) {
    checkGateway(id: $id) {
      __typename
      ... on Gateway { connection { state lastError hint latencyMs } }
      ... on GatewayError { gatewayCode retryable hint }
      ... on Error { message code }
    }
  }
`);

type Gateway = Awaited<ReturnType<typeof readGateway>>;

/** The gateway and its main agent, which is the first that is to be provisioned there. */
export async function readGateway({ mc }: Stage, id: string) {
  const { gateway } = await mc.owner.run(ReadGateway, { id });
  if (!gateway?.mainAgent) return expect.fail('There is no gateway with a main agent.');
  expect(JSON.stringify(gateway)).not.toContain(SECRET);
  const { mainAgent } = gateway;
  return { ...gateway, mainAgent, provisioning: mainAgent.provisioning };
}

const TIMEOUT_MS = 60_000;
/** A dozen tests ask at the same time, and what they wait for lasts at least half a second. */
const POLL_MS = 200;

/** The gateway as soon as it is so. */
export function gatewayWhen(stage: Stage, id: string, isSo: (gateway: Gateway) => boolean): Promise<Gateway> {
  return eventually(() => readGateway(stage, id), isSo, TIMEOUT_MS, POLL_MS);
}

export async function checkGateway({ mc }: Stage, id: string) {
  const { checkGateway } = await mc.owner.run(CheckGateway, { id });
  expect(JSON.stringify(checkGateway)).not.toContain(SECRET);
  return checkGateway;
}
