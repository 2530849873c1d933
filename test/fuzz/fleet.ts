import { expect } from 'vitest';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { agentToken, operatorToken } from '../support/callers.ts';
import { DeleteBoard, DeleteGateway } from '../support/documents.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl } from '../support/mission-control.ts';

const MOST_GATEWAYS = 4;
const MOST_BOARDS = 8;

type Address = Pick<Simulator, 'url' | 'token' | 'stateDir'>;

/** What the requests are about. They change and delete it, so it is made anew as it goes. */
export class FuzzedFleet {
  /** Ids of what there is, and of some things that there were. */
  ids: string[] = [];
  /** One for each kind of caller, and none. */
  tokens: (string | null)[] = [null];
  readonly #mc: MissionControl;
  readonly #gateway: Address;

  constructor(mc: MissionControl, gateway: Address) {
    this.#mc = mc;
    this.#gateway = gateway;
  }

  /** Sees to it that there is a gateway with a board, a lead and a worker, not too much of anything, and a token of each kind. */
  async tidy(): Promise<void> {
    const { owner, prisma } = this.#mc;
    const existing = { where: { deletionRequestedAt: null }, orderBy: { id: 'asc' } } as const;
    const gateways = await prisma.gateway.findMany(existing);
    for (const { id } of gateways.slice(MOST_GATEWAYS)) await owner.run(DeleteGateway, { id, force: true });
    const boards = await prisma.board.findMany({ orderBy: { id: 'asc' } });
    for (const { id } of boards.slice(MOST_BOARDS)) await owner.run(DeleteBoard, { id });

    const workers = await prisma.agent.findMany({
      ...existing,
      where: { deletionRequestedAt: null, kind: 'BOARD_WORKER' },
    });
    if (workers.length === 0) await this.#makeAnew();
    const agents = await prisma.agent.findMany(existing);
    const tasks = await prisma.task.findMany({ orderBy: { id: 'asc' }, take: 10 });
    const syncs = await prisma.templateSync.findMany({ take: 5 });
    const now = [
      ...(await prisma.gateway.findMany(existing)),
      ...(await prisma.board.findMany()),
      ...agents,
      ...tasks,
      ...syncs,
    ];
    this.ids = [...this.ids.slice(-5), ...now.map(({ id }) => id)];

    const agentTokens = (['BOARD_WORKER', 'BOARD_LEAD', 'GATEWAY_MAIN'] as const).map(async (kind) => {
      const agent = agents.find((each) => each.kind === kind);
      return agent ? agentToken(this.#mc, agent.id) : null;
    });
    await prisma.apiToken.deleteMany({ where: { name: { startsWith: 'Test ' } } });
    const operatorTokens = (['ADMIN', 'MEMBER', 'VIEWER'] as const).map((role) => operatorToken(this.#mc, role));
    this.tokens = [ADMIN_TOKEN, ADMIN_TOKEN, ...(await Promise.all([...operatorTokens, ...agentTokens])), null];
  }

  async #makeAnew(): Promise<void> {
    const { owner, prisma } = this.#mc;
    const suffix = Date.now().toString(36);
    const gateway = await addGateway(owner, this.#gateway, `Home ${suffix}`);
    const board = await addBoard(owner, gateway.id, { name: `Launch ${suffix}`, lead: 'Lena' });
    const worker = await addAgent(owner, board.id);
    if (this.ids.length === 0) await provisioned(owner, worker.id);
    expect(await prisma.agent.count({ where: { id: worker.id } })).toBe(1);
  }
}
