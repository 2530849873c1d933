import { expect } from 'vitest';
import type { Simulator } from '../../src/simulator/simulator.ts';
import type { Client } from './client.ts';
import { CreateAgent, CreateBoard, CreateGateway, ReadAgent } from './documents.ts';
import { eventually } from './eventually.ts';

// A fleet to test with: what most stories begin with, in one line each.

export async function addGateway(
  client: Client,
  gateway: Pick<Simulator, 'url' | 'token' | 'stateDir'>,
  name = 'Home',
) {
  const { url, token, stateDir: workspaceRoot } = gateway;
  const { createGateway } = await client.run(CreateGateway, { input: { name, url, token, workspaceRoot } });
  if (createGateway.__typename !== 'Gateway') expect.fail(JSON.stringify(createGateway));
  return createGateway;
}

export async function addBoard(
  client: Client,
  gatewayId: string,
  options: { name?: string; lead?: string; maxAgents?: number } = {},
) {
  const { name = 'Launch', lead, maxAgents } = options;
  const { createBoard } = await client.run(CreateBoard, {
    input: { gatewayId, name, ...(lead && { lead: { name: lead } }), ...(maxAgents !== undefined && { maxAgents }) },
  });
  if (createBoard.__typename !== 'Board') expect.fail(JSON.stringify(createBoard));
  return createBoard;
}

export async function addAgent(client: Client, boardId: string, name = 'Wanda') {
  const { createAgent } = await client.run(CreateAgent, { input: { boardId, name } });
  if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
  return createAgent;
}

/** Waits until the agent's gateway has been brought in line, and answers with the agent. */
export async function provisioned(client: Client, id: string, timeoutMs = 15_000) {
  const { agent } = await eventually(
    () => client.run(ReadAgent, { id }),
    ({ agent }) => agent?.provisioning.phase === 'SUCCEEDED' || agent?.provisioning.phase === 'FAILED',
    timeoutMs,
  );
  if (agent?.provisioning.phase !== 'SUCCEEDED') expect.fail(JSON.stringify(agent));
  return agent;
}
