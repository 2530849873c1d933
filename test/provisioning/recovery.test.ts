import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/simulator/faults.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { connect } from '../gateway-contract/client.ts';
import {
  AdoptAgent,
  AgentEvents,
  CreateAgent,
  DeleteAgent,
  Heartbeat,
  ReadAgent,
  ReadAgentLog,
  ReprovisionAgent,
  UpdateAgent,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { entriesOf, entryOf, workspaceToken } from '../support/workspace.ts';

let mc: MissionControl;
const started: Simulator[] = [];

beforeAll(async () => {
  mc = await startMissionControl();
});
afterAll(async () => {
  await mc.stop();
  for (const gateway of started) await gateway.stop();
});

async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const gateway = await startSimulator(options);
  started.push(gateway);
  return gateway;
}

const read = async (id: string) => (await mc.owner.run(ReadAgent, { id })).agent;

/** What goes wrong, without where. */
type FaultKind = Fault extends infer F ? (F extends Fault ? Omit<F, 'method' | 'when' | 'times'> : never) : never;

/** Everything that has to be so of an agent whose provisioning has ended, however it went meanwhile. */
async function isWhole(gateway: Simulator, agentId: string): Promise<void> {
  const agent = await provisioned(mc.owner, agentId, 25_000);
  expect(agent.provisioning).toMatchObject({ attempts: 0, nextAttemptAt: null, lastError: null });
  expect(agent.provisioning.observedGeneration).toBe(agent.provisioning.generation);
  expect(entriesOf(gateway).filter((id) => id === agent.openclawAgentId)).toHaveLength(1);
  const { heartbeat } = await mc
    .as(await workspaceToken(agent.workspacePath))
    .run(Heartbeat, { input: { status: 'ACTIVE' } });
  expect(heartbeat).toMatchObject({ __typename: 'Agent', id: agentId });
}

/** The turns that an agent was woken to. */
const wakeUps = (gateway: Simulator, openclawAgentId: string) =>
  gateway.runs().filter((run) => run.kind === 'chat' && run.agentId === openclawAgentId);

describe('a gateway that fails once', () => {
  const busy = { code: 'UNAVAILABLE', message: 'The server is busy. Please try again in a moment.', retryable: true };
  const usual: Record<string, FaultKind> = {
    refuses: { kind: 'refuse', error: { ...busy, message: 'something passing' } },
    stalls: { kind: 'stall' },
    'does it and drops': { kind: 'perform-then-drop' },
  };
  const further: Record<string, FaultKind> = {
    'is busy': { kind: 'refuse', error: busy },
    drops: { kind: 'drop' },
    'answers late': { kind: 'late', ms: 400 },
    'does it and refuses': { kind: 'perform-then-refuse', error: busy },
  };
  // All of them take three times as long.
  const faults = process.env.ALL_FAULTS ? { ...usual, ...further } : usual;
  const methods = [
    'config.get',
    'config.patch',
    'cron.list',
    'agents.files.get',
    'agents.files.set',
    'cron.scratch.set',
    'sessions.patch',
    'tools.effective',
    'chat.send',
  ];

  describe.for(methods)('at %s', { concurrent: true }, (method) => {
    it.for(Object.keys(faults))('and %s', { concurrent: true, timeout: 60_000 }, async (name) => {
      const gateway = await simulator();
      const fault = faults[name];
      if (!fault) return;
      gateway.faults.add({ ...fault, method });
      const { mainAgent } = await addGateway(mc.owner, gateway, `${method} ${name}`);
      const id = mainAgent?.id ?? '';
      if (fault.kind === 'stall') {
        await eventually(
          () => gateway.requests.some((request) => request.method === method),
          (seen) => seen,
        );
        gateway.dropConnections();
      }
      // The writer of the configuration tries some failures again by itself.
      const isSeen = name === 'refuses' && !method.startsWith('config.');
      if (isSeen) {
        // From the log: it may be over when it is looked for.
        await eventually(
          async () => (await mc.owner.run(ReadAgentLog, { id })).agent?.events.nodes ?? [],
          (events) =>
            events.some(
              ({ message, status }) =>
                message === 'RETRYING: something passing' &&
                // What tools it has is asked while it is woken, so it may work already.
                (status === 'PROVISIONING' || method === 'tools.effective'),
            ),
        );
      }
      await isWhole(gateway, id);
      const openclawAgentId = (await read(id))?.openclawAgentId ?? '';
      expect(entriesOf(gateway)).toEqual([openclawAgentId]);
      expect(wakeUps(gateway, openclawAgentId)).toHaveLength(1);
      expect(gateway.requests.filter((request) => request.method === method).length).toBeGreaterThan(0);
    });
  });
});

describe('a gateway that is away', () => {
  it('makes its agents go on as soon as it is back, long before their next try', { timeout: 60_000 }, async () => {
    const gateway = await simulator();
    await gateway.kill();
    const { mainAgent } = await addGateway(mc.owner, gateway, 'Away');
    const waiting = await eventually(
      () => read(mainAgent?.id ?? ''),
      (agent) => agent?.provisioning.phase === 'RETRYING' && agent.provisioning.attempts >= 4,
      30_000,
    );
    const next = Date.parse(waiting?.provisioning.nextAttemptAt ?? '');
    expect(next - Date.now()).toBeGreaterThan(2_000);
    expect(waiting?.provisioning.lastError?.message).toMatch(/^Nothing listens at /);
    await gateway.start();
    await isWhole(gateway, mainAgent?.id ?? '');
    expect(Date.now()).toBeLessThan(next);
  });

  it('and is restarted while ten agents are provisioned: all arrive, none twice', { timeout: 60_000 }, async () => {
    const gateway = await simulator({ agents: 'live' });
    const { id } = await addGateway(mc.owner, gateway, 'Restarted');
    const board = await addBoard(mc.owner, id, { name: 'Restarted' });
    const agents = await Promise.all(
      Array.from({ length: 10 }, (_, index) => addAgent(mc.owner, board.id, `Worker ${index + 1}`)),
    );
    const ids = new Set(agents.map((agent) => agent.openclawAgentId));
    // Half way: some have documents, others have none.
    await eventually(
      () =>
        new Set(
          gateway.requests
            .filter(({ method }) => method === 'agents.files.set')
            .map(({ params }) => params.agentId)
            .filter((agentId) => ids.has(String(agentId))),
        ).size,
      (count) => count >= 3,
    );
    await gateway.restart({ downMs: 300 });
    for (const agent of agents) await isWhole(gateway, agent.id);
    expect(entriesOf(gateway).filter((agentId) => ids.has(agentId))).toHaveLength(10);
    for (const agentId of ids) expect(wakeUps(gateway, agentId).length).toBeLessThanOrEqual(1);
  });

  it('takes a wake-up that was sent, whose answer was lost and whose text has changed, for sent', async () => {
    const gateway = await simulator();
    const lost = { code: 'UNAVAILABLE', message: 'the answer is lost', retryable: true, retryAfterMs: 60_000 };
    gateway.faults.add({ kind: 'perform-then-refuse', method: 'chat.send', error: lost });
    const { mainAgent } = await addGateway(mc.owner, gateway, 'Lost answer');
    const id = mainAgent?.id ?? '';
    const agent = await eventually(
      () => read(id),
      (now) => now?.provisioning.phase === 'RETRYING',
    );
    expect(Date.parse(agent?.provisioning.nextAttemptAt ?? '') - Date.now()).toBeGreaterThan(30_000);
    const change = { name: 'Renamed', generation: { increment: 1 }, nextAttemptAt: new Date() };
    await mc.prisma.agent.update({ where: { id }, data: change });
    await eventually(
      () => read(id),
      (now) => now?.provisioning.observedGeneration === 2,
    );
    await isWhole(gateway, id);
    expect(wakeUps(gateway, agent?.openclawAgentId ?? '')).toHaveLength(1);
    expect(gateway.requests.filter(({ method }) => method === 'chat.send')).toHaveLength(2);
  });

  it('tries again what only a person could change, when the gateway has come back', { timeout: 60_000 }, async () => {
    const gateway = await simulator();
    const message = 'invalid agents.files.set params: at /content: must be a haiku';
    const heal = gateway.faults.add({
      kind: 'refuse',
      method: 'agents.files.set',
      times: 1_000,
      error: { code: 'INVALID_REQUEST', message },
    });
    const { mainAgent } = await addGateway(mc.owner, gateway, 'Haiku');
    const id = mainAgent?.id ?? '';
    const failed = await eventually(
      () => read(id),
      (agent) => agent?.provisioning.phase === 'FAILED',
    );
    expect(failed?.provisioning).toMatchObject({
      attempts: 1,
      nextAttemptAt: null,
      lastError: { message, code: 'GATEWAY_REJECTED', gatewayCode: 'INVALID_REQUEST', retryable: false },
    });
    expect(failed?.provisioning.lastError?.hint).toMatch(/Update OpenClaw on the gateway/);
    heal();
    await gateway.restart();
    await eventually(
      () => read(id),
      (agent) => agent?.provisioning.phase === 'SUCCEEDED',
    );
    await isWhole(gateway, id);
  });
});

describe('an agent that somebody deleted at the gateway, and that is changed before that is found', () => {
  interface Phoenix {
    id: string;
    openclawAgentId: string;
    workspacePath: string;
  }

  /** A gateway with its main agent and an empty board. */
  async function home(name: string) {
    const gateway = await simulator();
    const { id, mainAgent } = await addGateway(mc.owner, gateway, name);
    const board = await addBoard(mc.owner, id, { name });
    const mainId = mainAgent?.id ?? '';
    await isWhole(gateway, mainId);
    return { gateway, id, mainId, boardId: board.id };
  }

  /** Deletes the agent at the gateway, renames it, and lets the fault strike the run that makes it anew. Resolves when it is in line. */
  async function rise(
    { gateway, mainId }: Awaited<ReturnType<typeof home>>,
    agent: Phoenix,
    fault: Fault,
  ): Promise<void> {
    // A run for another agent, which is under way until all has happened: nothing is compared meanwhile.
    const writes = () => gateway.requests.filter(({ method }) => method === 'agents.files.set').length;
    const written = writes();
    gateway.faults.add({ kind: 'stall', method: 'agents.files.set' });
    await mc.owner.run(ReprovisionAgent, { input: { id: mainId, force: true } });
    await eventually(writes, (count) => count > written);
    const other = await connect(gateway);
    await other.call('agents.delete', { agentId: agent.openclawAgentId });
    await other.stop();
    await mc.owner.run(UpdateAgent, { input: { id: agent.id, name: 'Phoenix II' } });
    let struck = false;
    gateway.faults.add({
      ...fault,
      when: (params) => {
        const isMeant = fault.method === 'cron.list' || JSON.stringify(params).includes(agent.openclawAgentId);
        struck ||= isMeant;
        return isMeant;
      },
    });
    gateway.dropConnections();
    await eventually(
      () => read(agent.id),
      (now) =>
        now?.provisioning.phase === 'SUCCEEDED' && now.provisioning.observedGeneration === now.provisioning.generation,
      25_000,
    );
    await isWhole(gateway, agent.id);
    expect(struck).toBe(true);
  }

  /** All documents are ours, none is the gateway's own for a new agent. */
  async function hasOurDocuments({ workspacePath }: Phoenix): Promise<void> {
    const [agents, ...others] = await Promise.all(
      ['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md'].map((name) =>
        readFile(path.join(workspacePath, name), 'utf8'),
      ),
    );
    expect(agents).toMatch(/^<!-- mission-control:begin TOOLS.md -->/);
    expect(agents).not.toContain('Your Workspace');
    const [soul, identity, user, memory] = others;
    expect(soul).toMatch(/^# Soul\n/);
    expect(identity).toContain('Phoenix II');
    expect(user).toMatch(/^# User\n/);
    expect(memory).toMatch(/^# Memory\n/);
  }

  it.each<[where: string, Fault]>([
    ['right after it was made anew', { method: 'agents.create', kind: 'perform-then-drop' }],
    ['before its entry was written', { method: 'config.patch', kind: 'drop' }],
    ['before its documents were looked at', { method: 'cron.list', kind: 'drop' }],
    ['before its documents were written', { method: 'agents.files.set', kind: 'drop' }],
    ['before it was woken', { method: 'chat.send', kind: 'drop' }],
  ])(
    'gets all documents and is woken, also when the run that makes it anew is cut off %s',
    { timeout: 60_000 },
    async (where, fault) => {
      const place = await home(`Cut off ${where}`);
      const phoenix = await addAgent(mc.owner, place.boardId, 'Phoenix');
      await isWhole(place.gateway, phoenix.id);
      await rise(place, phoenix, fault);
      await hasOurDocuments(phoenix);
      expect(wakeUps(place.gateway, phoenix.openclawAgentId)).toHaveLength(2);
    },
  );

  it('gets all documents also when it was adopted and written for', { timeout: 60_000 }, async () => {
    const place = await home('Adopted');
    const other = await connect(place.gateway);
    await other.call('agents.create', { name: 'old-hand' });
    await eventually(
      () => place.gateway.agents(),
      (agents) => agents.some(({ id }) => id === 'old-hand'),
    );
    await other.stop();
    const input = { gatewayId: place.id, boardId: place.boardId, openclawAgentId: 'old-hand' };
    const { adoptAgent } = await mc.owner.run(AdoptAgent, { input });
    if (adoptAgent.__typename !== 'Agent') expect.fail(JSON.stringify(adoptAgent));
    await provisioned(mc.owner, adoptAgent.id);
    await mc.owner.run(ReprovisionAgent, { input: { id: adoptAgent.id, force: true } });
    await isWhole(place.gateway, adoptAgent.id);
    await rise(place, adoptAgent, { method: 'cron.list', kind: 'drop' });
    await hasOurDocuments(adoptAgent);
  });
});

describe('an agent that is deleted', () => {
  it('while it is provisioned leaves nothing', { timeout: 60_000 }, async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Changed mind');
    const board = await addBoard(mc.owner, id, { name: 'Changed mind' });
    const live = mc.owner.subscribe(AgentEvents, { filter: { boardId: board.id } });
    await live.connected;
    gateway.faults.add({
      kind: 'late',
      ms: 300,
      method: 'agents.files.set',
      times: 4,
      when: ({ agentId }) => String(agentId).startsWith('mc-0'),
    });
    const agent = await addAgent(mc.owner, board.id, 'Mayfly');
    await live.first(({ agentEvents: { step } }) => step?.name === 'WRITE_DOCUMENTS');
    const { deleteAgent } = await mc.owner.run(DeleteAgent, { id: agent.id });
    expect(deleteAgent).toMatchObject({ status: 'DELETED' });
    await live.first(({ agentEvents: { type } }) => type === 'DELETED');
    expect(await read(agent.id)).toBeNull();
    expect(entriesOf(gateway)).not.toContain(agent.openclawAgentId);
    await expect(stat(agent.workspacePath)).rejects.toThrow('ENOENT');
    const statuses = live.received.map(({ value }) => value.agentEvents.status);
    expect(statuses.slice(statuses.indexOf('DELETED')).every((status) => status === 'DELETED')).toBe(true);
    await live.stop();
  });

  it('while its gateway is away is gone for everybody, and leaves when the gateway is back', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Gone');
    const board = await addBoard(mc.owner, id, { name: 'Gone' });
    const agent = await addAgent(mc.owner, board.id, 'Gail');
    await isWhole(gateway, agent.id);
    const token = await workspaceToken(agent.workspacePath);
    await gateway.kill();
    await mc.owner.run(DeleteAgent, { id: agent.id });
    expect((await mc.as(token).ask(Heartbeat, { input: {} })).status).toBe(401);
    const leaving = await eventually(
      () => read(agent.id),
      (now) => now?.provisioning.phase === 'RETRYING',
    );
    expect(leaving).toMatchObject({ status: 'DELETED', provisioning: { lastError: { retryable: true } } });
    const asked = await mc.owner.run(DeleteAgent, { id: agent.id });
    expect(asked.deleteAgent).toMatchObject({ status: 'DELETED' });
    // Its name is free again.
    const { createAgent } = await mc.owner.run(CreateAgent, { input: { boardId: board.id, name: 'Gail' } });
    expect(createAgent.__typename).toBe('Agent');
    await gateway.start();
    await eventually(
      () => read(agent.id),
      (now) => now === null,
    );
    expect(entriesOf(gateway)).not.toContain(agent.openclawAgentId);
  });

  it('makes room for another lead, which has the same place and comes after it', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Succession');
    const board = await addBoard(mc.owner, id, { name: 'Succession', lead: 'Logan' });
    const first = board.lead?.id ?? '';
    await isWhole(gateway, first);
    const before = await read(first);
    const oldToken = await workspaceToken(before?.workspacePath ?? '');
    gateway.delays.deleteAgent = 700;
    await mc.owner.run(DeleteAgent, { id: first });
    const { createAgent } = await mc.owner.run(CreateAgent, {
      input: { boardId: board.id, name: 'Kendall', isBoardLead: true },
    });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    expect(createAgent.openclawAgentId).toBe(before?.openclawAgentId);
    expect(createAgent.workspacePath).toBe(before?.workspacePath);
    await isWhole(gateway, createAgent.id);
    expect(await read(first)).toBeNull();
    expect(entryOf(gateway, createAgent.openclawAgentId)).toMatchObject({ name: 'Kendall' });
    expect((await mc.as(oldToken).ask(Heartbeat, { input: {} })).status).toBe(401);
    const order = gateway.requests
      .filter(({ method, params }) => method === 'agents.delete' || JSON.stringify(params).includes('Kendall'))
      .map(({ method }) => method);
    expect(order[0]).toBe('agents.delete');
  });
});

describe('what an agent wrote itself', () => {
  it('is kept when its documents are written again', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Own');
    const board = await addBoard(mc.owner, id, { name: 'Own', lead: 'Olga' });
    const lead = board.lead?.id ?? '';
    await isWhole(gateway, lead);
    const workspace = (await read(lead))?.workspacePath ?? '';
    const file = (name: string) => path.join(workspace, name);
    const token = await workspaceToken(workspace);
    await writeFile(file('AGENTS.md'), `# Mine\n\n${await readFile(file('AGENTS.md'), 'utf8')}\nLearnt: be brief.\n`);
    await writeFile(file('MEMORY.md'), 'What I remember.\n');
    await writeFile(file('USER.md'), 'Whom I serve.\n');
    await rm(file('SOUL.md'));

    // It writes into AGENTS.md once more, between our reading and our writing.
    let written = false;
    gateway.faults.add({
      kind: 'late',
      ms: 200,
      method: 'agents.files.set',
      when: ({ name }) => {
        if (name !== 'AGENTS.md') return false;
        void readFile(file('AGENTS.md'), 'utf8').then(async (text) => {
          await writeFile(file('AGENTS.md'), `${text}At the same moment.\n`);
          written = true;
        });
        return true;
      },
    });
    await rename(lead, 'Olympia');
    await eventually(
      () => read(lead),
      (agent) => agent?.provisioning.observedGeneration === 2 && agent.provisioning.phase === 'SUCCEEDED',
    );
    expect(written).toBe(true);
    const agents = await readFile(file('AGENTS.md'), 'utf8');
    expect(agents).toMatch(/^# Mine\n/);
    expect(agents).toContain('\nLearnt: be brief.\n');
    expect(agents).toContain('\nAt the same moment.\n');
    expect(agents.match(/mission-control:begin TOOLS\.md/g)).toHaveLength(1);
    expect(agents.match(/mission-control:begin AGENTS\.md/g)).toHaveLength(1);
    expect(await workspaceToken(workspace)).toBe(token);
    expect(await readFile(file('MEMORY.md'), 'utf8')).toBe('What I remember.\n');
    expect(await readFile(file('USER.md'), 'utf8')).toBe('Whom I serve.\n');
    expect(await readFile(file('SOUL.md'), 'utf8')).not.toBe('');
    expect(await readFile(file('IDENTITY.md'), 'utf8')).toContain('Olympia');
    expect(entryOf(gateway, `lead-${board.id}`)).toMatchObject({ name: 'Olympia' });
  });

  it('is not touched by a run that has nothing to write', async () => {
    const gateway = await simulator();
    const { mainAgent } = await addGateway(mc.owner, gateway, 'Idle');
    const id = mainAgent?.id ?? '';
    await isWhole(gateway, id);
    const before = gateway.requests.length;
    await mc.prisma.agent.update({ where: { id }, data: { generation: { increment: 1 }, nextAttemptAt: new Date() } });
    await eventually(
      () => read(id),
      (agent) => agent?.provisioning.observedGeneration === 2,
    );
    const writes = gateway.requests
      .slice(before)
      .map(({ method }) => method)
      .filter((method) => /\.(set|patch|send|create|update|delete)$/.test(method));
    expect(writes).toEqual([]);
  });

  /** As an operator would rename it. */
  const rename = (id: string, name: string) =>
    mc.prisma.agent.update({
      where: { id },
      data: { name, generation: { increment: 1 }, nextAttemptAt: new Date() },
    });
});
