import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import {
  CreateAgent,
  DeleteAgent,
  Heartbeat,
  PauseAgent,
  ReadAgent,
  ReadAgentLog,
  ReprovisionAgent,
  ResumeAgent,
  UpdateAgent,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entryOf, workspaceToken } from '../support/workspace.ts';

let mc: MissionControl;
let gateway: Simulator;
let boardId: string;

beforeAll(async () => {
  [mc, gateway] = await Promise.all([startMissionControl(), startSimulator()]);
  const { id } = await addGateway(mc.owner, gateway);
  boardId = (await addBoard(mc.owner, id)).id;
});
afterAll(async () => {
  await mc.stop();
  await gateway.stop();
});

async function newAgent(name: string) {
  const { id } = await addAgent(mc.owner, boardId, name);
  return provisioned(mc.owner, id);
}

async function update(input: { id: string } & Record<string, unknown>) {
  const { updateAgent } = await mc.owner.run(UpdateAgent, { input });
  if (updateAgent.__typename !== 'Agent') expect.fail(JSON.stringify(updateAgent));
  return updateAgent;
}

const fileOf = (agent: { workspacePath: string }, name: string) => path.join(agent.workspacePath, name);
const readOf = (agent: { workspacePath: string }, name: string) => readFile(fileOf(agent, name), 'utf8');
const messagesOf = async (id: string) =>
  (await mc.owner.run(ReadAgentLog, { id })).agent?.events.nodes.map(({ message }) => message) ?? [];
const stepsOf = (agent: { provisioning: { steps: { name: string; outcome: string; detail: string | null }[] } }) =>
  Object.fromEntries(agent.provisioning.steps.map(({ name, outcome, detail }) => [name, detail ?? outcome]));

describe('updateAgent', () => {
  it('writes what differs and nothing else, and says what was changed', async () => {
    const agent = await newAgent('Before');
    const soul = await readOf(agent, 'SOUL.md');
    await writeFile(fileOf(agent, 'SOUL.md'), `${soul}\nI like rain.\n`);

    const changed = await update({ id: agent.id, name: 'After', heartbeat: { intervalSeconds: 120 } });
    expect(changed.provisioning).toMatchObject({ generation: 2, observedGeneration: 1 });
    const after = await provisioned(mc.owner, agent.id);

    expect(entryOf(gateway, agent.openclawAgentId)).toMatchObject({
      name: 'After',
      identity: { name: 'After' },
      heartbeat: { every: '120s', target: 'none' },
    });
    expect(await readOf(agent, 'IDENTITY.md')).toContain('After');
    expect(await readOf(agent, 'SOUL.md')).toContain('I like rain.');
    expect(stepsOf(after)).toMatchObject({ REGISTER: 'CHANGED', ISSUE_TOKEN: 'UNCHANGED', WAKE: 'UNCHANGED' });
    expect(stepsOf(after).WRITE_DOCUMENTS).toContain('IDENTITY.md');
    expect(stepsOf(after).WRITE_DOCUMENTS).not.toContain('SOUL.md');
    expect(await messagesOf(agent.id)).toContain('Changed: name, heartbeat.');
  });

  it('changes nothing, and asks the gateway nothing, when all is as it was', async () => {
    const agent = await newAgent('Same');
    const same = await update({
      id: agent.id,
      name: 'Same',
      identityProfile: {},
      heartbeat: { enabled: true, intervalSeconds: 300 },
    });
    expect(same.provisioning).toEqual({ phase: 'SUCCEEDED', generation: 1, observedGeneration: 1 });
  });

  it('merges the identity profile; null clears a field', async () => {
    const agent = await newAgent('Profiled');
    await update({
      id: agent.id,
      identityProfile: { role: 'Gardener', tone: 'dry', emoji: '🌱', expertise: ['roses'] },
    });
    await provisioned(mc.owner, agent.id);
    expect(entryOf(gateway, agent.openclawAgentId)?.identity).toEqual({ name: 'Profiled', emoji: '🌱' });
    const { identityProfile } = await update({ id: agent.id, identityProfile: { tone: null, emoji: null } });
    expect(identityProfile).toEqual({ role: 'Gardener', expertise: ['roses'], tone: null, emoji: null });
    await provisioned(mc.owner, agent.id);
    expect(entryOf(gateway, agent.openclawAgentId)?.identity).toEqual({ name: 'Profiled' });
    expect(await readOf(agent, 'IDENTITY.md')).not.toContain('🌱');
  });

  it('with a template of its own takes the place of the built-in one, and null gives it back', async () => {
    const agent = await newAgent('Templated');
    const builtIn = await readOf(agent, 'SOUL.md');
    await update({ id: agent.id, soulTemplate: 'I am {{ agent_name }}, and calm.' });
    await provisioned(mc.owner, agent.id);
    expect(await readOf(agent, 'SOUL.md')).toBe('I am Templated, and calm.\n');
    await update({ id: agent.id, soulTemplate: null });
    await provisioned(mc.owner, agent.id);
    expect(await readOf(agent, 'SOUL.md')).toBe(builtIn);
  });

  it('takes a template with a variable that comes of the agent’s own extra fields, as createAgent does', async () => {
    const identityTemplate = 'I like {{ identity_favourite_colour }}.';
    const identityProfile = { role: 'Painter', extra: { 'Favourite colour': 'blue' } };
    const { createAgent } = await mc.owner.run(CreateAgent, {
      input: { boardId, name: 'Colourful', identityProfile, identityTemplate },
    });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    const agent = await provisioned(mc.owner, createAgent.id);
    expect(await readOf(agent, 'IDENTITY.md')).toBe('I like blue.\n');
    // The field is stored already, and comes with the template.
    await update({ id: agent.id, soulTemplate: 'Calm as {{ identity_favourite_colour }}.' });
    await provisioned(mc.owner, agent.id);
    expect(await readOf(agent, 'SOUL.md')).toBe('Calm as blue.\n');
    const extra = { Weather: 'rain', 'Favourite colour': 'grey' };
    await update({ id: agent.id, identityProfile: { extra }, soulTemplate: '{{ identity_weather }}' });
    await provisioned(mc.owner, agent.id);
    expect(await readOf(agent, 'SOUL.md')).toBe('rain\n');
    expect(await readOf(agent, 'IDENTITY.md')).toBe('I like grey.\n');
  });

  it('does not take a field from the profile that a template of the agent uses, and then changes nothing', async () => {
    const templates = {
      identityTemplate: 'I like {{ identity_colour }}.',
      soulTemplate: 'Calm in {{ identity_weather }}.',
    };
    const identityProfile = { extra: { colour: 'blue', weather: 'rain' } };
    const { createAgent } = await mc.owner.run(CreateAgent, {
      input: { boardId, name: 'Held', identityProfile, ...templates },
    });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    const { id } = createAgent;
    await provisioned(mc.owner, id);
    const stored = () => mc.prisma.agent.findUniqueOrThrow({ where: { id } });
    const before = await stored();
    const refused = async (input: Record<string, unknown>, problems: Record<string, string>) => {
      const { updateAgent } = await mc.owner.run(UpdateAgent, { input: { id, name: 'Let go', ...input } });
      expect(updateAgent).toMatchObject({
        __typename: 'ValidationError',
        fields: Object.entries(problems).map(([path, name]) => ({ path, message: expect.stringContaining(name) })),
      });
    };
    await refused(
      { identityProfile: { extra: null } },
      { 'input.identityTemplate': 'identity_colour', 'input.soulTemplate': 'identity_weather' },
    );
    await refused({ identityProfile: { extra: { colour: 'red' } } }, { 'input.soulTemplate': 'identity_weather' });
    // With the template it may go, or with another one that does not use it; not with one that uses it.
    await refused(
      { identityProfile: { extra: { weather: 'sun' } }, identityTemplate: '{{ identity_colour }}' },
      { 'input.identityTemplate': 'identity_colour' },
    );
    expect(await stored()).toEqual(before);
    await update({ id, identityProfile: { extra: null, role: 'Free' }, identityTemplate: null, soulTemplate: 'Calm.' });
    const agent = await provisioned(mc.owner, id);
    expect(await readOf(agent, 'SOUL.md')).toBe('Calm.\n');
  });

  it('with force writes all documents, also over what the agent has made of them, with the token that it has', async () => {
    const agent = await newAgent('Forced');
    const token = await workspaceToken(agent.workspacePath);
    for (const name of ['SOUL.md', 'MEMORY.md', 'USER.md']) await writeFile(fileOf(agent, name), 'mine');
    await update({ id: agent.id, force: true });
    const after = await provisioned(mc.owner, agent.id);
    for (const name of ['SOUL.md', 'MEMORY.md', 'USER.md']) expect(await readOf(agent, name)).not.toBe('mine');
    expect(stepsOf(after).WRITE_DOCUMENTS).toContain('MEMORY.md');
    expect(await workspaceToken(agent.workspacePath)).toBe(token);
    expect((await provisioned(mc.owner, agent.id)).provisioning.generation).toBe(2);
    // Once: another change leaves what the agent writes now.
    await writeFile(fileOf(agent, 'MEMORY.md'), 'mine');
    await update({ id: agent.id, name: 'Forced once' });
    await provisioned(mc.owner, agent.id);
    expect(await readOf(agent, 'MEMORY.md')).toBe('mine');
  });

  it('names who has the name, and what is wrong', async () => {
    const [one, two] = await Promise.all([newAgent('Taken'), newAgent('Free')]);
    const conflict = await mc.owner.run(UpdateAgent, { input: { id: two.id, name: 'TAKEN' } });
    expect(conflict.updateAgent).toMatchObject({
      __typename: 'ConflictError',
      message: `The agent ${one.id} of this board is already named "Taken".`,
    });
    const wrong = await mc.owner.run(UpdateAgent, {
      input: { id: two.id, soulTemplate: '{{ nothing }}', heartbeat: { intervalSeconds: 5 }, name: ' ' },
    });
    expect(wrong.updateAgent).toMatchObject({ __typename: 'ValidationError' });
    const leaving = await mc.owner.run(DeleteAgent, { id: two.id });
    expect(leaving.deleteAgent.__typename).toBe('Agent');
    const late = await mc.owner.run(UpdateAgent, { input: { id: two.id, name: 'Later' } });
    expect(['ConflictError', 'NotFoundError']).toContain(late.updateAgent.__typename);
    expect((await mc.owner.run(ReadAgent, { id: one.id })).agent?.provisioning.generation).toBe(1);
  });
});

describe('pauseAgent and resumeAgent', () => {
  it('stop the heartbeats and the run under way, and let it go on with a wake-up', async () => {
    const agent = await newAgent('Sleepy');
    const token = await workspaceToken(agent.workspacePath);
    expect((await mc.owner.run(PauseAgent, { id: agent.id })).pauseAgent).toMatchObject({ status: 'PAUSED' });
    // Asked twice, nothing more happens.
    expect((await mc.owner.run(PauseAgent, { id: agent.id })).pauseAgent).toMatchObject({ status: 'PAUSED' });
    const paused = await provisioned(mc.owner, agent.id);
    expect(paused).toMatchObject({ status: 'PAUSED', provisioning: { generation: 2 } });
    expect(entryOf(gateway, agent.openclawAgentId)?.heartbeat).toMatchObject({ every: '0m' });

    const beat = await mc.as(token).run(Heartbeat, { input: { status: 'ACTIVE' } });
    expect(beat.heartbeat).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining('paused') });
    expect((await mc.owner.run(ReadAgent, { id: agent.id })).agent?.status).toBe('PAUSED');

    const before = gateway.runs().filter((run) => run.agentId === agent.openclawAgentId).length;
    expect((await mc.owner.run(ResumeAgent, { id: agent.id })).resumeAgent).toMatchObject({ status: 'READY' });
    expect((await mc.owner.run(ResumeAgent, { id: agent.id })).resumeAgent.__typename).toBe('Agent');
    await provisioned(mc.owner, agent.id);
    expect(entryOf(gateway, agent.openclawAgentId)?.heartbeat).toMatchObject({ every: '300s' });
    await eventually(
      async () => gateway.runs().filter((run) => run.agentId === agent.openclawAgentId).length,
      (runs) => runs === before + 1,
    );
    expect((await mc.as(token).run(Heartbeat, { input: { status: 'IDLE' } })).heartbeat).toMatchObject({
      status: 'IDLE',
    });
  });

  it('abort the run under way', async () => {
    const agent = await newAgent('Busy');
    gateway.delays.model = 20_000;
    const before = gateway.runs().length;
    await mc.owner.run(ReprovisionAgent, { input: { id: agent.id, resetSession: true } });
    await eventually(
      async () => gateway.runs().length,
      (runs) => runs > before,
    );
    gateway.delays.model = 5;
    await provisioned(mc.owner, agent.id);
    await mc.owner.run(PauseAgent, { id: agent.id });
    const paused = await provisioned(mc.owner, agent.id);
    expect(stepsOf(paused).PREPARE_SESSION).toBe('the run under way was stopped');
    expect(paused.status).toBe('PAUSED');
  });

  it('keep an agent asleep that was paused before it was ever woken', async () => {
    await gateway.kill();
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId, name: 'Never woken' } });
    if (createAgent.__typename !== 'Agent') expect.fail();
    await mc.owner.run(PauseAgent, { id: createAgent.id });
    await gateway.start();
    const agent = await provisioned(mc.owner, createAgent.id);
    expect(agent.status).toBe('PAUSED');
    expect(stepsOf(agent).WAKE).toBe('not woken: it is paused');
    expect(gateway.runs().filter((run) => run.agentId === agent.openclawAgentId)).toEqual([]);
    await mc.owner.run(ResumeAgent, { id: agent.id });
    await provisioned(mc.owner, agent.id);
    expect(gateway.runs().filter((run) => run.agentId === agent.openclawAgentId)).toHaveLength(1);
  });
});

describe('reprovisionAgent', () => {
  it('gives a new token, of which the old one works until the new one is there', async () => {
    const agent = await newAgent('Rotated');
    const old = await workspaceToken(agent.workspacePath);
    await mc.owner.run(ReprovisionAgent, { input: { id: agent.id, rotateToken: true } });
    await provisioned(mc.owner, agent.id);
    const token = await workspaceToken(agent.workspacePath);
    expect(token).not.toBe(old);
    expect((await mc.as(token).run(Heartbeat, { input: {} })).heartbeat).toMatchObject({ id: agent.id });
    await expect(mc.as(old).run(Heartbeat, { input: {} })).rejects.toThrow();
    // Once: the next run keeps it.
    await mc.owner.run(ReprovisionAgent, { input: { id: agent.id } });
    await provisioned(mc.owner, agent.id);
    expect(await workspaceToken(agent.workspacePath)).toBe(token);
  });

  it('begins the session afresh and wakes the agent', async () => {
    const agent = await newAgent('Fresh');
    await mc.owner.run(ReprovisionAgent, { input: { id: agent.id, resetSession: true } });
    const after = await provisioned(mc.owner, agent.id);
    expect(stepsOf(after)).toMatchObject({ RESET_SESSION: 'CHANGED', WAKE: 'CHANGED' });
    const resets = gateway.requests.filter(({ method }) => method === 'sessions.reset');
    expect(resets.at(-1)?.params).toMatchObject({ key: agent.sessionKey });
    expect(await messagesOf(agent.id)).toContain('Reprovisioning was asked for, with a new session.');
  });
});
