import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import type { Api } from './api.ts';
import { READ_DOCUMENTS, WHO_AM_I } from './documents.ts';
import { type FleetModel, type ModelAgent, modelOf } from './fleet-model.ts';
import type { Entry, GatewayUnderTest } from './gateway-under-test.ts';
import { readFleet } from './quiet.ts';
import { withWorkspaceToken } from './workspace-tokens.ts';

// What has to be so of agents, gateway and workspaces when everything has quietened down.

/** The API shows what was answered, at every server. */
export async function checkFleet(api: Api, model: FleetModel): Promise<void> {
  for (const first of api.endpoints.keys()) {
    const fleet = await readFleet(api, first);
    expect(byId(fleet.map(modelOf)), 'the agents that the API lists').toEqual(byId([...model.agents.values()]));
    for (const { id, name, lastHeartbeatAt } of fleet) {
      const answered = model.heartbeats.get(id);
      if (answered !== undefined && Date.parse(lastHeartbeatAt ?? '') < Date.parse(answered))
        throw new Error(`${name} has reported in at ${answered}, and the API says ${lastHeartbeatAt}.`);
    }
  }
}

function byId(agents: ModelAgent[]): ModelAgent[] {
  return agents.toSorted((one, other) => one.id.localeCompare(other.id));
}

/**
 * The gateway's configuration has one entry for each agent, as asked for, and what was there before.
 * @param before the entries from before there was any agent
 */
export async function checkEntries(
  gateway: GatewayUnderTest,
  model: FleetModel,
  before: Record<string, Entry>,
): Promise<void> {
  const entries = await gateway.entries();
  const agents = [...model.agents.values()];
  const expected = [...Object.keys(before), ...agents.map((agent) => agent.openclawAgentId)];
  expect(Object.keys(entries).sort(), 'the gateway’s entries').toEqual(expected.sort());
  for (const [id, entry] of Object.entries(before)) expect(entries[id], `the entry ${id}`).toMatchObject(entry);
  for (const { name, openclawAgentId, workspacePath, paused, intervalSeconds } of agents)
    expect(entries[openclawAgentId], `the entry of ${name}`).toMatchObject({
      name,
      workspace: workspacePath,
      heartbeat: { every: paused ? '0m' : `${intervalSeconds}s` },
    });
}

/** Every agent is known by the token that it finds in its workspace. */
export function checkTokens(api: Api, model: FleetModel): Promise<void> {
  return ofEach(model, async ({ id, name, workspacePath }, first) => {
    const answer = await withWorkspaceToken(workspacePath, (token) => api.ask(WHO_AM_I, {}, { token, first }));
    expect(answer, `who ${name} is by the token in ${workspacePath}`).toEqual({
      viewer: { kind: 'AGENT', agent: { id } },
    });
  });
}

interface Documents {
  agent: { documents: { name: string; delivery: string; change: string | null }[] } | null;
}

/** Every workspace has what provisioning would write now, and the agent's own soul where one was asked for. */
export function checkDocuments(api: Api, model: FleetModel): Promise<void> {
  return ofEach(model, async ({ id, name, paused, soulTemplate, workspacePath }, first) => {
    const { agent } = await api.ask<Documents>(READ_DOCUMENTS, { id }, { first });
    const unwritten = agent?.documents.filter(
      // One that was paused before it was woken is woken when it goes on.
      ({ change, delivery }) =>
        (change === 'CREATE' || change === 'UPDATE') && !(paused && delivery === 'WAKE_MESSAGE'),
    );
    expect(unwritten, `what is not written for ${name}`).toEqual([]);
    if (soulTemplate === null) return;
    const soul = await readFile(path.join(workspacePath, 'SOUL.md'), 'utf8');
    expect(soul, `the soul of ${name}`).toContain(soulTemplate.replace('{{ agent_name }}', name).trim());
  });
}

async function ofEach(model: FleetModel, check: (agent: ModelAgent, index: number) => Promise<void>): Promise<void> {
  await Promise.all([...model.agents.values()].map(check));
}
