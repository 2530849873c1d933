import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Client, connect } from '../gateway-contract/client.ts';
import {
  AdoptAgent,
  CreateAgent,
  DeleteAgent,
  Heartbeat,
  ReadAgent,
  ReadAgentLog,
  ReprovisionAgent,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf, entryOf, workspaceToken } from '../support/workspace.ts';

let mc: MissionControl;
let gateway: Simulator;
let gatewayId: string;
let boardId: string;
/** Somebody else at the gateway. */
let other: Client;
const ends: (() => Promise<unknown>)[] = [];

async function newGateway(): Promise<void> {
  gateway = await startSimulator();
  const { stop } = gateway;
  gatewayId = (await addGateway(mc.owner, gateway, `Gateway ${ends.length}`)).id;
  boardId = (await addBoard(mc.owner, gatewayId, { name: `Board ${ends.length}`, maxAgents: 100 })).id;
  other = await connect(gateway);
  ends.push(stop, other.stop);
}

beforeAll(async () => {
  mc = await startMissionControl();
  await newGateway();
});
afterAll(async () => {
  await mc.stop();
  for (const end of ends.reverse()) await end();
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

/** Deletes an agent here. Resolves when it has left the gateway. */
async function leaves(id: string): Promise<void> {
  await mc.owner.run(DeleteAgent, { id });
  await eventually(
    () => mc.owner.run(ReadAgent, { id }),
    ({ agent }) => agent === null,
  );
}

/** Somebody makes an agent at the gateway. */
async function madeByHand(name: string): Promise<void> {
  await other.call('agents.create', { name });
  await eventually(
    () => gateway.agents(),
    (agents) => agents.some(({ id }) => id === name),
  );
}

/** An agent that has left, is there again, and cannot be removed. @returns how to take that back */
async function isStuck({ id, openclawAgentId }: { id: string; openclawAgentId: string }): Promise<() => void> {
  await leaves(id);
  const message = 'Config write rejected (size-drop:4690->1356) code=CONFIG_WRITE_REJECTED';
  const heal = gateway.faults.add({
    kind: 'refuse',
    method: 'agents.delete',
    when: ({ agentId }) => agentId === openclawAgentId,
    times: 1_000,
    error: { code: 'UNAVAILABLE', message },
  });
  await madeByHand(openclawAgentId);
  return heal;
}

/** Changes the entry of another agent, and waits until that is repaired: all entries have been looked at then. */
async function entriesLookedAt(witness: Awaited<ReturnType<typeof newAgent>>): Promise<void> {
  await patchEntry(witness.openclawAgentId, { name: 'Renamed by hand' });
  expect(await found(witness.id)).toContain('its name was "Renamed by hand"');
  await isWhole(witness);
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
    await leaves(id);
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

  it('is repaired also while an agent that has left is there again and cannot be removed', async () => {
    const [gone, changed] = [await newAgent('Stuck'), await newAgent('Changed')];
    const heal = await isStuck(gone);
    await patchEntry(changed.openclawAgentId, { name: 'Renamed by hand' });
    expect(await found(changed.id)).toContain('its name was "Renamed by hand"');
    await isWhole(changed);
    heal();
    await patchEntry('main', { description: 'the configuration has changed again' });
    await eventually(
      () => entriesOf(gateway),
      (ids) => !ids.includes(gone.openclawAgentId),
    );
  });

  describe('an agent that a person makes with the id of an adopted one that was deleted here', () => {
    /** Adopted, written for, and deleted. */
    async function adoptedAndLeft(openclawAgentId: string): Promise<void> {
      await madeByHand(openclawAgentId);
      const { adoptAgent } = await mc.owner.run(AdoptAgent, { input: { gatewayId, boardId, openclawAgentId } });
      if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
      const { id } = adoptAgent;
      await provisioned(mc.owner, id);
      await mc.owner.run(ReprovisionAgent, { input: { id, force: true } });
      await provisioned(mc.owner, id);
      await leaves(id);
      expect(entriesOf(gateway)).not.toContain(openclawAgentId);
    }

    it('stays, with its work', async () => {
      const witness = await newAgent('Witness');
      await adoptedAndLeft('researcher');
      expect(await mc.prisma.departedAgent.count({ where: { openclawAgentId: 'researcher' } })).toBe(0);
      await madeByHand('researcher');
      const file = { agentId: 'researcher', name: 'MEMORY.md' };
      await other.call('agents.files.set', { ...file, content: 'months of work' });
      await entriesLookedAt(witness);
      expect(entriesOf(gateway)).toContain('researcher');
      expect(await other.call('agents.files.get', file)).toMatchObject({ file: { content: 'months of work' } });
    });

    it('stays also where an earlier version has noted that one as ours', async () => {
      const witness = await newAgent('Later witness');
      await mc.prisma.departedAgent.create({ data: { gatewayId, openclawAgentId: 'gardener' } });
      await madeByHand('gardener');
      await entriesLookedAt(witness);
      expect(entriesOf(gateway)).toContain('gardener');
    });
  });

  it('an agent that is created with the id of one that has left works', async () => {
    const { id } = await newAgent('First');
    await leaves(id);
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
  // One that is lost again and again right after the handshake is given more time each time.
  beforeEach(newGateway);

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

  it('an older token that the agent has noted above our section makes no new one', async () => {
    const agent = await newAgent('Diarist');
    const token = await workspaceToken(agent.workspacePath);
    const { tokenHash } = await mc.prisma.agent.findUniqueOrThrow({ where: { id: agent.id } });
    const note = `My first token was\nMISSION_CONTROL_TOKEN=mca_${'A'.repeat(43)}\n`;
    const file = await readFile(fileOf(agent, 'AGENTS.md'), 'utf8');
    await writeFile(fileOf(agent, 'AGENTS.md'), `${note}\n${file}`);
    // Its documents are looked at, and its run looks at the token again.
    await rm(fileOf(agent, 'USER.md'));
    gateway.dropConnections();
    expect(await found(agent.id)).toBe('Found at the gateway, and repaired: USER.md was not there.');
    const after = await provisioned(mc.owner, agent.id);
    expect(after.provisioning.steps).toContainEqual(
      expect.objectContaining({ name: 'ISSUE_TOKEN', outcome: 'UNCHANGED' }),
    );
    expect(await mc.prisma.agent.findUniqueOrThrow({ where: { id: agent.id } })).toMatchObject({ tokenHash });
    expect((await mc.as(token).run(Heartbeat, { input: {} })).heartbeat).toMatchObject({ id: agent.id });
    expect(await readFile(fileOf(agent, 'AGENTS.md'), 'utf8')).toContain(note);
  });

  it('is found at all others although the file of one cannot be read, which is told', async () => {
    const unreadable = await newAgent('Unreadable');
    // They are looked at in the order in which they were made, some at a time.
    const others = await Promise.all(Array.from({ length: 10 }, (_, number) => newAgent(`Readable ${number}`)));
    const last = others.toSorted((one, two) => (one.id < two.id ? -1 : 1)).at(-1);
    if (!last) expect.fail();
    const message = 'unsafe workspace file "AGENTS.md"';
    gateway.faults.add({
      kind: 'refuse',
      method: 'agents.files.get',
      when: ({ agentId, name }) => agentId === unreadable.openclawAgentId && name === 'AGENTS.md',
      times: 1_000,
      error: { code: 'INVALID_REQUEST', message },
    });
    await rm(fileOf(last, 'USER.md'));
    gateway.dropConnections();
    expect(await found(last.id)).toContain('USER.md was not there');
    await isWhole(last);
    const { agent: failed } = await eventually(
      () => mc.owner.run(ReadAgent, { id: unreadable.id }),
      ({ agent }) => agent?.provisioning.phase === 'FAILED',
    );
    expect(failed?.provisioning).toMatchObject({ nextAttemptAt: null, lastError: { message, retryable: false } });
    const { agent: log } = await mc.owner.run(ReadAgentLog, { id: unreadable.id });
    expect(log?.events.nodes.map((event) => event.message)).toEqual(
      expect.arrayContaining([
        `Found at the gateway: its documents cannot be looked at: ${message}`,
        `FAILED: ${message}`,
      ]),
    );
  });

  it('is found also while an agent that has left is there again and cannot be removed', async () => {
    const agent = await newAgent('Bare');
    await isStuck(await newAgent('Stuck'));
    await rm(fileOf(agent, 'USER.md'));
    gateway.dropConnections();
    expect(await found(agent.id)).toContain('USER.md was not there');
    await isWhole(agent);
    await readFile(fileOf(agent, 'USER.md'));
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
    const again = await connect(gateway);
    ends.push(again.stop);
    const { scratch } = await again.call('cron.scratch.get', { jobId: job?.id });
    expect(scratch).toMatchObject({ content: expect.stringContaining('heartbeat') });
  });
});
