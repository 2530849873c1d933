import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoggedRequest } from '../../src/simulator/server.ts';
import { Client } from '../support/client.ts';
import { AgentEvents } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { ADMIN_TOKEN } from '../support/mission-control.ts';
import { workspaceToken } from '../support/workspace.ts';
import { ask, RefusedRequest } from './api.ts';
import { Dice } from './dice.ts';
import {
  type AgentView,
  DELETE_AGENT,
  HEARTBEAT,
  type Outcome,
  READ_AGENT,
  REPROVISION_AGENT,
  WHO_AM_I,
} from './documents.ts';
import { isSettled } from './quiet.ts';
import { readSettings } from './settings.ts';
import { withWorkspaceToken } from './workspace-tokens.ts';
import { addAgents, addBoard, addGateway, startWorld, type World } from './world.ts';

const { seed } = readSettings(process.env);

/** Slow enough that thirty agents take some seconds. */
const SLOW = { delays: { request: 25, applyConfig: 300 } };
const FLEET = 30;
const DEADLINE_MS = 30_000;

/** A board with thirty agents that are being provisioned: some have documents, others have none. */
async function fleetHalfWay(world: World, gatewayId: string, name: string): Promise<Outcome[]> {
  const boardId = await addBoard(world.api, gatewayId, name);
  const wanted = Array.from({ length: FLEET }, (_, index) => ({ boardId, name: `Worker ${index + 1}` }));
  const agents = await addAgents(world.api, wanted);
  const ids = agents.map((agent) => agent.openclawAgentId);
  await eventually(
    () => ids.filter((id) => writesOf(world).some(({ params }) => params.agentId === id)).length,
    (written) => written >= FLEET / 4,
    DEADLINE_MS,
  );
  return agents;
}

/** The requests that wrote something for agents, oldest first. */
function writesOf({ gateway }: World): LoggedRequest[] {
  const methods = ['config.patch', 'agents.files.set'];
  return gateway.simulator?.requests.filter(({ method }) => methods.includes(method)) ?? [];
}

/** Waits until all are in line with what was asked for. @returns how long it took, in milliseconds */
async function settled(world: World, agents: readonly { id?: string }[], timeoutMs = DEADLINE_MS): Promise<number> {
  const startedAt = performance.now();
  await eventually(
    () =>
      Promise.all(
        agents.map(async ({ id }) => (await world.api.ask<{ agent: AgentView | null }>(READ_AGENT, { id })).agent),
      ).then((all) => all.filter((agent) => agent === null || !isSettled(agent))),
    (unsettled) => unsettled.length === 0,
    timeoutMs,
  );
  return performance.now() - startedAt;
}

/** Every agent has an entry at the gateway, and a token in its workspace by which it is known. */
async function areWhole(world: World, agents: readonly Outcome[]): Promise<void> {
  const entries = Object.keys(await world.gateway.entries());
  for (const { id, openclawAgentId = '', workspacePath = '' } of agents) {
    expect(entries.filter((entry) => entry === openclawAgentId)).toHaveLength(1);
    const viewer = await withWorkspaceToken(workspacePath, (token) => world.api.ask(WHO_AM_I, {}, { token }));
    expect(viewer).toEqual({ viewer: { kind: 'AGENT', agent: { id } } });
  }
}

describe('thirty agents that are being provisioned by one server', () => {
  let world: World;
  let gatewayId: string;

  beforeAll(async () => {
    world = await startWorld('simulator', 1, SLOW);
    gatewayId = await addGateway(world.api, world.gateway);
  });
  afterAll(() => world?.stop());

  it('arrive by themselves within 30 s when their gateway is killed and started again', async () => {
    const agents = await fleetHalfWay(world, gatewayId, 'Gateway killed');
    await world.gateway.restart('kill', 1_000);
    await settled(world, agents);
    await areWhole(world, agents);
    expect(Object.keys(await world.gateway.entries())).toHaveLength(2 + FLEET);
  });

  it('arrive by themselves within 30 s when the server is killed (-9) and started again', async () => {
    const agents = await fleetHalfWay(world, gatewayId, 'Server killed');
    const [server] = world.servers;
    await server?.kill();
    await server?.start();
    await settled(world, agents);
    await areWhole(world, agents);
  });

  it.for(['fast', 'immediate'] as const)('arrive when PostgreSQL is restarted (%s)', async (how) => {
    const agents = await fleetHalfWay(world, gatewayId, `PostgreSQL restarted ${how}`);
    await world.postgres.stop(how);
    await world.postgres.start();
    await settled(world, agents);
    await areWhole(world, agents);
    expect(world.servers.flatMap((server) => server.crashes.splice(0))).toEqual([]);
  });

  it('arrive when PostgreSQL and their gateway are restarted at once', async () => {
    const agents = await fleetHalfWay(world, gatewayId, 'All restarted');
    await Promise.all([world.gateway.restart('kill', 500), world.postgres.stop('fast')]);
    await world.postgres.start();
    await settled(world, agents);
    await areWhole(world, agents);
    expect(world.servers.flatMap((server) => server.crashes.splice(0))).toEqual([]);
  });
});

describe('an agent that is deleted while its registration is under way', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld('simulator', 1, { delays: { applyConfig: 2_000 } });
  });
  afterAll(() => world?.stop());

  it('leaves nothing at its gateway when the connection is cut before the registration is answered', async () => {
    const boardId = await addBoard(world.api, await addGateway(world.api, world.gateway), 'Cut');
    const [agent] = await addAgents(world.api, [{ boardId, name: 'Mayfly' }]);
    const registration = await eventually(
      () => writesOf(world).find(({ params }) => String(params.raw).includes(agent?.openclawAgentId ?? '')),
      (write) => write !== undefined,
    );
    await world.api.ask(DELETE_AGENT, { id: agent?.id });
    world.gateway.network.cut();
    await eventually(
      () => world.api.ask<{ agent: AgentView | null }>(READ_AGENT, { id: agent?.id }),
      ({ agent }) => agent === null,
      DEADLINE_MS,
    );
    await eventually(
      () => registration?.endedAt,
      (endedAt) => endedAt !== null,
    );
    await eventually(
      async () => Object.keys(await world.gateway.entries()),
      (entries) => !entries.includes(agent?.openclawAgentId ?? ''),
      DEADLINE_MS,
    );
  });
});

describe('two servers on one PostgreSQL', () => {
  let world: World;
  let gatewayId: string;
  /** Which connections wrote for a fleet, before and after a server was killed. */
  const writers: { before: Set<string>; after: Set<string> }[] = [];

  beforeAll(async () => {
    world = await startWorld('simulator', 2, SLOW);
    gatewayId = await addGateway(world.api, world.gateway);
  });
  afterAll(() => world?.stop());

  it.for([0, 1])(
    'never write to one gateway at the same time, and one finishes within 15 s what was begun when the other is killed (%i)',
    async (killed) => {
      const first = writesOf(world).length;
      const agents = await fleetHalfWay(world, gatewayId, `Killed ${killed}`);
      const half = writesOf(world).length;
      await world.servers[killed]?.kill();
      const tookMs = await settled(world, agents);
      expect(tookMs).toBeLessThan(15_000);
      const writes = writesOf(world);
      expect(overlaps(writes.slice(first))).toEqual([]);
      const connections = (some: LoggedRequest[]) => new Set(some.map(({ connectionId }) => connectionId));
      writers.push({ before: connections(writes.slice(first, half)), after: connections(writes.slice(half)) });
      await areWhole(world, agents);
      await world.servers[killed]?.start();
    },
  );

  it('took over from one another', () => {
    const changed = writers.filter(({ before, after }) => [...after].some((connectionId) => !before.has(connectionId)));
    expect(changed.length).toBeGreaterThan(0);
  });
});

/** Pairs of writes that were under way at the same moment and came over different connections. */
function overlaps(writes: readonly LoggedRequest[]): [LoggedRequest, LoggedRequest][] {
  return writes.flatMap((one, index) =>
    writes
      .slice(index + 1)
      .filter(
        (other) => other.connectionId !== one.connectionId && other.at < (one.endedAt ?? Number.POSITIVE_INFINITY),
      )
      .map((other): [LoggedRequest, LoggedRequest] => [one, other]),
  );
}

describe('a token that is rotated while the server is killed (-9)', () => {
  let world: World;
  let agent: Outcome;
  /** The steps of a rotation as they are told, in order, each with its outcome. */
  let steps: string[] = [];
  const dice = new Dice(seed);

  beforeAll(async () => {
    world = await startWorld('simulator', 1, { delays: { request: 40 } });
    const boardId = await addBoard(world.api, await addGateway(world.api, world.gateway), 'Rotated');
    const [created] = await addAgents(world.api, [{ boardId, name: 'Wanda' }]);
    if (!created) throw new Error('no agent was created');
    agent = created;
    await settled(world, [agent]);
  });
  afterAll(() => world?.stop());

  it('is another one afterwards, and each of its steps is told', async () => {
    const before = await token();
    const live = follow();
    await live.connected;
    await rotate();
    await settled(world, [agent]);
    await isReplaced(before);
    await live.stop();
    steps = live.received.flatMap(({ value: { agentEvents } }) => stepOf(agentEvents) ?? []);
    expect(steps).toContain('ISSUE_TOKEN CHANGED');
    expect(steps).toContain('WRITE_DOCUMENTS RUNNING');
    expect(steps).toContain('WRITE_DOCUMENTS CHANGED');
  });

  it('works at every moment, whichever step was the last one told', { timeout: 300_000 }, async () => {
    for (const step of new Set(steps)) {
      const before = await token();
      const live = follow();
      await live.connected;
      await rotate();
      await live.first(({ agentEvents }) => stepOf(agentEvents) === step);
      await killAndReportIn();
      await isReplaced(before, step);
      await live.stop();
    }
  });

  it(`works at every moment, whenever it was (FAULTS_SEED=${seed})`, { timeout: 300_000 }, async () => {
    for (let round = 0; round < 10; round++) {
      const before = await token();
      await rotate();
      const ms = dice.integer(0, 800);
      await sleep(ms);
      await killAndReportIn();
      await isReplaced(before, `killed after ${ms} ms`);
    }
  });

  /** Reports in with whatever token the workspace holds, from the moment at which the server listens until it has finished. */
  async function killAndReportIn(): Promise<void> {
    const [server] = world.servers;
    await server?.kill();
    await server?.start();
    let isOver = false;
    const finished = settled(world, [agent]).finally(() => {
      isOver = true;
    });
    do {
      const report = (held: string) => world.api.ask(HEARTBEAT, { input: { status: 'ACTIVE' } }, { token: held });
      expect(await withWorkspaceToken(agent.workspacePath ?? '', report)).toMatchObject({ outcome: { id: agent.id } });
    } while (!isOver);
    await finished;
  }

  async function rotate(): Promise<void> {
    const { outcome } = await world.api.ask<{ outcome: Outcome }>(REPROVISION_AGENT, {
      input: { id: agent.id, rotateToken: true },
    });
    expect(outcome).toMatchObject({ __typename: 'Agent' });
  }

  async function isReplaced(before: string, when = 'undisturbed'): Promise<void> {
    expect(await token(), when).not.toBe(before);
    await expect(ask(world.servers[0]?.url ?? '', WHO_AM_I, {}, before), when).rejects.toThrow(RefusedRequest);
  }

  async function token(): Promise<string> {
    const held = await workspaceToken(agent.workspacePath ?? '');
    if (held === null) throw new Error('the workspace has no token');
    return held;
  }

  const follow = () =>
    new Client(world.servers[0]?.url ?? '', ADMIN_TOKEN).subscribe(AgentEvents, {
      filter: { agentId: agent.id ?? '' },
    });

  const stepOf = ({ step }: { step?: { name: string; outcome: string } | null }) =>
    step ? `${step.name} ${step.outcome}` : null;
});
