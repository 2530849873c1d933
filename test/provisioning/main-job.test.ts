import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { connect } from '../gateway-contract/client.ts';
import { AgentEvents, DeleteAgent, Heartbeat, ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const Inspect = graphql(`
  query Inspect($id: ID!) {
    agent(id: $id) {
      documents { name content delivery file change }
      files { name missing content }
      gateway { sessions { key label agent { id } } mainAgent { name kind } connection { state serverVersion protocolVersion hint } }
    }
  }
`);

describe('the main job', () => {
  let gateway: Simulator;
  let mc: MissionControl;

  beforeAll(async () => {
    gateway = await startSimulator({ agents: 'live' });
    mc = await startMissionControl();
  });
  afterAll(async () => {
    await mc.stop();
    await gateway.stop();
  });

  it('has an agent back that somebody deletes in the middle of its turn, and leaves nothing of it when it is told to', async () => {
    const busy = await startSimulator({ delays: { model: 600_000 } });
    const board = await addBoard(mc.owner, (await addGateway(mc.owner, busy, 'Busy')).id, { name: 'Busy' });
    const worker = await provisioned(mc.owner, (await addAgent(mc.owner, board.id, 'Bea')).id);
    const isActive = () =>
      eventually(
        async () => (await mc.owner.run(ReadAgent, { id: worker.id })).agent?.status,
        (status) => status === 'ACTIVE',
      );
    await isActive();
    const other = await connect(busy);
    const { openclawAgentId: agentId } = worker;
    const before = new Set(busy.runs().map(({ id }) => id));
    expect(await other.call('agents.delete', { agentId })).toMatchObject({ purgeFailed: true });
    await other.stop();
    await eventually(
      () => busy.runs(),
      (runs) => runs.some((run) => run.agentId === agentId && !before.has(run.id) && run.status === 'running'),
    );
    await provisioned(mc.owner, worker.id);
    await isActive();
    await mc.owner.run(DeleteAgent, { id: worker.id });
    await eventually(
      async () => (await mc.owner.run(ReadAgent, { id: worker.id })).agent,
      (agent) => agent === null,
    );
    await expect(stat(worker.workspacePath)).rejects.toThrow('ENOENT');
    await busy.stop();
  });

  it('removes an agent whose run the gateway has stopped and could not let go of at once', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, gateway, 'Slow to close');
    const board = await addBoard(mc.owner, gatewayId, { name: 'Slow to close' });
    const worker = await provisioned(mc.owner, (await addAgent(mc.owner, board.id, 'Cleo')).id);
    // Measured on OpenClaw 2026.9.6: no sessions can be listed between a delete that failed so and the next one.
    const refusal = (message: string) => ({ code: 'UNAVAILABLE', message, retryable: true });
    let deletes = 0;
    const takeBack = [
      gateway.faults.add({
        method: 'agents.delete',
        kind: 'refuse',
        times: Number.POSITIVE_INFINITY,
        when: () => ++deletes === 1,
        error: refusal('AggregateError: Agent database resource drainage failed'),
      }),
      gateway.faults.add({
        method: 'sessions.list',
        kind: 'refuse',
        times: Number.POSITIVE_INFINITY,
        when: () => deletes < 2,
        error: refusal('Error: Agent database resources are closing: /agents/x/agent/openclaw-agent.sqlite'),
      }),
    ];
    await mc.owner.run(DeleteAgent, { id: worker.id });
    await eventually(
      async () => (await mc.owner.run(ReadAgent, { id: worker.id })).agent,
      (agent) => agent === null,
    );
    for (const back of takeBack) back();
    expect(deletes).toBe(2);
    await expect(stat(worker.workspacePath)).rejects.toThrow('ENOENT');
  });

  it('provisions a board’s lead and worker, sees them report in, and removes one', async () => {
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    const { id: gatewayId, mainAgent } = await addGateway(mc.owner, gateway);
    const board = await addBoard(mc.owner, gatewayId, { lead: 'Lena' });
    const worker = await addAgent(mc.owner, board.id);
    expect(worker.status).toBe('PROVISIONING');
    expect(worker.openclawAgentId).toBe(`mc-${worker.id}`);
    expect(worker.sessionKey).toBe(`agent:mc-${worker.id}:main`);
    expect(worker.workspacePath).toBe(`${gateway.stateDir}/workspace-mc-${worker.id}`);

    for (const id of [mainAgent?.id, board.lead?.id, worker.id]) await provisioned(mc.owner, id ?? '');
    // The living agents were woken, read their token from their workspaces and reported in.
    for (const id of [board.lead?.id, worker.id])
      await live.first(({ agentEvents: event }) => event.agentId === id && event.type === 'HEARTBEAT');

    const { agent } = await mc.owner.run(Inspect, { id: worker.id });
    const tools = agent?.documents.find((document) => document.name === 'TOOLS.md');
    expect(tools).toMatchObject({ delivery: 'SECTION', file: 'AGENTS.md', change: 'UNCHANGED' });
    expect(agent?.documents.find((document) => document.name === 'BOOTSTRAP.md')?.change).toBe('SENT');
    expect(agent?.gateway.connection).toMatchObject({ state: 'CONNECTED', serverVersion: '2026.9.6', hint: null });
    expect(agent?.gateway.mainAgent?.kind).toBe('GATEWAY_MAIN');
    expect(agent?.gateway.sessions).toContainEqual({
      key: worker.sessionKey,
      label: 'Wanda',
      agent: { id: worker.id },
    });

    const onDisk = await readFile(path.join(worker.workspacePath, 'AGENTS.md'), 'utf8');
    expect(onDisk).toMatch(/^MISSION_CONTROL_TOKEN=mca_[\w-]{43}$/m);
    const shown = JSON.stringify(agent);
    expect(shown).not.toMatch(/mca_[\w-]{43}/);
    expect(agent?.files.find((file) => file.name === 'AGENTS.md')?.content).toContain('mca_********');

    const entries = gateway.config().agents as { entries: Record<string, { heartbeat?: object }> };
    expect(entries.entries[worker.openclawAgentId]?.heartbeat).toEqual({ every: '300s', target: 'none' });

    const { deleteAgent } = await mc.owner.run(DeleteAgent, { id: worker.id });
    expect(deleteAgent).toMatchObject({ __typename: 'Agent', status: 'DELETED' });
    await live.first(({ agentEvents: event }) => event.agentId === worker.id && event.type === 'DELETED');
    expect((await mc.owner.run(ReadAgent, { id: worker.id })).agent).toBeNull();
    expect(gateway.agents().map((other) => other.id)).not.toContain(worker.openclawAgentId);
    await expect(stat(worker.workspacePath)).rejects.toThrow('ENOENT');
    await live.stop();
  });

  it('tells of a step before it is done, and of each only once', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, gateway, 'Steps');
    const board = await addBoard(mc.owner, gatewayId, { name: 'Steps' });
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    const worker = await addAgent(mc.owner, board.id, 'Stella');
    await live.first(
      ({ agentEvents: { agentId, step } }) =>
        agentId === worker.id && step?.name === 'WAKE' && step.outcome === 'CHANGED',
    );
    const steps = live.received
      .map(({ value }) => value.agentEvents)
      .filter((event) => event.agentId === worker.id && event.step)
      .map(({ step }) => `${step?.name} ${step?.outcome}`);
    expect(steps).toEqual([
      'REGISTER RUNNING',
      'REGISTER CHANGED',
      'ISSUE_TOKEN CHANGED',
      'RENDER CHANGED',
      'WRITE_DOCUMENTS RUNNING',
      'WRITE_DOCUMENTS CHANGED',
      'PREPARE_SESSION CHANGED',
      'WAKE RUNNING',
      'WAKE CHANGED',
    ]);
    await live.stop();
  });

  it('accepts the token of the workspace, and refuses it from the moment the agent is deleted', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, gateway, 'Tokens');
    const board = await addBoard(mc.owner, gatewayId, { name: 'Tokens' });
    const worker = await addAgent(mc.owner, board.id, 'Tom');
    await provisioned(mc.owner, worker.id);
    const document = await readFile(path.join(worker.workspacePath, 'AGENTS.md'), 'utf8');
    const token = /^MISSION_CONTROL_TOKEN=(\S+)$/m.exec(document)?.[1] ?? '';
    const agent = mc.as(token);
    const { heartbeat } = await agent.run(Heartbeat, { input: { status: 'ACTIVE' } });
    expect(heartbeat).toMatchObject({ id: worker.id, status: 'ACTIVE', liveness: 'ONLINE' });
    await mc.owner.run(DeleteAgent, { id: worker.id });
    const refused = await agent.ask(Heartbeat, { input: {} });
    expect(refused.status).toBe(401);
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('brings a fleet of twelve in line with at most three writes of the gateway’s configuration', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, gateway, 'Many');
    const board = await addBoard(mc.owner, gatewayId, { name: 'Many' });
    const before = gateway.requests.length;
    const workers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => addAgent(mc.owner, board.id, `Worker ${index + 1}`)),
    );
    for (const worker of workers) await provisioned(mc.owner, worker.id);
    const patches = gateway.requests.slice(before).filter((request) => request.method === 'config.patch');
    expect(patches.length).toBeLessThanOrEqual(3);
  });

  it('is told that a gateway is gone, and that it is back', async () => {
    const other = await startSimulator();
    const { id } = await addGateway(mc.owner, other, 'Coming and going');
    const State = graphql(`
      query GatewayState($id: ID!) { gateway(id: $id) { connection { state lastError hint nextAttemptAt } } }
    `);
    const state = async () => (await mc.owner.run(State, { id })).gateway?.connection.state;
    await eventually(state, (now) => now === 'CONNECTED');
    await other.kill();
    await eventually(state, (now) => now === 'UNREACHABLE');
    await other.start();
    await eventually(state, (now) => now === 'CONNECTED');
    await other.stop();
  });
});
