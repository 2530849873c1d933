import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayConnection } from '../../src/gateway/connection.ts';
import { findHeartbeatJob, getScratch } from '../../src/gateway/cron.ts';
import { listSessions } from '../../src/gateway/sessions.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { agentTokenIn } from '../../src/provisioning/tokens.ts';
import { curlBlocks } from '../support/curl-blocks.ts';
import { AgentEvents, DeleteAgent, Heartbeat, ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { type FakeModel, type ModelRequest, seenText, startFakeModel, toolResults } from './fake-model.ts';
import { type OpenClaw, startOpenClaw } from './openclaw.ts';

const Connection = graphql(`
  query Connection($id: ID!) {
    gateway(id: $id) { connection { state serverVersion protocolVersion hint } }
  }
`);

/** Does what a model would that follows its documents: on a message it reports in, with the curl call that it was shown. */
function obedient(request: ModelRequest) {
  if (toolResults(request).length > 0) return 'Done.';
  const reportIn = curlBlocks(seenText(request)).find((block) => block.title === 'Report in');
  if (!reportIn || !request.toolNames.includes('exec')) return 'OK';
  return { toolCalls: [{ name: 'exec', arguments: { command: reportIn.script } }] };
}

describe('the main job on a real OpenClaw gateway', () => {
  let model: FakeModel;
  let openclaw: OpenClaw;
  let mc: MissionControl;
  let own: GatewayConnection;

  beforeAll(async () => {
    model = await startFakeModel(obedient);
    openclaw = await startOpenClaw({ model });
    mc = await startMissionControl();
    own = new GatewayConnection({
      target: {
        id: 'test',
        url: openclaw.url,
        token: openclaw.token,
        tlsFingerprint: null,
        allowInsecureTls: false,
        device: null,
        deviceToken: null,
      },
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      onInfo: () => undefined,
      onEvent: () => undefined,
    });
    await own.ready();
  }, 240_000);
  afterAll(async () => {
    await own?.close();
    await mc?.stop();
    await openclaw?.dispose();
    await model?.stop();
  });

  it('provisions, hears the worker report in by itself, shows it live, and leaves nothing behind', async () => {
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    const { id: gatewayId, mainAgent } = await addGateway(mc.owner, openclaw);
    const board = await addBoard(mc.owner, gatewayId, { lead: 'Lena' });
    const worker = await addAgent(mc.owner, board.id, 'Wanda');
    for (const id of [mainAgent?.id, board.lead?.id, worker.id]) await provisioned(mc.owner, id ?? '', 60_000);
    const { gateway } = await mc.owner.run(Connection, { id: gatewayId });
    expect(gateway?.connection).toEqual({
      state: 'CONNECTED',
      serverVersion: '2026.9.6',
      protocolVersion: 4,
      hint: null,
    });

    // The model sees the documents, with the worker's ids and a token.
    const shown = await model.waitFor((request) => seenText(request).includes(`agent id ${worker.id}`), 60_000);
    const seen = seenText(shown);
    expect(seen).toMatch(/^MISSION_CONTROL_TOKEN=mca_[\w-]{43}$/m);
    expect(seen).toContain(`MISSION_CONTROL_URL=${mc.url.replace('127.0.0.1', 'localhost')}`);
    const { documents } = (await mc.owner.run(Documents, { id: worker.id })).agent ?? { documents: [] };
    for (const { name, content, change } of documents) {
      const expected = name === 'BOOTSTRAP.md' ? 'SENT' : 'UNCHANGED';
      expect(`${name} ${change}`).toBe(`${name} ${expected}`);
      // HEARTBEAT.md is shown at each beat; the token is masked in what we are shown.
      if (name !== 'HEARTBEAT.md' && name !== 'TOOLS.md') expect(seen).toContain(content.trim().split('\n')[0]);
    }

    // The agents ran the curl call that they were shown.
    for (const id of [board.lead?.id, worker.id])
      await live.first(({ agentEvents: event }) => event.agentId === id && event.type === 'HEARTBEAT', 60_000);

    const job = await findHeartbeatJob(own, worker.openclawAgentId);
    const scratch = await getScratch(own, job?.id ?? '');
    expect(scratch.content).toBe(documents.find(({ name }) => name === 'HEARTBEAT.md')?.content);
    const sessions = await listSessions(own, { agentId: worker.openclawAgentId });
    expect(sessions).toContainEqual(expect.objectContaining({ key: worker.sessionKey, label: 'Wanda' }));

    const file = await readFile(path.join(worker.workspacePath, 'AGENTS.md'), 'utf8');
    const token = agentTokenIn(file) ?? '';
    // The run in which it has reported in is over: its end, seen later than the heartbeat, would count.
    await eventually(
      () => mc.owner.run(ReadAgent, { id: worker.id }),
      ({ agent }) => agent?.status === 'IDLE',
      60_000,
    );
    const before = live.received.length;
    const { heartbeat } = await mc.as(token).run(Heartbeat, { input: { status: 'ACTIVE' } });
    const answeredAt = performance.now();
    expect(heartbeat).toMatchObject({ __typename: 'Agent', id: worker.id, status: 'ACTIVE', liveness: 'ONLINE' });
    await live.first(
      ({ agentEvents: e }) => e.agentId === worker.id && e.type === 'HEARTBEAT' && e.status === 'ACTIVE',
    );
    const arrived = live.received.slice(before).find(({ value: { agentEvents: e } }) => e.type === 'HEARTBEAT');
    expect((arrived?.at ?? Number.POSITIVE_INFINITY) - answeredAt).toBeLessThan(100);

    await mc.owner.run(DeleteAgent, { id: worker.id });
    await live.first(({ agentEvents: event }) => event.agentId === worker.id && event.type === 'DELETED', 60_000);
    expect((await mc.owner.run(ReadAgent, { id: worker.id })).agent).toBeNull();
    expect(JSON.stringify(await openclaw.readConfig())).not.toContain(worker.id);
    expect(JSON.stringify(await listSessions(own))).not.toContain(worker.id);
    await expect(stat(worker.workspacePath)).rejects.toThrow('ENOENT');
    await live.stop();
  }, 180_000);

  it('finishes by itself what was under way when the gateway was killed', async () => {
    const { id: gatewayId } = await addGateway(mc.owner, openclaw, 'Killed half way');
    const board = await addBoard(mc.owner, gatewayId, { name: 'Killed half way' });
    const live = mc.owner.subscribe(AgentEvents);
    await live.connected;
    const workers = await Promise.all(
      Array.from({ length: 5 }, (_, index) => addAgent(mc.owner, board.id, `Worker ${index + 1}`)),
    );
    const ids = workers.map((worker) => worker.id);
    await live.first(
      ({ agentEvents: { agentId, step } }) => ids.includes(agentId) && step?.name === 'ISSUE_TOKEN',
      60_000,
    );
    await openclaw.kill();
    await openclaw.start();
    for (const id of ids) await provisioned(mc.owner, id, 30_000);

    const config = (await openclaw.readConfig()) as { agents: { entries: Record<string, object> } };
    for (const { id, openclawAgentId, workspacePath } of workers) {
      expect(Object.keys(config.agents.entries)).toContain(openclawAgentId);
      const token = agentTokenIn(await readFile(path.join(workspacePath, 'AGENTS.md'), 'utf8')) ?? '';
      const { heartbeat } = await mc.as(token).run(Heartbeat, { input: {} });
      expect(heartbeat).toMatchObject({ __typename: 'Agent', id });
    }
    await live.stop();
  }, 300_000);
});

const Documents = graphql(`
  query Documents($id: ID!) {
    agent(id: $id) { documents { name content change } }
  }
`);
