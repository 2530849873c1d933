import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Client, connect } from '../gateway-contract/client.ts';
import { CreateAgent, DeleteAgent, Heartbeat, ReadAgent, ReadAgentLog } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf, entryOf, workspaceToken } from '../support/workspace.ts';

let mc: MissionControl;
let gateway: Simulator;
let boardId: string;
/** Somebody else at the gateway. */
let other: Client;

beforeAll(async () => {
  [mc, gateway] = await Promise.all([startMissionControl(), startSimulator()]);
  const { id } = await addGateway(mc.owner, gateway);
  boardId = (await addBoard(mc.owner, id)).id;
  other = await connect(gateway);
});
afterAll(async () => {
  await other.stop();
  await mc.stop();
  await gateway.stop();
});

async function newAgent(name: string) {
  const { id } = await addAgent(mc.owner, boardId, name);
  return provisioned(mc.owner, id);
}

/** Changes an entry of the gateway's configuration, as a person does with an editor. */
async function patchEntry(openclawAgentId: string, entry: object): Promise<void> {
  const { hash } = await other.call('config.get');
  await other.call('config.patch', {
    baseHash: hash,
    raw: JSON.stringify({ agents: { entries: { [openclawAgentId]: entry } } }),
  });
}

/** The sentence of the event that tells what was found. */
async function found(agentId: string): Promise<string> {
  const events = await eventually(
    async () => (await mc.owner.run(ReadAgentLog, { id: agentId })).agent?.events.nodes ?? [],
    (nodes) => nodes.some(({ type, message }) => type === 'UPDATED' && message?.startsWith('Found at the gateway')),
  );
  return events.findLast(({ type }) => type === 'UPDATED')?.message ?? '';
}

const fileOf = (agent: { workspacePath: string }, name: string) => path.join(agent.workspacePath, name);

async function isWhole(agent: { id: string; workspacePath: string }): Promise<void> {
  const after = await provisioned(mc.owner, agent.id);
  expect(after.provisioning).toMatchObject({ phase: 'SUCCEEDED', generation: 1, lastError: null });
  const token = await workspaceToken(agent.workspacePath);
  expect((await mc.as(token).run(Heartbeat, { input: {} })).heartbeat).toMatchObject({ id: agent.id });
}

describe('what somebody else changes at the gateway', () => {
  it('in the entry of an agent is repaired as soon as the gateway tells of it, and told', async () => {
    const agent = await newAgent('Slowed');
    await patchEntry(agent.openclawAgentId, { heartbeat: { every: '10m' }, name: 'Renamed by hand' });
    const message = await found(agent.id);
    expect(message).toContain('its name was "Renamed by hand"');
    expect(message).toContain('its heartbeat was {"every":"10m","target":"none"}');
    await isWhole(agent);
    expect(entryOf(gateway, agent.openclawAgentId)).toMatchObject({ name: 'Slowed', heartbeat: { every: '300s' } });
  });

  it('an agent that was deleted there comes back, and is woken', async () => {
    const agent = await newAgent('Deleted by hand');
    await other.call('agents.delete', { agentId: agent.openclawAgentId });
    expect(await found(agent.id)).toBe('Found at the gateway, and repaired: the agent was not there.');
    await isWhole(agent);
    expect(gateway.runs().filter((run) => run.agentId === agent.openclawAgentId)).toHaveLength(2);
  });

  it('an agent that has left and comes back, as by a request that was carried out late, is removed again', async () => {
    const agent = await newAgent('Revenant');
    const { id, openclawAgentId } = agent;
    await mc.owner.run(DeleteAgent, { id });
    await eventually(
      () => mc.owner.run(ReadAgent, { id }),
      ({ agent }) => agent === null,
    );
    await other.call('agents.create', { name: openclawAgentId });
    await eventually(
      () => entriesOf(gateway),
      (ids) => ids.includes(openclawAgentId),
    );
    await patchEntry('main', { description: 'the configuration has changed' });
    await eventually(
      () => entriesOf(gateway),
      (ids) => !ids.includes(openclawAgentId),
    );
  });

  it('an agent that is created with the id of one that has left works', async () => {
    const { id } = await newAgent('First');
    await mc.owner.run(DeleteAgent, { id });
    await eventually(
      () => mc.owner.run(ReadAgent, { id }),
      ({ agent }) => agent === null,
    );
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { id, boardId, name: 'Reborn' } });
    expect(createAgent).toMatchObject({ __typename: 'Agent', id });
    const agent = await provisioned(mc.owner, id);
    await isWhole(agent);
    expect(await readFile(fileOf(agent, 'AGENTS.md'), 'utf8')).not.toContain('Your Workspace');
  });

  it('is left alone as long as nothing of ours is concerned', async () => {
    const agent = await newAgent('Tooled');
    await patchEntry(agent.openclawAgentId, { tools: { alsoAllow: ['exec'] } });
    const second = await newAgent('Second');
    await isWhole(second);
    const { agent: log } = await mc.owner.run(ReadAgentLog, { id: agent.id });
    expect(log?.events.nodes.filter(({ type }) => type === 'UPDATED')).toEqual([]);
    expect(entryOf(gateway, agent.openclawAgentId)).toMatchObject({ tools: { alsoAllow: ['exec'] } });
  });
});

describe('what is missing when the gateway is connected again', () => {
  it('documents that were deleted are written again, and the agent’s own edits stay', async () => {
    const agent = await newAgent('Tidy');
    const soul = `${await readFile(fileOf(agent, 'SOUL.md'), 'utf8')}\nI like rain.\n`;
    await writeFile(fileOf(agent, 'SOUL.md'), soul);
    await writeFile(fileOf(agent, 'MEMORY.md'), 'It rained.\n');
    await rm(fileOf(agent, 'USER.md'));
    await rm(fileOf(agent, 'IDENTITY.md'));
    gateway.dropConnections();
    const message = await found(agent.id);
    expect(message).toContain('USER.md was not there');
    expect(message).toContain('IDENTITY.md was not there');
    await isWhole(agent);
    await readFile(fileOf(agent, 'USER.md'));
    expect(await readFile(fileOf(agent, 'IDENTITY.md'), 'utf8')).toContain('Tidy');
    expect(await readFile(fileOf(agent, 'SOUL.md'), 'utf8')).toBe(soul);
    expect(await readFile(fileOf(agent, 'MEMORY.md'), 'utf8')).toBe('It rained.\n');
  });

  it('a section that the agent took out of AGENTS.md is put back, with a token that works', async () => {
    const agent = await newAgent('Careless');
    await writeFile(fileOf(agent, 'AGENTS.md'), 'My own notes.\n');
    gateway.dropConnections();
    expect(await found(agent.id)).toContain('TOOLS.md was not there');
    await isWhole(agent);
    expect(await readFile(fileOf(agent, 'AGENTS.md'), 'utf8')).toContain('My own notes.');
  });

  it('a token that is not the agent’s is replaced', async () => {
    const agent = await newAgent('Borrower');
    const token = await workspaceToken(agent.workspacePath);
    const file = await readFile(fileOf(agent, 'AGENTS.md'), 'utf8');
    await writeFile(fileOf(agent, 'AGENTS.md'), file.replaceAll(token ?? '', `mca_${'x'.repeat(43)}`));
    gateway.dropConnections();
    expect(await found(agent.id)).toContain('TOOLS.md did not have the agent’s token');
    await isWhole(agent);
  });

  it('instructions that were taken from the heartbeat job are given again', async () => {
    const agent = await newAgent('Forgetful');
    const { jobs } = await other.call('cron.list', { agentId: agent.openclawAgentId, includeDisabled: true });
    const [job] = jobs as { id: string }[];
    await other.call('cron.scratch.set', { jobId: job?.id, content: null });
    gateway.dropConnections();
    expect(await found(agent.id)).toContain('HEARTBEAT.md was not there');
    await isWhole(agent);
    const { scratch } = await other.call('cron.scratch.get', { jobId: job?.id });
    expect(scratch).toMatchObject({ content: expect.stringContaining('heartbeat') });
  });
});
