import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepLiveness } from '../../src/fleet/liveness.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import type { GatewayEventsSubscription } from '../../src/generated/client/graphql.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { ReachGateway } from '../api/documents.ts';
import { asOperator, asStranger, UNREACHABLE } from '../support/callers.ts';
import type { Client, Subscription } from '../support/client.ts';
import { DeleteGateway, Heartbeat, ReadAgent, ReadAgentLog, ReadConnection } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { workspaceToken } from '../support/workspace.ts';

const GatewayEvents = graphql(`
  subscription GatewayEvents($gatewayId: ID) {
    gatewayEvents(gatewayId: $gatewayId) {
      at
      state
      previousState
      gateway { id name connection { state } }
    }
  }
`);

type Live = Subscription<GatewayEventsSubscription>;

/** Of the gateways that are never there: attempts to reach them are events that a subscription can be seen to tell. */
const beacons = new Map<Client, string>();

let mc: MissionControl;
const started: Simulator[] = [];
beforeAll(async () => {
  mc = await startMissionControl();
  beacons.set(mc.owner, (await addGateway(mc.owner, UNREACHABLE, 'Never there')).id);
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

/** A subscription that misses nothing from now on. */
async function follow(client: Client, beacon = beacons.get(client) ?? ''): Promise<Live> {
  const live = client.subscribe(GatewayEvents);
  await live.connected;
  await eventually(
    async () => {
      await client.run(ReachGateway, { id: beacon });
      return live.received.length;
    },
    (count) => count > 0,
  );
  return live;
}

const eventsOf = (live: Live, gatewayId: string) =>
  live.received.flatMap(({ value: { gatewayEvents: event }, at }) =>
    event.gateway.id === gatewayId ? [{ ...event, receivedAt: at }] : [],
  );
const stepsOf = (live: Live, gatewayId: string) =>
  eventsOf(live, gatewayId).map(({ previousState, state }) => `${previousState} → ${state}`);
const becomes = (live: Live, gatewayId: string, state: string) =>
  live.first(({ gatewayEvents: event }) => event.gateway.id === gatewayId && event.state === state, 30_000);

const connectionOf = async (id: string) => (await mc.owner.run(ReadConnection, { id })).gateway?.connection;

describe('gatewayEvents', { concurrent: true }, () => {
  it('tells how a gateway is connected to, lost, and there again within 2 s of being ready', {
    timeout: 60_000,
  }, async () => {
    const live = await follow(mc.owner);
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Coming and going');
    const { gatewayEvents: event } = await becomes(live, id, 'CONNECTED');
    expect(event.gateway).toEqual({ id, name: 'Coming and going', connection: { state: 'CONNECTED' } });
    expect(Math.abs(Date.parse(event.at) - Date.now())).toBeLessThan(10_000);
    expect(stepsOf(live, id)).toEqual(['UNKNOWN → CONNECTING', 'CONNECTING → CONNECTED']);

    await gateway.kill();
    await becomes(live, id, 'UNREACHABLE');
    // Its next try is far away, but it need not wait for that.
    await eventually(
      () => connectionOf(id),
      (now) => Date.parse(now?.nextAttemptAt ?? '') - Date.now() > 3_000,
    );
    gateway.delays.start = 500;
    await gateway.start();
    await eventually(
      async () => (await fetch(`http://127.0.0.1:${gateway.port}/readyz`)).status,
      (status) => status === 200,
    );
    const readyAt = performance.now();
    await eventually(
      () => stepsOf(live, id),
      (steps) => steps.length === 4,
    );
    expect(stepsOf(live, id).slice(2)).toEqual(['CONNECTED → UNREACHABLE', 'UNREACHABLE → CONNECTED']);
    expect((eventsOf(live, id).at(-1)?.receivedAt ?? 0) - readyAt).toBeLessThan(2_000);
    await live.stop();
  });

  it('tells of the one gateway that was asked for', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Asked for');
    const all = await follow(mc.owner);
    const live = mc.owner.subscribe(GatewayEvents, { gatewayId: id.toUpperCase() });
    await live.connected;
    await eventually(
      async () => {
        await mc.owner.run(ReachGateway, { id });
        return live.received.length;
      },
      (count) => count > 0,
    );
    await mc.owner.run(ReachGateway, { id: beacons.get(mc.owner) ?? '' });
    const last = eventsOf(all, id).length;
    await mc.owner.run(ReachGateway, { id });
    await eventually(
      () => eventsOf(all, id).length,
      (count) => count > last,
    );
    expect(new Set(live.received.map(({ value }) => value.gatewayEvents.gateway.id))).toEqual(new Set([id]));
    await Promise.all([all.stop(), live.stop()]);
  });

  it('tells a VIEWER, and nobody of another organization', async () => {
    const stranger = await asStranger(mc);
    const theirs = (await addGateway(stranger, UNREACHABLE, 'Theirs')).id;
    const viewer = await asOperator(mc, 'VIEWER');
    const followed = beacons.get(mc.owner) ?? '';
    const [mine, other] = await Promise.all([follow(mc.owner), follow(stranger, theirs)]);
    const watching = viewer.subscribe(GatewayEvents);
    await watching.connected;
    await eventually(
      async () => {
        await mc.owner.run(ReachGateway, { id: followed });
        return watching.received.length;
      },
      (count) => count > 0,
    );
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Ours');
    await Promise.all([becomes(mine, id, 'CONNECTED'), becomes(watching, id, 'CONNECTED')]);

    // What comes later has come, so what came before was not for them.
    const before = other.received.length;
    await stranger.run(ReachGateway, { id: theirs });
    await eventually(
      () => other.received.length,
      (count) => count > before,
    );
    expect(new Set(other.received.map(({ value }) => value.gatewayEvents.gateway.id))).toEqual(new Set([theirs]));
    for (const live of [mine, watching])
      expect(live.received.map(({ value }) => value.gatewayEvents.gateway.id)).not.toContain(theirs);
    await Promise.all([mine.stop(), watching.stop(), other.stop()]);
  });

  it('is not for a board’s agents; a gateway’s main agent is told of its own', async () => {
    const gateway = await simulator();
    const { id, mainAgent } = await addGateway(mc.owner, gateway, 'Of agents');
    const board = await addBoard(mc.owner, id, { name: 'Of agents', lead: 'Lena' });
    const worker = await addAgent(mc.owner, board.id, 'Wanda');
    const [lead = '', main = ''] = [board.lead?.id, mainAgent?.id];
    const tokens: (string | null)[] = [];
    for (const agent of [worker.id, lead, main])
      tokens.push(await workspaceToken((await provisioned(mc.owner, agent)).workspacePath));
    for (const token of tokens.slice(0, 2)) {
      const live = mc.as(token).subscribe(GatewayEvents);
      await expect(live.ended).rejects.toThrow(/This token may not read this/);
      expect(live.received).toEqual([]);
    }
    const live = mc.as(tokens[2] ?? null).subscribe(GatewayEvents);
    await live.connected;
    await eventually(
      async () => {
        await mc.owner.run(ReachGateway, { id: beacons.get(mc.owner) ?? '' });
        await mc.owner.run(ReachGateway, { id });
        return live.received.length;
      },
      (count) => count > 0,
    );
    expect(new Set(live.received.map(({ value }) => value.gatewayEvents.gateway.id))).toEqual(new Set([id]));
    await live.stop();
  });

  it('goes on when a gateway is deleted that its agents have not left yet', async () => {
    const gateway = await simulator();
    const { id, mainAgent } = await addGateway(mc.owner, gateway, 'Deleted');
    await provisioned(mc.owner, mainAgent?.id ?? '');
    const live = await follow(mc.owner);
    await gateway.kill();
    await becomes(live, id, 'UNREACHABLE');
    const { deleteGateway } = await mc.owner.run(DeleteGateway, { id, force: true });
    expect(deleteGateway.__typename).toBe('Deleted');
    await gateway.start();
    await eventually(
      () => mc.prisma.gateway.findUnique({ where: { id } }),
      (row) => row === null,
    );
    const before = live.received.length;
    await mc.owner.run(ReachGateway, { id: beacons.get(mc.owner) ?? '' });
    await Promise.race([
      live.ended,
      eventually(
        () => live.received.length,
        (count) => count > before,
      ),
    ]);
    await live.stop();
  });
});

describe('while a gateway is away', () => {
  it('its agents keep their status; that they are not seen any more is told by their liveness', async () => {
    const gateway = await simulator();
    const { id } = await addGateway(mc.owner, gateway, 'Away');
    const board = await addBoard(mc.owner, id, { name: 'Away' });
    const agent = await addAgent(mc.owner, board.id, 'Busy');
    await provisioned(mc.owner, agent.id);
    const read = async () => (await mc.owner.run(ReadAgent, { id: agent.id })).agent;
    // Its first run is over.
    await eventually(read, (now) => now?.status === 'IDLE');
    await mc.owner.run(Heartbeat, { input: { id: agent.id, status: 'ACTIVE' } });
    await gateway.kill();
    await eventually(
      () => connectionOf(id),
      (now) => now?.state === 'UNREACHABLE',
    );
    expect(await read()).toMatchObject({ status: 'ACTIVE', liveness: 'ONLINE' });
    const seenAt = Date.parse((await read())?.lastSeenAt ?? '');
    for (const [seconds, liveness] of [
      [361, 'LATE'],
      [901, 'OFFLINE'],
    ] as const) {
      await sweepLiveness(mc, new Date(seenAt + seconds * 1_000));
      expect(await read()).toMatchObject({ status: 'ACTIVE', liveness });
    }
    await gateway.start();
    await eventually(
      () => connectionOf(id),
      (now) => now?.state === 'CONNECTED',
    );
    expect(await read()).toMatchObject({ status: 'ACTIVE', liveness: 'OFFLINE' });
    await gateway.beat(agent.openclawAgentId);
    await eventually(read, (now) => now?.status === 'IDLE' && now.liveness === 'ONLINE');
    const changes = (await mc.owner.run(ReadAgentLog, { id: agent.id })).agent?.events.nodes.filter(
      ({ type }) => type === 'LIVENESS_CHANGED',
    );
    expect(changes?.map(({ status, liveness }) => `${status} ${liveness}`).slice(1, 3)).toEqual([
      'ACTIVE LATE',
      'ACTIVE OFFLINE',
    ]);
  });
});
