import type { Client } from 'graphql-ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, followFleet } from '../../docs/examples/fleet-copy.ts';
import { CuttingProxy } from '../faults/cutting-proxy.ts';
import { UNREACHABLE } from '../support/callers.ts';
import { DeleteAgent, Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';

let mc: MissionControl;
let network: CuttingProxy;
let client: Client;

beforeAll(async () => {
  mc = await startMissionControl();
  network = await CuttingProxy.create(Number(new URL(mc.url).port));
  client = connect(`ws://127.0.0.1:${network.port}/graphql`, ADMIN_TOKEN);
});
afterAll(async () => {
  await client.dispose();
  await network.stop();
  await mc.stop();
});

it('the client on the page keeps an exact copy of the fleet, also of what happens while it is cut off', async () => {
  const board = await addBoard(mc.owner, (await addGateway(mc.owner, UNREACHABLE)).id);
  const [early, leaving] = [await addAgent(mc.owner, board.id, 'Early'), await addAgent(mc.owner, board.id, 'Leaving')];
  const copy: Parameters<typeof followFleet>[1] = new Map();
  let changes = 0;
  const following = followFleet(client, copy, () => changes++);
  const names = () => [...copy.values()].map(({ name, status }) => `${name} ${status}`).sort();
  const becomes = (...wanted: string[]) => eventually(names, (now) => now.join() === wanted.join());
  await becomes('Early PROVISIONING', 'Gateway agent PROVISIONING', 'Leaving PROVISIONING');

  await mc.owner.run(Heartbeat, { input: { id: early.id, status: 'ACTIVE' } });
  await becomes('Early ACTIVE', 'Gateway agent PROVISIONING', 'Leaving PROVISIONING');
  expect(changes).toBeGreaterThan(1);

  network.refuse();
  await mc.owner.run(DeleteAgent, { id: leaving.id });
  await addAgent(mc.owner, board.id, 'New');
  await mc.owner.run(Heartbeat, { input: { id: early.id, status: 'IDLE' } });
  await network.heal();
  await becomes('Early IDLE', 'Gateway agent PROVISIONING', 'New PROVISIONING');

  await client.dispose();
  await following;
});
