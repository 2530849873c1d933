import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY, FLEET } from '../src/demo/documents.ts';
import { graphql } from '../src/generated/client/gql.ts';
import type { BenchAgentsQuery } from '../src/generated/client/graphql.ts';
import { onEmbeddedServer } from './embedded-server.ts';
import type { BenchGateway } from './provisioning-gateway.ts';

const AGENTS = graphql(`
  query BenchAgents($boardId: ID!) {
    agents(filter: { boardId: $boardId }, first: 100) {
      nodes { name provisioning { phase finishedAt lastError { message } steps { name durationMs } } }
    }
  }
`);

export interface OwnOutcome {
  /** Until the last agent was provisioned. */
  durationMs: number;
  succeeded: number;
  /** How often each of the gateway's methods was called. */
  requests: Map<string, number>;
  /** Until the last create was answered. */
  answeredMs: number;
  /** Of each step of provisioning, the durations. */
  steps: Map<string, number[]>;
}

/** As an operator does it. @param count at most 100 @param times that so many are created, one after another */
export function provisionThroughApi(gateway: BenchGateway, count: number, times: number): Promise<OwnOutcome[]> {
  return onEmbeddedServer(async (api) => {
    const gatewayId = await addGateway(api, gateway);
    const outcomes: OwnOutcome[] = [];
    for (let time = 1; time <= times; time++) {
      const { createBoard } = await api.ask(CREATE_BOARD, { input: { name: `Bench ${time}`, gatewayId } });
      await gateway.settle();
      outcomes.push(await createAgents(api, gateway, made(createBoard).id, count));
    }
    return outcomes;
  });
}

/** @returns its id, when its main agent is ready */
async function addGateway(api: Api, { url, token, stateDir: workspaceRoot }: BenchGateway): Promise<string> {
  const { createGateway } = await api.ask(CREATE_GATEWAY, { input: { name: 'Bench', url, token, workspaceRoot } });
  const { id: gatewayId } = made(createGateway);
  await allEnded(async () => (await api.ask(FLEET, { gatewayId })).gateway?.agents.nodes ?? [], 1);
  return gatewayId;
}

async function createAgents(api: Api, gateway: BenchGateway, boardId: string, count: number): Promise<OwnOutcome> {
  const startedAt = Date.now();
  const names = Array.from({ length: count }, (_, index) => `Worker ${index + 1}`);
  await Promise.all(
    names.map(async (name) => made((await api.ask(CREATE_AGENT, { input: { name, boardId } })).createAgent)),
  );
  const answeredMs = Date.now() - startedAt;
  const agents = await allEnded(async () => (await api.ask(AGENTS, { boardId })).agents.nodes, count);
  const steps = Map.groupBy(
    agents.flatMap(({ provisioning }) => provisioning.steps),
    (step) => step.name,
  );
  return {
    durationMs: Math.max(...agents.map(({ provisioning }) => Date.parse(provisioning.finishedAt ?? ''))) - startedAt,
    succeeded: agents.filter(({ provisioning }) => provisioning.phase === 'SUCCEEDED').length,
    answeredMs,
    requests: gateway.requests(),
    steps: new Map([...steps].map(([step, all]) => [step, all.map(({ durationMs }) => durationMs ?? 0)])),
  };
}

type Listed = Pick<BenchAgentsQuery['agents']['nodes'][number], 'name'> & { provisioning: { phase: string } };

/** Waits until so many agents have ended. It asks seldom: answering costs the server time as well. */
async function allEnded<Agent extends Listed>(list: () => Promise<Agent[]>, count: number): Promise<Agent[]> {
  for (;;) {
    const agents = await list();
    const ended = agents.filter(({ provisioning }) => ['SUCCEEDED', 'FAILED'].includes(provisioning.phase));
    if (ended.length === count) return agents;
    await sleep(500);
  }
}
