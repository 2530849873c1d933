import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { connect } from '../gateway-contract/client.ts';
import {
  AdoptAgent,
  AgentEvents,
  CreateAgent,
  CreateTask,
  DeleteAgent,
  DeleteBoard,
  DeleteGateway,
  Heartbeat,
  PauseAgent,
  ReadAgent,
  ReadAgentLog,
  ReadConnection,
  ReprovisionAgent,
  UpdateAgent,
  UpdateGateway,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf, entryOf, workspaceToken } from '../support/workspace.ts';

const ReadUnmanaged = graphql(`
  query ReadUnmanaged($id: ID!) {
    gateway(id: $id) { unmanagedAgents { openclawAgentId name workspacePath } }
  }
`);

const ReadBoard = graphql(`
  query ReadBoardAndTasks($id: ID!, $taskId: ID!) { board(id: $id) { id } task(id: $taskId) { id } }
`);

let mc: MissionControl;
const started: Simulator[] = [];

beforeAll(async () => {
  mc = await startMissionControl();
});
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.stop();
});
afterAll(async () => {
  await mc.stop();
});

async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const gateway = await startSimulator(options);
  started.push(gateway);
  return gateway;
}

let count = 0;

/** A gateway, its main agent, and a board with agents, all provisioned. */
async function fleet(options: { agents?: number; simulator?: SimulatorOptions } = {}) {
  const gateway = await simulator(options.simulator);
  const { id, mainAgent } = await addGateway(mc.owner, gateway, `Gateway ${++count}`);
  const board = await addBoard(mc.owner, id, { name: `Board ${count}` });
  const agents = await Promise.all(
    Array.from({ length: options.agents ?? 1 }, async (_, number) => {
      const agent = await addAgent(mc.owner, board.id, `Agent ${number}`);
      return provisioned(mc.owner, agent.id);
    }),
  );
  const main = await provisioned(mc.owner, mainAgent?.id ?? '');
  const [agent = main] = agents;
  return { gateway, id, board, agents, agent, main };
}

async function update(input: { id: string } & Record<string, unknown>) {
  const { updateGateway } = await mc.owner.run(UpdateGateway, { input });
  if (updateGateway.__typename !== 'Gateway') expect.fail(JSON.stringify(updateGateway));
  return updateGateway;
}

const isGone = (id: string) =>
  eventually(
    () => mc.owner.run(ReadAgent, { id }),
    ({ agent }) => agent === null,
  );
const beats = async (agent: { workspacePath: string }) =>
  (await mc.as(await workspaceToken(agent.workspacePath)).run(Heartbeat, { input: {} })).heartbeat;

describe('updateGateway', () => {
  it('to another workspace root gives the agents new workspaces', async () => {
    const { gateway, id, agent, main } = await fleet();
    const workspaceRoot = path.join(gateway.stateDir, 'elsewhere');
    await update({ id, workspaceRoot });
    const after = await provisioned(mc.owner, agent.id);
    await provisioned(mc.owner, main.id);
    expect(after.workspacePath).toBe(`${workspaceRoot}/workspace-${agent.openclawAgentId}`);
    expect(entryOf(gateway, agent.openclawAgentId)?.workspace).toBe(after.workspacePath);
    expect(await beats(after)).toMatchObject({ id: agent.id });
    await stat(path.join(after.workspacePath, 'SOUL.md'));
  });

  it('to another URL provisions the agents there, and leaves the first gateway alone', async () => {
    const { gateway, id, agent, main } = await fleet();
    const second = await simulator();
    await update({ id, url: second.url, token: second.token, workspaceRoot: second.stateDir });
    const after = await provisioned(mc.owner, agent.id);
    await provisioned(mc.owner, main.id);
    expect(entriesOf(second).sort()).toEqual(entriesOf(gateway).sort());
    expect(await beats(after)).toMatchObject({ id: agent.id });
    await eventually(
      () => second.runs(),
      (runs) => runs.some((run) => run.agentId === agent.openclawAgentId),
    );
  });

  it('with the right token connects at once, and what had failed goes on', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, { ...gateway, token: 'a wrong token' }, `Gateway ${++count}`);
    const board = await addBoard(mc.owner, id, { name: `Board ${count}` });
    const { id: agentId } = await addAgent(mc.owner, board.id);
    const { agent } = await eventually(
      () => mc.owner.run(ReadAgent, { id: agentId }),
      ({ agent }) => agent?.provisioning.phase === 'FAILED',
    );
    expect(agent?.provisioning).toMatchObject({
      nextAttemptAt: null,
      lastError: { gatewayCode: 'AUTH_TOKEN_MISMATCH', hint: expect.stringContaining('updateGateway') },
    });
    await update({ id, token: gateway.token });
    await provisioned(mc.owner, agentId);
    expect((await mc.owner.run(ReadConnection, { id })).gateway?.connection).toMatchObject({
      state: 'CONNECTED',
      hint: null,
    });
  });

  it('with the same token again changes nothing and keeps the connection', async () => {
    const { gateway, id } = await fleet();
    const before = (await mc.owner.run(ReadConnection, { id })).gateway?.connection.connectedAt;
    await update({ id, token: gateway.token, name: `Renamed ${count}` });
    const after = (await mc.owner.run(ReadConnection, { id })).gateway;
    expect(after).toMatchObject({ name: `Renamed ${count}`, connection: { state: 'CONNECTED', connectedAt: before } });
  });

  it('names who has the name', async () => {
    const [one, two] = [await fleet({ agents: 0 }), await fleet({ agents: 0 })];
    await update({ id: one.id, name: 'Taken' });
    const { updateGateway } = await mc.owner.run(UpdateGateway, { input: { id: two.id, name: 'taken' } });
    expect(updateGateway).toMatchObject({
      __typename: 'ConflictError',
      message: `The gateway ${one.id} is already named "Taken".`,
    });
  });
});

describe('deleteBoard', () => {
  it('answers at once; its tasks are gone, and its agents leave one by one', async () => {
    const { gateway, board, agents, id } = await fleet({ agents: 4, simulator: { delays: { deleteAgent: 150 } } });
    const { createTask } = await mc.owner.run(CreateTask, { input: { boardId: board.id, title: 'Left' } });
    const taskId = createTask.__typename === 'Task' ? createTask.id : '';
    const events = mc.owner.subscribe(AgentEvents, { filter: { boardId: board.id } });
    await events.connected;
    const token = await workspaceToken(agents[0]?.workspacePath ?? '');
    const asked = performance.now();
    expect((await mc.owner.run(DeleteBoard, { id: board.id })).deleteBoard).toEqual({
      __typename: 'Deleted',
      id: board.id,
    });
    expect(performance.now() - asked).toBeLessThan(600);
    expect(await mc.owner.run(ReadBoard, { id: board.id, taskId })).toEqual({ board: null, task: null });
    await expect(mc.as(token).run(Heartbeat, { input: {} })).rejects.toThrow();
    expect((await mc.owner.run(DeleteBoard, { id: board.id })).deleteBoard.__typename).toBe('NotFoundError');
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId: board.id, name: 'Too late' } });
    expect(createAgent.__typename).toBe('NotFoundError');

    await eventually(
      async () => events.received.filter(({ value }) => value.agentEvents.type === 'DELETED').length,
      (left) => left === 4,
    );
    await events.stop();
    for (const agent of agents) await isGone(agent.id);
    expect(entriesOf(gateway)).toHaveLength(1);
    expect(await mc.prisma.board.count({ where: { id: board.id } })).toBe(0);
    // Its name and slug are free for another.
    expect((await addBoard(mc.owner, id, { name: `Board ${count}` })).slug).toBe(board.slug);
  });

  it('without agents is gone with the answer', async () => {
    const { board } = await fleet({ agents: 0 });
    await mc.owner.run(DeleteBoard, { id: board.id });
    expect(await mc.prisma.board.count({ where: { id: board.id } })).toBe(0);
  });
});

describe('deleteGateway', () => {
  it('is refused while it has boards, and with force takes everything with it', async () => {
    const { gateway, id, board, agents, main } = await fleet({ agents: 2 });
    const refused = await mc.owner.run(DeleteGateway, { id });
    expect(refused.deleteGateway).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining('still has a board'),
    });
    expect((await mc.owner.run(DeleteGateway, { id, force: true })).deleteGateway).toEqual({
      __typename: 'Deleted',
      id,
    });
    expect((await mc.owner.run(ReadConnection, { id })).gateway).toBeNull();
    for (const agent of [...agents, main]) await isGone(agent.id);
    expect(entriesOf(gateway)).toEqual([]);
    await eventually(
      () => mc.prisma.gateway.count({ where: { id } }),
      (rows) => rows === 0,
    );
    expect(await mc.prisma.board.count({ where: { id: board.id } })).toBe(0);
  });

  it('that is away leaves when it is back; meanwhile its name is free', async () => {
    const { gateway, id, main } = await fleet({ agents: 0 });
    await mc.prisma.board.deleteMany({ where: { gatewayId: id } });
    await gateway.kill();
    expect((await mc.owner.run(DeleteGateway, { id })).deleteGateway.__typename).toBe('Deleted');
    const again = await addGateway(mc.owner, await simulator(), `Gateway ${count}`);
    expect(again.id).not.toBe(id);
    expect((await mc.owner.run(ReadAgent, { id: main.id })).agent?.status).toBe('DELETED');
    await gateway.start();
    await isGone(main.id);
    expect(entriesOf(gateway)).toEqual([]);
  });

  it('that stays away for a day is forgotten, and says so', async () => {
    const { gateway, id, main } = await fleet({ agents: 0 });
    await mc.prisma.board.deleteMany({ where: { gatewayId: id } });
    const events = mc.owner.subscribe(AgentEvents, { filter: { agentId: main.id } });
    await events.connected;
    await gateway.kill();
    await mc.owner.run(DeleteGateway, { id });
    await mc.prisma.gateway.update({
      where: { id },
      data: { deletionRequestedAt: new Date(Date.now() - 25 * 60 * 60_000) },
    });
    await eventually(
      () => mc.prisma.gateway.count({ where: { id } }),
      (rows) => rows === 0,
      20_000,
    );
    await eventually(
      async () => events.received.map(({ value }) => value.agentEvents).find(({ type }) => type === 'DELETED')?.message,
      (message) => message === 'Left on its gateway, which could not be reached for a day.',
    );
    await events.stop();
  });
});

describe('an agent that is on the gateway already', () => {
  /** An agent that somebody made at the gateway, with a heartbeat and files of its own. */
  async function stranger(gateway: Simulator, name = 'Old Hand') {
    const client = await connect(gateway);
    const { agentId, workspace } = await client.call<{ agentId: string; workspace: string }>('agents.create', { name });
    await eventually(
      () =>
        client.call('agents.files.list', { agentId }).then(
          () => true,
          () => false,
        ),
      (isThere) => isThere,
    );
    await client.call('agents.files.set', { agentId, name: 'SOUL.md', content: 'Old soul.\n' });
    await client.call('agents.files.set', { agentId, name: 'AGENTS.md', content: 'Old rules.\n' });
    const { hash } = await client.call('config.get');
    const entries = { [agentId]: { heartbeat: { every: '10m', target: 'none' } } };
    await client.call('config.patch', { baseHash: hash, raw: JSON.stringify({ agents: { entries } }) });
    await client.stop();
    return { agentId, workspace };
  }
  const soulOf = (workspace: string) => readFile(path.join(workspace, 'SOUL.md'), 'utf8');

  it('is listed, adopted as it is, followed, and released as it was', async () => {
    const { gateway, id, board } = await fleet({ agents: 0 });
    const { agentId, workspace } = await stranger(gateway);
    const { gateway: read } = await mc.owner.run(ReadUnmanaged, { id });
    expect(read?.unmanagedAgents.map(({ openclawAgentId }) => openclawAgentId).sort()).toEqual(
      ['main', agentId].sort(),
    );

    const input = { gatewayId: id, openclawAgentId: agentId, boardId: board.id };
    const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
    expect(adoptAgent).toMatchObject({
      __typename: 'Agent',
      name: 'Old Hand',
      isManaged: false,
      openclawAgentId: agentId,
      workspacePath: workspace,
      heartbeat: { enabled: true, intervalSeconds: 600 },
    });
    if (adoptAgent.__typename !== 'Agent') return;
    const agent = await provisioned(mc.owner, adoptAgent.id);
    expect(agent.status).toBe('READY');
    expect(await soulOf(workspace)).toBe('Old soul.\n');
    expect(await readFile(path.join(workspace, 'AGENTS.md'), 'utf8')).toBe('Old rules.\n');
    expect(gateway.runs().filter((run) => run.agentId === agentId)).toEqual([]);
    // What it does is seen all the same.
    await gateway.beat(agentId);
    await eventually(
      () => mc.owner.run(ReadAgent, { id: agent.id }),
      ({ agent }) => agent?.liveness === 'ONLINE',
    );
    // And its heartbeat can be set.
    await mc.owner.run(UpdateAgent, { input: { id: agent.id, heartbeat: { intervalSeconds: 60 } } });
    await provisioned(mc.owner, agent.id);
    expect(entryOf(gateway, agentId)).toMatchObject({ heartbeat: { every: '60s' } });

    expect((await mc.owner.run(AdoptAgent, { input })).adoptAgent).toMatchObject({
      __typename: 'ConflictError',
      message: `The agent ${agentId} is managed already, as "Old Hand" (${agent.id}).`,
    });
    const refused = await mc.owner.run(ReprovisionAgent, { input: { id: agent.id, rotateToken: true } });
    expect(refused.reprovisionAgent).toMatchObject({
      __typename: 'ValidationError',
      fields: [{ path: 'input.rotateToken' }],
    });

    await mc.owner.run(DeleteAgent, { id: agent.id });
    await isGone(agent.id);
    expect(entriesOf(gateway)).toContain(agentId);
    expect(await soulOf(workspace)).toBe('Old soul.\n');
  });

  it('becomes a managed one with force, keeping its place and what it wrote beside the documents', async () => {
    const { gateway, id, board } = await fleet({ agents: 0 });
    const { agentId, workspace } = await stranger(gateway);
    const input = { gatewayId: id, openclawAgentId: agentId, boardId: board.id, name: 'New Hand' };
    const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
    if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
    await provisioned(mc.owner, adoptAgent.id);
    await mc.owner.run(PauseAgent, { id: adoptAgent.id });
    await provisioned(mc.owner, adoptAgent.id);
    expect(entryOf(gateway, agentId)).toMatchObject({ name: 'New Hand', heartbeat: { every: '0m' } });
    const forced = await mc.owner.run(ReprovisionAgent, { input: { id: adoptAgent.id, force: true } });
    expect(forced.reprovisionAgent).toMatchObject({ isManaged: true });
    const agent = await provisioned(mc.owner, adoptAgent.id);
    expect(agent.workspacePath).toBe(workspace);
    expect(await soulOf(workspace)).not.toBe('Old soul.\n');
    expect(await readFile(path.join(workspace, 'AGENTS.md'), 'utf8')).toContain('Old rules.');
    await writeFile(path.join(workspace, 'MEMORY.md'), 'still mine');
    await mc.owner.run(DeleteAgent, { id: agent.id });
    await isGone(agent.id);
    expect(entriesOf(gateway)).not.toContain(agentId);
  });

  describe('keeps its heartbeat as far as it can be expressed here, and the event tells what is not as it was', () => {
    let home: Awaited<ReturnType<typeof fleet>>;
    beforeEach(async () => {
      home = await fleet({ agents: 0 });
    });

    const ADOPTED = 'Adopted from its gateway.';
    const every = (text: string, seconds: number) => `Its heartbeat was every ${text}, and is every ${seconds} s.`;
    type Beat = { every?: string; target?: string };
    it.each<[Beat | null, seconds: number | null, told: string[]]>([
      [null, null, []],
      [{ target: 'none' }, null, []],
      [{ every: '0m' }, null, []],
      [{ every: '45' }, 2_700, []],
      [{ every: '90s', target: 'none' }, 90, []],
      [{ every: '1h30m' }, 5_400, []],
      [{ every: '0.5h' }, 1_800, []],
      [{ every: '1d' }, 86_400, []],
      [{ every: ' 1D ' }, 86_400, []],
      [{ every: '10s' }, 30, [every('10s', 30)]],
      [{ every: '1500ms' }, 30, [every('1500ms', 30)]],
      [{ every: '48h' }, 86_400, [every('48h', 86_400)]],
      [{ every: '1d1h' }, 86_400, [every('1d1h', 86_400)]],
      [{ every: `\${BEAT}` }, null, [`Its heartbeat was every \${BEAT}, and is off.`]],
      [{ every: '1h 30m' }, null, ['Its heartbeat was every 1h 30m, and is off.']],
      [
        { every: '10m', target: 'last' },
        600,
        ['What it says at a heartbeat went to last, and is not delivered any more.'],
      ],
      [{ every: '0m', target: 'last' }, null, []],
    ])('%j', async (heartbeat, seconds, told) => {
      const { gateway, id, board } = home;
      const { agentId } = await stranger(gateway);
      // As a person's editor writes it: config.patch of the simulator takes less than OpenClaw.
      Object.assign(entryOf(gateway, agentId) ?? expect.fail(), { heartbeat: heartbeat ?? undefined });
      const input = { gatewayId: id, openclawAgentId: agentId, boardId: board.id };
      const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
      expect(adoptAgent).toMatchObject({
        heartbeat: { enabled: seconds !== null, ...(seconds !== null && { intervalSeconds: seconds }) },
      });
      if (adoptAgent.__typename !== 'Agent') return;
      const { agent } = await mc.owner.run(ReadAgentLog, { id: adoptAgent.id });
      const created = agent?.events.nodes.find(({ type }) => type === 'CREATED');
      expect(created?.message).toBe([ADOPTED, ...told].join(' '));
      await provisioned(mc.owner, adoptAgent.id);
      const written = seconds === null ? '0m' : `${seconds}s`;
      expect(entryOf(gateway, agentId)?.heartbeat).toEqual({ every: written, target: 'none' });
    });
  });

  it('and is the gateway’s own leaves here also after it was written for, stays there, and holds no gateway back', async () => {
    const { gateway, id, board } = await fleet({ agents: 0 });
    const adopt = async () => {
      const input = { gatewayId: id, openclawAgentId: 'main', boardId: board.id };
      const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
      if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
      await provisioned(mc.owner, adoptAgent.id);
      await mc.owner.run(ReprovisionAgent, { input: { id: adoptAgent.id, force: true } });
      return provisioned(mc.owner, adoptAgent.id);
    };
    const first = await adopt();
    await mc.owner.run(DeleteAgent, { id: first.id });
    await isGone(first.id);
    expect(gateway.agents().map((agent) => agent.id)).toContain('main');
    expect(await soulOf(first.workspacePath)).not.toBe('');
    // And can be adopted again.
    const second = await adopt();
    await mc.owner.run(DeleteGateway, { id, force: true });
    await isGone(second.id);
    await eventually(
      () => mc.prisma.gateway.count({ where: { id } }),
      (rows) => rows === 0,
    );
    expect(gateway.agents().map((agent) => agent.id)).toEqual(['main']);
  });

  it('is refused for a board of another gateway, one that is not there, and a gateway that is away', async () => {
    const [one, two] = [await fleet({ agents: 0 }), await fleet({ agents: 0 })];
    const ask = async (input: { gatewayId: string; openclawAgentId: string; boardId: string }) =>
      (await mc.owner.run(AdoptAgent, { input })).adoptAgent;
    expect(await ask({ gatewayId: one.id, openclawAgentId: 'main', boardId: two.board.id })).toMatchObject({
      __typename: 'ValidationError',
      fields: [{ path: 'input.boardId' }],
    });
    expect(await ask({ gatewayId: one.id, openclawAgentId: 'nobody', boardId: one.board.id })).toMatchObject({
      __typename: 'NotFoundError',
    });
    await one.gateway.kill();
    expect(await ask({ gatewayId: one.id, openclawAgentId: 'main', boardId: one.board.id })).toMatchObject({
      __typename: 'GatewayError',
      code: 'GATEWAY_UNAVAILABLE',
    });
  });
});
