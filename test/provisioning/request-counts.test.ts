import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { connect } from '../gateway-contract/client.ts';
import { UpdateAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const AGENTS = 200;
/** Methods by which the agent's own documents are read and written. */
const DOCUMENT_METHODS = ['agents.files.get', 'agents.files.set', 'agents.files.list', 'cron.scratch.set'];

describe(`a gateway with ${AGENTS} agents in line`, () => {
  let mc: MissionControl;
  let gateway: Simulator;
  let gatewayId: string;
  let agentIds: string[];

  beforeAll(async () => {
    [mc, gateway] = await Promise.all([startMissionControl(), startSimulator()]);
    gatewayId = (await addGateway(mc.owner, gateway)).id;
    const board = await addBoard(mc.owner, gatewayId);
    agentIds = [];
    for (let number = 0; number < AGENTS; number++)
      agentIds.push((await addAgent(mc.owner, board.id, `Agent ${number}`)).id);
    await eventually(
      () => mc.prisma.agent.count({ where: { provisioningPhase: 'SUCCEEDED' } }),
      (count) => count === AGENTS + 1,
      120_000,
      200,
    );
    await quiet();
  }, 180_000);
  afterAll(async () => {
    await mc.stop();
    await gateway.stop();
  });

  /** Resolves when nothing has been asked of the gateway for a while. */
  async function quiet(): Promise<void> {
    for (let before = -1; before !== gateway.requests.length; ) {
      before = gateway.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
  }

  async function requestsDuring(work: () => Promise<unknown>): Promise<string[]> {
    const before = gateway.requests.length;
    await work();
    await quiet();
    return gateway.requests.slice(before).map(({ method }) => method);
  }

  it('is asked at most 3 times when a run has nothing to do', async () => {
    const run = async () => mc.prisma.$executeRaw`SELECT pg_notify('reconcile', ${gatewayId})`;
    expect((await requestsDuring(run)).length).toBeLessThanOrEqual(3);
  }, 30_000);

  it('is asked once to compare its configuration with all of them, when somebody else has changed it', async () => {
    const other = await connect(gateway);
    const methods = await requestsDuring(async () => {
      const { hash } = await other.call('config.get');
      const raw = JSON.stringify({ agents: { entries: { main: { description: 'changed' } } } });
      await other.call('config.patch', { baseHash: hash, raw });
    });
    await other.stop();
    // The other client's own two, and ours.
    expect(methods).toEqual(['config.get', 'config.patch', 'config.get']);
  }, 30_000);

  it('is asked at most 8 times more than for its own documents when one agent has changed', async () => {
    const [id = ''] = agentIds;
    const methods = await requestsDuring(async () => {
      await mc.owner.run(UpdateAgent, { input: { id, name: 'Renamed', heartbeat: { intervalSeconds: 90 } } });
      await provisioned(mc.owner, id);
    });
    const others = methods.filter((method) => !DOCUMENT_METHODS.includes(method));
    expect(others.length, others.join(', ')).toBeLessThanOrEqual(8);
    expect(methods.length - others.length, methods.join(', ')).toBeLessThanOrEqual(8);
  }, 30_000);
});
