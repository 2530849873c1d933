import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type Client, connect } from '../gateway-contract/client.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

// What an operator is told of agents that can run no commands follows what is set at their gateway, which is asked for once.

let mc: MissionControl;
let gateway: Simulator;
let boardId: string;
/** Somebody else at the gateway. */
let other: Client;

beforeAll(async () => {
  [mc, gateway] = await Promise.all([startMissionControl(), startSimulator()]);
  const { id, mainAgent } = await addGateway(mc.owner, gateway);
  boardId = (await addBoard(mc.owner, id)).id;
  other = await connect(gateway);
  await provisioned(mc.owner, mainAgent?.id ?? '');
});
afterAll(async () => {
  await other.stop();
  await mc.stop();
  await gateway.stop();
});

/** Creates an agent. @returns what its operator is told, and how often the gateway was asked which tools an agent has */
async function newAgent(name: string): Promise<{ hint: string | null; asked: number }> {
  const before = gateway.requests.length;
  const { id } = await addAgent(mc.owner, boardId, name);
  const { provisioning } = await provisioned(mc.owner, id);
  const requests = gateway.requests.slice(before).filter(({ method }) => method === 'tools.effective');
  return { hint: provisioning.hint, asked: requests.length };
}

async function setTools(tools: object): Promise<void> {
  const { hash } = await other.call('config.get');
  await other.call('config.patch', { baseHash: hash, raw: JSON.stringify({ tools }) });
}

const NO_COMMANDS = expect.stringContaining('This agent does not have the tool "exec" on its gateway');

test('a gateway is asked for tools again when its settings have changed, and only then', async () => {
  expect((await newAgent('First')).hint).toBeNull();
  expect(await newAgent('Second')).toEqual({ hint: null, asked: 0 });
  await setTools({ profile: 'messaging' });
  expect(await newAgent('Third')).toEqual({ hint: NO_COMMANDS, asked: 1 });
  expect(await newAgent('Fourth')).toEqual({ hint: NO_COMMANDS, asked: 0 });
  await setTools({ profile: 'full' });
  expect(await newAgent('Fifth')).toEqual({ hint: null, asked: 1 });
});

test('an answer that was lost is asked for again', async () => {
  await setTools({ profile: 'coding' });
  gateway.faults.add({ method: 'tools.effective', kind: 'drop' });
  expect(await newAgent('Unlucky')).toEqual({ hint: null, asked: 2 });
  expect(await newAgent('Lucky')).toEqual({ hint: null, asked: 0 });
});
