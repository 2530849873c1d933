import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphql } from '../../src/generated/client/gql.ts';
import { asAgent, operatorToken, UNREACHABLE } from '../support/callers.ts';
import { Heartbeat } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const Statuses = graphql(`
  query Statuses { agents(first: 100, filter: { kind: [BOARD_WORKER] }) { nodes { id status } } }
`);
const StatusOf = graphql(`
  query StatusOf($id: ID!) { agent(id: $id) { id name status } }
`);
const WhoAsks = graphql(`
  query WhoAsks { viewer { agent { id } } }
`);

let mc: MissionControl;
let agents: string[];
beforeAll(async () => {
  mc = await startMissionControl({ REQUESTS_PER_MINUTE: '0' });
  const board = await addBoard(mc.owner, (await addGateway(mc.owner, UNREACHABLE)).id);
  agents = [];
  for (let count = 0; count < 10; count++) agents.push((await addAgent(mc.owner, board.id, `Agent ${count}`)).id);
});
afterAll(() => mc.stop());

describe('the same query from many at the same time', () => {
  it('never shows what was before it was asked, however many ask', async () => {
    let writing = true;
    const others = Array.from({ length: 6 }, async () => {
      while (writing) await mc.owner.run(Statuses);
    });
    const [first = '', second = ''] = agents;
    for (let count = 0; count < 30; count++) {
      const status = count % 2 === 0 ? 'ACTIVE' : 'IDLE';
      const id = count % 3 === 0 ? first : second;
      await mc.owner.run(Heartbeat, { input: { id, status } });
      const [list, one] = await Promise.all([mc.owner.run(Statuses), mc.owner.run(StatusOf, { id })]);
      expect(list.agents.nodes.find((node) => node.id === id)?.status).toBe(status);
      expect(one.agent?.status).toBe(status);
    }
    writing = false;
    await Promise.all(others);
  });

  it('is not shared between credentials', async () => {
    const callers = await Promise.all(agents.map((id) => asAgent(mc, id)));
    for (let count = 0; count < 5; count++) {
      const answers = await Promise.all(callers.map((caller) => caller.run(WhoAsks)));
      expect(answers.map(({ viewer }) => viewer.agent?.id)).toEqual(agents);
    }
  });
});

it('agents asked for by id at the same time are told to those who may see them, and to nobody else', async () => {
  const elsewhere = mc.as(await operatorToken(mc, 'OWNER', { organizationId: await otherOrganization() }));
  const asked = await Promise.all(
    agents.flatMap((id) => [mc.owner.run(StatusOf, { id: id.toUpperCase() }), elsewhere.run(StatusOf, { id })]),
  );
  expect(asked.map(({ agent }) => agent?.id ?? null)).toEqual(agents.flatMap((id) => [id, null]));
});

async function otherOrganization(): Promise<string> {
  return (await mc.prisma.organization.create({ data: { name: 'Elsewhere' } })).id;
}
