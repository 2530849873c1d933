import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { asAgent, UNREACHABLE } from '../support/callers.ts';
import { AgentEvents, DeleteAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { SendAgentMessage, WakeAgent } from './documents.ts';
import { joined } from './live.ts';

let gateway: Simulator;
let mc: MissionControl;
let board: { id: string; lead: { id: string } | null };
let worker: { id: string; sessionKey: string };
let second: { id: string };

beforeAll(async () => {
  gateway = await startSimulator();
  mc = await startMissionControl();
  const { id } = await addGateway(mc.owner, gateway);
  board = await addBoard(mc.owner, id, { lead: 'Lena' });
  worker = await addAgent(mc.owner, board.id);
  second = await addAgent(mc.owner, board.id, 'Will');
  for (const agent of [worker.id, second.id, board.lead?.id ?? '']) await provisioned(mc.owner, agent);
});
afterAll(async () => {
  await mc.stop();
  await gateway.stop();
});
afterEach(() => gateway.faults.clear());

const send = async (message: string, options: { id?: string; idempotencyKey?: string } = {}) =>
  (await mc.owner.run(SendAgentMessage, { input: { id: worker.id, message, ...options } })).sendAgentMessage;

/** The runs that a text led to. */
const runsOf = (text: string) => gateway.runs().filter(({ message }) => message.includes(text));
const sent = (agentId = worker.id) =>
  mc.prisma.agentEvent.findMany({ where: { agentId, type: 'MESSAGE_SENT' }, orderBy: { seq: 'asc' } });

describe('sendAgentMessage', () => {
  it('delivers the text to the agent’s session as it is, and tells of it', async () => {
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    await joined(mc.owner, live, second.id);
    const text = 'First line 👩‍🚀 {{ agent_name }}\n\n"quoted" $HOME `x` \\n';
    expect(await send(text)).toMatchObject({ __typename: 'Agent', id: worker.id });
    const [run] = await eventually(
      () => runsOf('First line'),
      (runs) => runs.length > 0,
    );
    expect(run).toMatchObject({ sessionKey: worker.sessionKey, kind: 'chat' });
    expect(run?.message).toContain(text.trim());
    const { agentEvents } = await live.first((value) => value.agentEvents.type === 'MESSAGE_SENT');
    expect(agentEvents).toMatchObject({ agentId: worker.id, message: 'First line 👩‍🚀 {{ agent_name }}' });
    await live.stop();
  });

  it('delivers a repeat with the same key once, also when ten come at once', async () => {
    const before = (await sent()).length;
    const results = await Promise.all(Array.from({ length: 10 }, () => send('Only once', { idempotencyKey: 'once' })));
    for (const result of results) expect(result).toMatchObject({ __typename: 'Agent', id: worker.id });
    expect(await send('Only once', { idempotencyKey: 'once' })).toMatchObject({ __typename: 'Agent' });
    expect(runsOf('Only once')).toHaveLength(1);
    expect(await sent()).toHaveLength(before + 1);
  });

  it('delivers the same text twice without a key, and with another agent’s key', async () => {
    await send('Twice');
    await send('Twice');
    await eventually(
      () => runsOf('Twice').length,
      (count) => count === 2,
    );
    await send('To each', { idempotencyKey: 'shared' });
    await send('To each', { idempotencyKey: 'shared', id: second.id });
    await eventually(
      () => runsOf('To each').length,
      (count) => count === 2,
    );
  });

  it('refuses a key that was used for another text', async () => {
    await send('The first text', { idempotencyKey: 'reused' });
    expect(await send('Another text', { idempotencyKey: 'reused' })).toMatchObject({
      __typename: 'ConflictError',
      code: 'CONFLICT',
      message: expect.stringContaining('idempotencyKey'),
    });
    expect(runsOf('Another text')).toEqual([]);
  });

  it('delivers once when the connection breaks before the answer and the caller tries again', async () => {
    gateway.faults.add({ method: 'chat.send', kind: 'perform-then-drop' });
    const first = await send('Broken off', { idempotencyKey: 'broken' });
    if (first.__typename !== 'Agent') expect(first).toMatchObject({ __typename: 'GatewayError', retryable: true });
    expect(await send('Broken off', { idempotencyKey: 'broken' })).toMatchObject({ __typename: 'Agent' });
    expect(runsOf('Broken off')).toHaveLength(1);
  });

  it('is for leads to their workers as well', async () => {
    const lead = await asAgent(mc, board.lead?.id ?? '');
    const { sendAgentMessage } = await lead.run(SendAgentMessage, {
      input: { id: worker.id, message: 'From your lead' },
    });
    expect(sendAgentMessage).toMatchObject({ __typename: 'Agent', id: worker.id });
    await eventually(
      () => runsOf('From your lead').length,
      (count) => count === 1,
    );
  });

  it('tells what the gateway refuses, in its own words', async () => {
    gateway.faults.add({
      method: 'chat.send',
      kind: 'refuse',
      error: { code: 'INVALID_REQUEST', message: 'this session takes no messages' },
    });
    expect(await send('Refused')).toMatchObject({
      __typename: 'GatewayError',
      code: 'GATEWAY_REJECTED',
      gatewayCode: 'INVALID_REQUEST',
      message: expect.stringContaining('this session takes no messages'),
    });
  });
});

describe('wakeAgent', () => {
  it('sends the wake-up message again, with what the agent needs to know', async () => {
    const before = gateway.runs().length;
    const { wakeAgent } = await mc.owner.run(WakeAgent, { id: worker.id });
    expect(wakeAgent).toMatchObject({ __typename: 'Agent', id: worker.id });
    const run = await eventually(
      () =>
        gateway
          .runs()
          .slice(before)
          .find((started) => started.sessionKey === worker.sessionKey),
      (found) => found !== undefined,
    );
    expect(run?.message.length).toBeGreaterThan(100);
    expect((await sent()).at(-1)).toMatchObject({ message: 'Woken' });
  });

  it('is refused for an agent that is paused', async () => {
    const { status } = await mc.prisma.agent.findUniqueOrThrow({ where: { id: second.id } });
    await mc.prisma.agent.update({ where: { id: second.id }, data: { status: 'PAUSED' } });
    const { wakeAgent } = await mc.owner.run(WakeAgent, { id: second.id });
    expect(wakeAgent).toMatchObject({ __typename: 'ConflictError', message: expect.stringContaining('paused') });
    await mc.prisma.agent.update({ where: { id: second.id }, data: { status } });
  });
});

describe('both', () => {
  const both = async (id: string) => [await send('Hello', { id }), (await mc.owner.run(WakeAgent, { id })).wakeAgent];

  it('are refused for an agent that is not on its gateway yet', async () => {
    const { id: away } = await addGateway(mc.owner, UNREACHABLE, 'Away');
    const { id: far } = await addBoard(mc.owner, away, { name: 'Far' });
    const { id } = await addAgent(mc.owner, far, 'Early');
    for (const result of await both(id))
      expect(result).toMatchObject({
        __typename: 'ConflictError',
        message: expect.stringContaining('not on its gateway'),
      });
    expect(await sent(id)).toEqual([]);
  });

  it('find no agent that is being deleted, and send it nothing', async () => {
    const { id } = await addAgent(mc.owner, board.id, 'Leaving');
    await provisioned(mc.owner, id);
    const before = gateway.runs().length;
    await mc.owner.run(DeleteAgent, { id });
    for (const result of await both(id))
      expect(['ConflictError', 'NotFoundError']).toContain((result as { __typename: string }).__typename);
    expect(gateway.runs()).toHaveLength(before);
  });

  it('tell that the gateway is down and what to do, and work again when it is back', async () => {
    await gateway.kill();
    for (const result of await both(worker.id))
      expect(result).toMatchObject({
        __typename: 'GatewayError',
        code: 'GATEWAY_UNAVAILABLE',
        retryable: true,
        hint: expect.stringMatching(/\w+/),
      });
    await gateway.start();
    await eventually(
      () => send('Back again', { idempotencyKey: 'back' }),
      ({ __typename }) => __typename === 'Agent',
    );
    expect(runsOf('Back again')).toHaveLength(1);
  });
});
