import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { WakeAgent } from '../api/documents.ts';
import {
  Heartbeat,
  PauseAgent,
  ReadAgent,
  ReadAgentLog,
  ReadConnection,
  ResumeAgent,
  UpdateAgent,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { workspaceToken } from '../support/workspace.ts';

const TIMEOUT_MS = 5_000;
/** Enough for the three times that it takes until an agent is given up. Five run side by side: the longest come first. */
const LONG = { timeout: 90_000, concurrent: true } as const;
/** For one step of them, on a machine that has other things to do. */
const PATIENCE_MS = 40_000;

let mc: MissionControl;
const started: Simulator[] = [];

beforeAll(async () => {
  mc = await startMissionControl({ CHECKIN_TIMEOUT_SECONDS: String(TIMEOUT_MS / 1_000) });
});
afterAll(async () => {
  await mc.stop();
  for (const gateway of started) await gateway.stop();
});

interface Agent {
  id: string;
  openclawAgentId: string;
  workspacePath: string;
}

/** A gateway with an agent that was provisioned and, where there is a model, woken once. */
async function fleetOf(name: string, options: SimulatorOptions & { silent?: boolean } = {}) {
  const gateway = await startSimulator(options);
  started.push(gateway);
  const speak = options.silent ? silence(gateway) : () => undefined;
  const { id } = await addGateway(mc.owner, gateway, name);
  const board = await addBoard(mc.owner, id, { name });
  const agent = await addAgent(mc.owner, board.id, name);
  return {
    gateway,
    gatewayId: id,
    boardId: board.id,
    agent: await provisioned(mc.owner, agent.id, PATIENCE_MS),
    speak,
  };
}

/** Messages are taken, and nothing ever comes of them, as when an agent hangs. Returns how to end that. */
function silence(gateway: Simulator): () => void {
  return gateway.faults.add({
    kind: 'answer',
    method: 'chat.send',
    payload: { runId: 'of-an-agent-that-hangs', status: 'started' },
    times: Number.POSITIVE_INFINITY,
  });
}

/** The messages to an agent that its gateway was given. */
const sent = (gateway: Simulator, { openclawAgentId }: Agent) =>
  gateway.requests.filter(
    ({ method, params }) => method === 'chat.send' && params.sessionKey === `agent:${openclawAgentId}:main`,
  );
const isSent = (times: number, gateway: Simulator, agent: Agent) =>
  eventually(
    () => sent(gateway, agent).length,
    (count) => count >= times,
    PATIENCE_MS,
  );

const read = async ({ id }: Agent) => (await mc.owner.run(ReadAgent, { id })).agent;
const becomes = (liveness: 'ONLINE' | 'OFFLINE', agent: Agent) =>
  eventually(
    () => read(agent),
    (now) => now?.liveness === liveness,
    PATIENCE_MS,
  );
const logOf = async ({ id }: Agent) => (await mc.owner.run(ReadAgentLog, { id })).agent?.events.nodes ?? [];
/** The sentences that tell of a renewed wake-up. */
const renewals = async (agent: Agent) =>
  (await logOf(agent)).flatMap(({ type, message }) =>
    type === 'UPDATED' && message?.startsWith('No sign of life') ? [message] : [],
  );
const wake = async ({ id }: Agent) => (await mc.owner.run(WakeAgent, { id })).wakeAgent;

/**
 * Resolves when an agent elsewhere, that was woken after all that has happened so far and is silent, was woken again: by
 * then everybody was looked at for whom it was time.
 */
async function timeHasPassed(name: string): Promise<void> {
  const { gateway, agent } = await fleetOf(`Witness of ${name}`, { silent: true });
  await isSent(2, gateway, agent);
}

describe('an agent that shows no sign of life after a wake-up', () => {
  it('is woken three times in all, each time with a message of its own, and is then OFFLINE', LONG, async () => {
    const { gateway, agent, speak } = await fleetOf('Silent', { silent: true });
    const offline = await becomes('OFFLINE', agent);
    expect(offline).toMatchObject({ status: 'READY', lastSeenAt: null, provisioning: { phase: 'SUCCEEDED' } });

    const messages = sent(gateway, agent);
    expect(messages.map(({ params }) => params.idempotencyKey)).toEqual(
      [1, 2, 3].map((count) => `mc-wake-${agent.id}-${count}`),
    );
    for (const { params } of messages) expect(params.message).toBe(messages[0]?.params.message);
    const pauses = messages.slice(1).map(({ at }, index) => at - (messages[index]?.at ?? 0));
    // What is sent is stored a moment later.
    for (const pause of pauses) expect(pause).toBeGreaterThan(TIMEOUT_MS - 50);

    expect(await renewals(agent)).toEqual([
      'No sign of life within 5 s of the wake-up: it is woken again (2 of 3).',
      'No sign of life within 5 s of the wake-up: it is woken again (3 of 3).',
    ]);
    expect((await logOf(agent)).filter(({ type }) => type === 'LIVENESS_CHANGED')).toMatchObject([
      {
        liveness: 'OFFLINE',
        status: 'READY',
        message:
          'No sign of life after 3 wake-ups. Look at what its session at the gateway says, or wake it with wakeAgent.',
      },
    ]);

    // Nobody waits for it any more; asked for, it is woken again.
    expect(await mc.prisma.agent.findUnique({ where: { id: agent.id } })).toMatchObject({ wakeAttempts: 0 });
    speak();
    expect(await wake(agent)).toMatchObject({ __typename: 'Agent' });
    expect(await becomes('ONLINE', agent)).toMatchObject({ status: expect.stringMatching(/ACTIVE|IDLE/) });
  });

  it('is not taken for silent while its turn waits at the gateway for those of others', LONG, async () => {
    // The main agent's turn comes first, and takes three times as long as the others are waited for.
    const { gateway, agent } = await fleetOf('Queued', { concurrentRuns: 1, delays: { model: 3 * TIMEOUT_MS } });
    const seen = await becomes('ONLINE', agent);
    expect(seen).toMatchObject({ status: 'ACTIVE' });
    expect(sent(gateway, agent)).toHaveLength(1);
    expect(await renewals(agent)).toEqual([]);
  });

  it('is not woken any more when it reports in, or when a run of it is seen at its gateway', LONG, async () => {
    const { gateway, boardId, agent: reporter } = await fleetOf('Slow', { silent: true });
    const [runner, silent] = await Promise.all([
      addAgent(mc.owner, boardId, 'Runner'),
      addAgent(mc.owner, boardId, 'Silent'),
    ]);
    const reportsIn = isSent(2, gateway, reporter).then(async () => {
      const token = await workspaceToken(reporter.workspacePath);
      expect((await mc.as(token).run(Heartbeat, { input: {} })).heartbeat).toMatchObject({ liveness: 'ONLINE' });
    });
    const runs = isSent(2, gateway, runner).then(async () => {
      await gateway.beat(runner.openclawAgentId);
      await becomes('ONLINE', runner);
    });
    await Promise.all([reportsIn, runs]);

    await becomes('OFFLINE', silent);
    for (const agent of [reporter, runner]) {
      expect(sent(gateway, agent)).toHaveLength(2);
      expect(await renewals(agent)).toHaveLength(1);
      expect(await read(agent)).toMatchObject({ liveness: 'ONLINE', status: 'IDLE' });
    }
  });

  it('is not woken while its gateway is away, and has the whole time again when that is back', LONG, async () => {
    const { gateway, gatewayId, agent } = await fleetOf('Away', { silent: true });
    const connection = async () => (await mc.owner.run(ReadConnection, { id: gatewayId })).gateway?.connection;
    await gateway.kill();
    await eventually(connection, (now) => now?.state === 'UNREACHABLE');
    await timeHasPassed('Away');
    expect(await renewals(agent)).toEqual([]);
    expect((await read(agent))?.provisioning).toMatchObject({ phase: 'SUCCEEDED', attempts: 0 });

    await gateway.start();
    const back = await eventually(connection, (now) => now?.state === 'CONNECTED');
    await isSent(2, gateway, agent);
    const again = sent(gateway, agent)[1]?.at ?? 0;
    expect(again - Date.parse(back?.connectedAt ?? '')).toBeGreaterThan(TIMEOUT_MS - 50);
  });

  it('is not woken again while its gateway has lost its model, and is as soon as that has one', LONG, async () => {
    const { gateway, gatewayId, agent } = await fleetOf('Lost model', { silent: true });
    await gateway.configureModel(false);
    await gateway.restart();
    await eventually(
      () => mc.owner.run(ReadConnection, { id: gatewayId }),
      (now) => now.gateway?.connection.hint?.includes('no usable model') === true,
    );
    await timeHasPassed('Lost model');
    expect(sent(gateway, agent)).toHaveLength(1);
    expect(await renewals(agent)).toEqual([]);
    expect(await wake(agent)).toMatchObject({ __typename: 'GatewayError' });
    await gateway.configureModel(true);
    await isSent(2, gateway, agent);
    expect(await renewals(agent)).toHaveLength(1);
  });

  it('is left alone when its provisioning has failed since, until somebody changes that', LONG, async () => {
    const { gateway, agent } = await fleetOf('Failed', { silent: true });
    const heal = gateway.faults.add({
      kind: 'refuse',
      method: 'agents.files.set',
      times: Number.POSITIVE_INFINITY,
      error: { code: 'INVALID_REQUEST', message: 'must be a haiku' },
    });
    await mc.owner.run(UpdateAgent, { input: { id: agent.id, soulTemplate: 'I am prose.' } });
    const failed = () =>
      eventually(
        () => read(agent),
        (now) => now?.provisioning.phase === 'FAILED',
      );
    expect(await failed()).toMatchObject({ provisioning: { lastError: { retryable: false } } });
    await timeHasPassed('Failed');
    expect(await failed()).toMatchObject({ provisioning: { attempts: 1 } });
    expect(await renewals(agent)).toEqual([]);
    expect(sent(gateway, agent)).toHaveLength(1);
    heal();
    await mc.owner.run(UpdateAgent, { input: { id: agent.id, soulTemplate: null } });
    await isSent(2, gateway, agent);
  });

  it('is left alone while it is paused, and woken when it goes on', LONG, async () => {
    const { gateway, agent } = await fleetOf('Paused', { silent: true });
    await mc.owner.run(PauseAgent, { id: agent.id });
    expect(await provisioned(mc.owner, agent.id)).toMatchObject({ status: 'PAUSED' });
    await timeHasPassed('Paused');
    expect(sent(gateway, agent)).toHaveLength(1);
    expect(await renewals(agent)).toEqual([]);
    expect(await wake(agent)).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining('resumeAgent'),
    });
    await mc.owner.run(ResumeAgent, { id: agent.id });
    await isSent(2, gateway, agent);
    expect(await renewals(agent)).toEqual([]);
  });

  it('has its renewed wake-up run by the gateway, and is ONLINE with it', LONG, async () => {
    const { gateway, agent, speak } = await fleetOf('Deaf', { silent: true });
    speak();
    expect(await becomes('ONLINE', agent)).toMatchObject({ status: expect.stringMatching(/ACTIVE|IDLE/) });
    const runs = gateway.runs().filter((run) => run.agentId === agent.openclawAgentId);
    expect(runs.map((run) => run.id)).toEqual([`mc-wake-${agent.id}-2`]);
  });

  it(
    'and that has no usable model is not woken, which wakeAgent explains, and is when its gateway has one',
    LONG,
    async () => {
      const { gateway, agent } = await fleetOf('No model', { modelConfigured: false });
      const steps = (await read(agent))?.provisioning.steps;
      expect(steps?.find(({ name }) => name === 'WAKE')).toMatchObject({
        outcome: 'UNCHANGED',
        detail: 'not woken: the gateway has no usable model',
      });
      expect(await wake(agent)).toMatchObject({
        __typename: 'GatewayError',
        code: 'GATEWAY_UNAVAILABLE',
        message: 'The gateway has no usable model, so its agents cannot run.',
        retryable: true,
        hint: expect.stringContaining('openclaw models set'),
      });
      expect(sent(gateway, agent)).toEqual([]);
      await gateway.configureModel(true);
      await becomes('ONLINE', agent);
      await provisioned(mc.owner, agent.id);
      expect(sent(gateway, agent)).toHaveLength(1);
    },
  );
});
