import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connect, type Dict } from '../gateway-contract/client.ts';
import { AgentEvents, CreateAgent, ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { type FakeModel, lastUserText, startFakeModel } from './fake-model.ts';
import { type OpenClaw, startOpenClaw } from './openclaw.ts';

/** How soon what happens at the gateway is shown, in ms. */
const SHOWN_WITHIN_MS = 500;
/** How long the model thinks. */
const RUN_MS = 1_500;

const phaseOf = (data: unknown) => (data as Dict | null)?.phase;

describe('what agents do at a real OpenClaw gateway, without telling anybody', () => {
  let model: FakeModel;
  let openclaw: OpenClaw;
  let mc: MissionControl;
  /** Somebody else at the gateway. */
  let other: Client;
  let agent: Awaited<ReturnType<typeof provisioned>>;

  beforeAll(async () => {
    model = await startFakeModel(() => 'OK');
    openclaw = await startOpenClaw({ model });
    mc = await startMissionControl();
    other = await connect(openclaw);
    const board = await addBoard(mc.owner, (await addGateway(mc.owner, openclaw)).id);
    // No beat comes by itself while it is watched.
    const input = { boardId: board.id, name: 'Wanda', heartbeat: { intervalSeconds: 86_400 } };
    const { createAgent } = await mc.owner.run(CreateAgent, { input });
    if (createAgent.__typename !== 'Agent') expect.fail(JSON.stringify(createAgent));
    agent = await provisioned(mc.owner, createAgent.id, 60_000);
    // The run of its wake-up is over, here and there.
    await model.waitFor(() => true, 60_000);
    await eventually(
      () => other.call<{ sessions: Dict[] }>('sessions.list', {}),
      ({ sessions }) => sessions.every(({ hasActiveRun }) => !hasActiveRun),
      60_000,
    );
    await eventually(read, (now) => now?.status === 'IDLE' && now.liveness === 'ONLINE', 60_000);
  }, 240_000);
  afterAll(async () => {
    await other?.stop();
    await mc?.stop();
    await openclaw?.dispose();
    await model?.stop();
  });

  const read = async () => (await mc.owner.run(ReadAgent, { id: agent.id })).agent;

  it(`shows a chat run that somebody else has started as ACTIVE within ${SHOWN_WITHIN_MS} ms, and as IDLE at its end`, async () => {
    const live = mc.owner.subscribe(AgentEvents, { filter: { agentId: agent.id, types: ['STATUS_CHANGED'] } });
    await live.connected;
    let answeredAt = Number.POSITIVE_INFINITY;
    model.reply(async (request) => {
      if (!lastUserText(request).includes('What is the time?')) return 'OK';
      await new Promise((resolve) => setTimeout(resolve, RUN_MS));
      answeredAt = performance.now();
      return 'Late.';
    });
    const message = { sessionKey: agent.sessionKey, message: 'What is the time?', idempotencyKey: 'time-1' };
    const askedAt = performance.now();
    await other.call('chat.send', message);
    // It prepares the workspace first, which takes its time on a busy machine.
    const { data } = await other.event('agent', ({ runId, data }) => runId === 'time-1' && phaseOf(data) === 'start');
    const startedAt = Number((data as Dict).startedAt) - performance.timeOrigin;
    await live.first(({ agentEvents: { status } }) => status === 'ACTIVE');
    await live.first(({ agentEvents: { status } }) => status === 'IDLE');
    expect(live.received.map(({ value }) => value.agentEvents.status)).toEqual(['ACTIVE', 'IDLE']);
    const [active = Number.NaN, idle = Number.NaN] = live.received.map(({ at }) => at);
    const [afterMessage, afterStart, afterEnd] = [active - askedAt, active - startedAt, idle - answeredAt].map(
      Math.round,
    );
    process.stdout.write(
      `ACTIVE ${afterMessage} ms after the message, ${afterStart} ms after the run began at the gateway; IDLE ${afterEnd} ms after the model answered\n`,
    );
    expect(afterStart).toBeLessThan(SHOWN_WITHIN_MS);
    expect(idle).toBeGreaterThan(answeredAt);
    expect((await read())?.lastHeartbeatAt).toBeNull();
    await live.stop();
  }, 60_000);

  it('takes a beat of its heartbeat job for a sign of life: it is ONLINE again without a call of its own', async () => {
    const live = mc.owner.subscribe(AgentEvents, { filter: { agentId: agent.id, types: ['LIVENESS_CHANGED'] } });
    await live.connected;
    const before = model.requests.length;
    await mc.prisma.agent.update({
      where: { id: agent.id },
      data: { lastSeenAt: new Date(Date.now() - 7 * 86_400_000) },
    });
    await live.first(({ agentEvents: { liveness } }) => liveness === 'OFFLINE');
    const { jobs } = await other.call<{ jobs: { id: string; declarationKey: string }[] }>('cron.list', {
      agentId: agent.openclawAgentId,
      includeDisabled: true,
    });
    const job = jobs.find(({ declarationKey }) => declarationKey === `heartbeat:${agent.openclawAgentId}`);
    // The gateway leaves a beat out while it is busy, and right after one that came by itself.
    await eventually(
      async () => {
        if (model.requests.length === before) await other.call('cron.run', { id: job?.id, mode: 'force' });
        return model.requests.length;
      },
      (count) => count > before,
      60_000,
      2_000,
    );
    await live.first(({ agentEvents: { liveness } }) => liveness === 'ONLINE', 60_000);
    expect(Date.now() - Date.parse((await read())?.lastSeenAt ?? '')).toBeLessThan(60_000);
    expect((await read())?.lastHeartbeatAt).toBeNull();
    await live.stop();
  }, 180_000);
});
