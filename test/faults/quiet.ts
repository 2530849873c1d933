import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import { type AgentView, READ_AGENT, READ_FLEET, READ_SYNC } from './documents.ts';
import type { FleetModel } from './fleet-model.ts';

const POLL_MS = 200;

/** All agents, asked of the server of this turn. */
export async function readFleet(api: Api, first = 0): Promise<AgentView[]> {
  const { agents } = await api.ask<{ agents: { nodes: AgentView[] } }>(READ_FLEET, {}, { first });
  return agents.nodes;
}

/**
 * Waits until every agent is in line with what was asked for last, those that were deleted are gone, and no sync runs.
 * @throws Error with all that is not so when it is not within the deadline
 */
export async function quiet(api: Api, model: FleetModel, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let turn = 0; ; turn++) {
    const restless = await lookForRestless(api, model, turn);
    if (restless.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`It was not quiet within ${timeoutMs} ms:\n${restless.map((each) => `  ${each}`).join('\n')}`);
    await sleep(POLL_MS);
  }
}

/** What is not at rest, in sentences. */
async function lookForRestless(api: Api, model: FleetModel, turn: number): Promise<string[]> {
  const fleet = await readFleet(api, turn);
  const working = fleet.filter((agent) => !isSettled(agent)).map(describeAgent);
  for (const id of model.leaving) {
    const { agent } = await api.ask<{ agent: AgentView | null }>(READ_AGENT, { id }, { first: turn });
    if (agent) working.push(`deleted, and still there: ${describeAgent(agent)}`);
    else model.leaving.delete(id);
  }
  for (const id of model.syncs) {
    const { templateSync } = await api.ask<{ templateSync: { phase: string } | null }>(READ_SYNC, { id });
    if (templateSync?.phase === 'RUNNING') working.push(`sync ${id}: ${JSON.stringify(templateSync)}`);
    else if (templateSync) model.syncs.delete(id);
    else working.push(`sync ${id} was answered and is not there`);
  }
  return working;
}

/** Whether its gateway is in line with what was asked for last. */
export function isSettled({ provisioning }: AgentView): boolean {
  return provisioning.phase === 'SUCCEEDED' && provisioning.observedGeneration === provisioning.generation;
}

function describeAgent({ id, name, kind, status, openclawAgentId, provisioning }: AgentView): string {
  return `${name} (${kind} ${id}, ${openclawAgentId}, ${status}): ${JSON.stringify(provisioning)}`;
}
