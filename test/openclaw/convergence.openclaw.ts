import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { agentTokenIn } from '../../src/provisioning/tokens.ts';
import { type Client, connect } from '../gateway-contract/client.ts';
import {
  AdoptAgent,
  CreateAgent,
  DeleteAgent,
  DeleteGateway,
  Heartbeat,
  PauseAgent,
  ReadAgent,
  ReadAgentLog,
  ReprovisionAgent,
  ResumeAgent,
  SyncGatewayTemplates,
  UpdateAgent,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { type FakeModel, startFakeModel } from './fake-model.ts';
import { type OpenClaw, startOpenClaw } from './openclaw.ts';

const ReadSyncPhase = graphql(`
  query ReadSyncPhase($id: ID!) { templateSync(id: $id) { phase total updated unchanged failures { message } } }
`);

/** What variables of the gateway's environment hold. */
const SECRET = 'sk-of-the-machine-that-the-gateway-is-on';

interface Entry {
  name?: string;
  heartbeat?: { every: string };
  identity?: { name?: string; emoji?: string };
}

describe('what is changed of agents, on a real OpenClaw gateway', () => {
  let model: FakeModel;
  let openclaw: OpenClaw;
  let mc: MissionControl;
  let other: Client;
  let gatewayId: string;
  let boardId: string;
  let agent: Awaited<ReturnType<typeof provisioned>>;

  beforeAll(async () => {
    model = await startFakeModel(() => 'OK');
    openclaw = await startOpenClaw({ model, env: { OPENAI_API_KEY: SECRET, MY_KEY: SECRET } });
    mc = await startMissionControl({ CHECKIN_TIMEOUT_SECONDS: '3600' });
    other = await connect(openclaw);
    gatewayId = (await addGateway(mc.owner, openclaw)).id;
    boardId = (await addBoard(mc.owner, gatewayId)).id;
    const { id } = await addAgent(mc.owner, boardId, 'Wanda');
    agent = await provisioned(mc.owner, id, 60_000);
  }, 240_000);
  afterAll(async () => {
    await other?.stop();
    await mc?.stop();
    await openclaw?.dispose();
    await model?.stop();
  });

  const read = async () => (await mc.owner.run(ReadAgent, { id: agent.id })).agent;
  const inLine = () => provisioned(mc.owner, agent.id, 60_000);
  const fileOf = (name: string) => path.join(agent.workspacePath, name);
  const entryOf = async (id = agent.openclawAgentId) => {
    const { agents } = (await openclaw.readConfig()) as { agents: { entries: Record<string, Entry> } };
    return agents.entries[id];
  };
  const token = async () => agentTokenIn(await readFile(fileOf('AGENTS.md'), 'utf8')) ?? '';
  const beat = async () => (await mc.as(await token()).run(Heartbeat, { input: {} })).heartbeat;
  const messages = async () =>
    (await mc.owner.run(ReadAgentLog, { id: agent.id })).agent?.events.nodes.map(({ message }) => message ?? '') ?? [];
  const addLead = async (name: string) => {
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId, name, isBoardLead: true } });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    return createAgent;
  };
  const repaired = (what: string) =>
    eventually(messages, (all) => all.some((message) => message.startsWith('Found') && message.includes(what)), 60_000);

  it('is written where it differs, and an agent in line is not taken for a changed one', async () => {
    await mc.owner.run(UpdateAgent, {
      input: { id: agent.id, name: 'Wilma', identityProfile: { emoji: '🦊' }, heartbeat: { intervalSeconds: 90 } },
    });
    await inLine();
    expect(await entryOf()).toMatchObject({
      name: 'Wilma',
      identity: { name: 'Wilma', emoji: '🦊' },
      heartbeat: { every: '90s', target: 'none' },
    });
    await mc.owner.run(UpdateAgent, { input: { id: agent.id, identityProfile: { emoji: null } } });
    await inLine();
    expect((await entryOf())?.identity).toEqual({ name: 'Wilma' });
    // The gateway told of each of these writes, and was compared with what it should have after it.
    const attempts = (await messages()).filter((message) => message.startsWith('Found'));
    expect(attempts).toEqual([]);
  }, 120_000);

  it('stops when it is paused, and goes on when it is resumed', async () => {
    await mc.owner.run(PauseAgent, { id: agent.id });
    await inLine();
    expect((await entryOf())?.heartbeat).toMatchObject({ every: '0m' });
    expect(await beat()).toMatchObject({ __typename: 'ConflictError' });
    expect((await read())?.status).toBe('PAUSED');
    const turns = model.requests.length;
    await mc.owner.run(ResumeAgent, { id: agent.id });
    await inLine();
    expect((await entryOf())?.heartbeat).toMatchObject({ every: '90s' });
    await eventually(
      () => model.requests.length,
      (now) => now > turns,
      60_000,
    );
    expect(await beat()).toMatchObject({ __typename: 'Agent' });
  }, 180_000);

  it('gets a new token, a new session and all documents when they are asked for', async () => {
    const before = await token();
    await writeFile(fileOf('SOUL.md'), 'mine');
    const input = { id: agent.id, force: true, rotateToken: true, resetSession: true };
    await mc.owner.run(ReprovisionAgent, { input });
    const { provisioning } = await inLine();
    expect(provisioning.steps.map(({ name }) => name)).toContain('RESET_SESSION');
    expect(await token()).not.toBe(before);
    expect(await beat()).toMatchObject({ id: agent.id });
    expect(await readFile(fileOf('SOUL.md'), 'utf8')).not.toBe('mine');
  }, 120_000);

  it('is repaired when somebody else has changed its entry, deleted it, or deleted a document', async () => {
    const { hash } = await other.call('config.get');
    const entries = { [agent.openclawAgentId]: { heartbeat: { every: '10m' } } };
    await other.call('config.patch', { baseHash: hash, raw: JSON.stringify({ agents: { entries } }) });
    await repaired('its heartbeat was');
    await inLine();
    expect((await entryOf())?.heartbeat).toMatchObject({ every: '90s' });

    const turns = model.requests.length;
    await other.call('agents.delete', { agentId: agent.openclawAgentId });
    await repaired('the agent was not there');
    await inLine();
    expect(await beat()).toMatchObject({ id: agent.id });
    // The turn that it is woken with is over: at its beginning the gateway puts documents of its own where some are missing.
    await eventually(
      async () => model.requests.length > turns && (await read())?.status === 'IDLE',
      (isOver) => isOver,
      60_000,
    );

    await rm(fileOf('USER.md'));
    await openclaw.restart();
    await repaired('USER.md was not there');
    await inLine();
    await readFile(fileOf('USER.md'));
  }, 300_000);

  it('is in line with the templates after a sync', async () => {
    const input = { gatewayId, rotateTokens: true, overwrite: true };
    const { syncGatewayTemplates } = await mc.owner.run(SyncGatewayTemplates, { input });
    if (syncGatewayTemplates.__typename !== 'TemplateSync') expect.fail(JSON.stringify(syncGatewayTemplates));
    const { templateSync } = await eventually(
      () => mc.owner.run(ReadSyncPhase, { id: syncGatewayTemplates.id }),
      ({ templateSync }) => templateSync?.phase !== 'RUNNING',
      60_000,
    );
    expect(templateSync).toEqual({ phase: 'SUCCEEDED', total: 2, updated: 2, unchanged: 0, failures: [] });
    expect(await beat()).toMatchObject({ id: agent.id });
  }, 120_000);

  it('takes a second lead after the first, in the same place', async () => {
    const first = await addLead('First');
    await provisioned(mc.owner, first.id, 60_000);
    await mc.owner.run(DeleteAgent, { id: first.id });
    const second = await addLead('Second');
    const lead = await provisioned(mc.owner, second.id, 90_000);
    expect(lead.openclawAgentId).toBe(first.openclawAgentId);
    const file = await readFile(path.join(lead.workspacePath, 'AGENTS.md'), 'utf8');
    const { heartbeat } = await mc.as(agentTokenIn(file)).run(Heartbeat, { input: {} });
    expect(heartbeat).toMatchObject({ id: second.id });
    // Nothing of the gateway's own texts for a new workspace is in it.
    expect(file).not.toContain('Your Workspace');
  }, 180_000);

  it('is named as it is called, and no variable of the gateway’s environment comes in its place', async () => {
    // The gateway has been restarted since.
    await other.stop();
    other = await connect(openclaw);
    const board = await addBoard(mc.owner, gatewayId, { name: 'Curious', lead: 'Lena' });
    const lead = await provisioned(mc.owner, board.lead?.id ?? '', 60_000);
    const asLead = mc.as(agentTokenIn(await readFile(path.join(lead.workspacePath, 'AGENTS.md'), 'utf8')));
    const name = `\${OPENAI_API_KEY}`;
    const input = { boardId: board.id, name, identityProfile: { emoji: `\${MY_KEY}` } };
    const { createAgent } = await asLead.run(CreateAgent, { input });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    const named = await provisioned(mc.owner, createAgent.id, 60_000);
    expect(named.name).toBe(name);
    const agents = async () => JSON.stringify(await other.call('agents.list'));
    expect(await agents()).not.toContain(SECRET);
    expect(await agents()).toContain('$ {OPENAI_API_KEY}');
    // Everything is compared after somebody else has changed an agent, and that one is repaired.
    const repairs = async () => (await messages()).filter((message) => message.startsWith('Found')).length;
    const before = await repairs();
    const { hash } = await other.call('config.get');
    const entries = { [agent.openclawAgentId]: { heartbeat: { every: '11m' } } };
    await other.call('config.patch', { baseHash: hash, raw: JSON.stringify({ agents: { entries } }) });
    await eventually(repairs, (count) => count > before, 60_000);
    await inLine();
    const { agent: log } = await asLead.run(ReadAgentLog, { id: named.id });
    expect(log?.events.nodes.filter(({ message }) => message?.startsWith('Found'))).toEqual([]);
    expect(JSON.stringify([await agents(), log])).not.toContain(SECRET);
  }, 180_000);

  it('that was there before can be adopted and released, and all of ours leave with the gateway', async () => {
    // The gateway has been restarted since.
    await other.stop();
    other = await connect(openclaw);
    const { agentId } = await other.call<{ agentId: string }>('agents.create', { name: 'Old Hand' });
    await eventually(
      () =>
        other.call('agents.files.list', { agentId }).then(
          () => true,
          () => false,
        ),
      (isThere) => isThere,
      60_000,
    );
    const input = { gatewayId, boardId, openclawAgentId: agentId };
    const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
    if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
    await provisioned(mc.owner, adoptAgent.id, 60_000);
    expect((await mc.owner.run(ReadAgent, { id: adoptAgent.id })).agent).toMatchObject({ name: 'Old Hand' });
    await mc.owner.run(DeleteAgent, { id: adoptAgent.id });
    await mc.owner.run(DeleteGateway, { id: gatewayId, force: true });
    await eventually(
      () => mc.prisma.gateway.count(),
      (rows) => rows === 0,
      90_000,
      200,
    );
    const { agents } = (await openclaw.readConfig()) as { agents: { entries: Record<string, Entry> } };
    expect(Object.keys(agents.entries).sort()).toEqual(['main', agentId].sort());
  }, 180_000);
});
