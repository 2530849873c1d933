import { expect } from 'vitest';
import type { Role } from '../../src/generated/prisma/client.ts';
import { agentToken, operatorToken, UNREACHABLE } from '../support/callers.ts';
import { CreateTask } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import type { MissionControl } from '../support/mission-control.ts';
import type { ActorName } from './access-table.ts';

/** A fleet with one of everything, and everybody who may ask for it, each with a token. */
export interface World {
  tokens: Record<ActorName, string>;
  gateway: string;
  main: string;
  board: string;
  lead: string;
  worker: string;
  /** A worker of the board to whom the task is assigned. */
  assignee: string;
  task: string;
  sync: string;
  /** An operator token that nobody here asks with. */
  token: string;
  /** An agent that the lead of another board sees, and one that another organization sees. */
  beside: string;
  foreign: string;
  foreignGateway: string;
  newName(): string;
  newGateway(): Promise<string>;
  newBoard(): Promise<string>;
  newAgent(status?: 'PAUSED'): Promise<string>;
  newTask(): Promise<string>;
  newToken(role: Role): Promise<string>;
}

export async function createWorld(mc: MissionControl): Promise<World> {
  let names = 0;
  const newName = () => `New ${++names}`;
  const { owner, prisma } = mc;
  const gateway = await addGateway(owner, UNREACHABLE, 'One');
  const board = await addBoard(owner, gateway.id, { name: 'Here', lead: 'Lena', maxAgents: 100 });
  const worker = await addAgent(owner, board.id, 'Wanda');
  const assignee = await addAgent(owner, board.id, 'Anton');
  const besideBoard = await addBoard(owner, gateway.id, { name: 'Beside', lead: 'Luis' });
  const beside = besideBoard.lead?.id ?? '';
  const lead = board.lead?.id ?? '';
  const main = gateway.mainAgent?.id ?? '';

  const { id: organizationId } = await prisma.organization.create({ data: { name: 'Strangers' } });
  const strangersToken = await operatorToken(mc, 'OWNER', { organizationId });
  const stranger = mc.as(strangersToken);
  const foreignGateway = await addGateway(stranger, UNREACHABLE, 'Theirs');
  const foreignBoard = await addBoard(stranger, foreignGateway.id, { name: 'Theirs', lead: 'Lola' });

  const newTask = async () => {
    const { createTask } = await owner.run(CreateTask, {
      input: { boardId: board.id, title: 'Task', assigneeId: assignee.id },
    });
    return createTask.__typename === 'Task' ? createTask.id : expect.fail(JSON.stringify(createTask));
  };
  const newToken = async (role: Role) => {
    const secret = await operatorToken(mc, role);
    return (await prisma.apiToken.findFirstOrThrow({ where: { prefix: secret.slice(0, 8), role } })).id;
  };
  const { organizationId: here } = await prisma.gateway.findUniqueOrThrow({ where: { id: gateway.id } });
  const sync = await prisma.templateSync.create({ data: { gatewayId: gateway.id, organizationId: here, total: 1 } });
  return {
    tokens: {
      OWNER: await operatorToken(mc, 'OWNER'),
      ADMIN: await operatorToken(mc, 'ADMIN'),
      MEMBER: await operatorToken(mc, 'MEMBER'),
      VIEWER: await operatorToken(mc, 'VIEWER'),
      'board’s lead': await agentToken(mc, lead),
      worker: await agentToken(mc, worker.id),
      'worker with the task': await agentToken(mc, assignee.id),
      'gateway’s main agent': await agentToken(mc, main),
      'lead of another board': await agentToken(mc, beside),
      'OWNER of another organization': strangersToken,
    },
    gateway: gateway.id,
    main,
    board: board.id,
    lead,
    worker: worker.id,
    assignee: assignee.id,
    task: await newTask(),
    sync: sync.id,
    token: await newToken('VIEWER'),
    beside,
    foreign: foreignBoard.lead?.id ?? '',
    foreignGateway: foreignGateway.id,
    newName,
    newGateway: async () => (await addGateway(owner, UNREACHABLE, newName())).id,
    newBoard: async () => (await addBoard(owner, gateway.id, { name: newName() })).id,
    newAgent: async (status) => {
      const { id } = await addAgent(owner, board.id, newName());
      if (status) await prisma.agent.update({ where: { id }, data: { status } });
      return id;
    },
    newTask,
    newToken,
  };
}
