import { describe, expect, it } from 'vitest';
import { type Action, permits, type Subject } from '../../src/access/policy.ts';
import type { AgentViewer, Viewer } from '../../src/access/viewer.ts';
import type { Role } from '../../src/generated/prisma/client.ts';

const place = { organizationId: 'o', gatewayId: 'g' };
const agentViewer = (agentKind: AgentViewer['agentKind'], agentId: string, boardId: string | null): AgentViewer => {
  return { kind: 'AGENT', agentKind, agentId, boardId, ...place };
};
const viewers = {
  lead: agentViewer('BOARD_LEAD', 'lead', 'b'),
  worker: agentViewer('BOARD_WORKER', 'worker', 'b'),
  main: agentViewer('GATEWAY_MAIN', 'main', null),
  otherLead: agentViewer('BOARD_LEAD', 'otherLead', 'b2'),
} satisfies Record<string, AgentViewer>;

const agent = (id: string, kind: AgentViewer['agentKind'], boardId: string | null, gatewayId = 'g') => {
  return { agent: { id, kind, boardId, gatewayId } };
};
const lead = agent('lead', 'BOARD_LEAD', 'b');
const worker = agent('worker', 'BOARD_WORKER', 'b');
const main = agent('main', 'GATEWAY_MAIN', null);
const farLead = agent('farLead', 'BOARD_LEAD', 'b9', 'g2');
const board: Subject = { boardId: 'b' };
const task = (assigneeId: string | null): Subject => ({ task: { boardId: 'b', assigneeId } });

describe('what operators may do', () => {
  const least: Record<Action, Role> = {
    createGateway: 'ADMIN',
    checkGateway: 'MEMBER',
    inspectGateway: 'VIEWER',
    createBoard: 'ADMIN',
    createAgent: 'ADMIN',
    deleteAgent: 'ADMIN',
    sendAgentMessage: 'MEMBER',
    wakeAgent: 'MEMBER',
    heartbeat: 'ADMIN',
    createTask: 'MEMBER',
    updateTask: 'MEMBER',
    assignTask: 'MEMBER',
  };
  const roles: Role[] = ['VIEWER', 'MEMBER', 'ADMIN', 'OWNER'];

  it.each(Object.entries(least) as [Action, Role][])('%s needs %s', (action, needed) => {
    const allowed = roles.filter((role) => permits({ kind: 'OPERATOR', organizationId: 'o', role }, action));
    expect(allowed).toEqual(roles.slice(roles.indexOf(needed)));
  });
});

describe('what agents may do', () => {
  type Who = keyof typeof viewers;
  const rows: [action: Action, to: string, subject: Subject, allowed: Who[]][] = [
    ['createGateway', 'anything', {}, []],
    ['checkGateway', 'anything', {}, []],
    ['inspectGateway', 'anything', {}, []],
    ['createBoard', 'anything', {}, []],
    ['createAgent', 'the board', board, ['lead']],
    ['createAgent', 'no board', {}, []],
    ['deleteAgent', 'a worker', worker, []],
    ['deleteAgent', 'itself', lead, []],
    ['sendAgentMessage', 'a worker', worker, ['lead']],
    ['sendAgentMessage', 'a lead', lead, ['lead', 'main']],
    ['sendAgentMessage', 'the main agent', main, []],
    ['sendAgentMessage', 'a lead of another gateway', farLead, []],
    ['wakeAgent', 'a worker', worker, ['lead']],
    ['wakeAgent', 'a lead', lead, ['lead', 'main']],
    ['heartbeat', 'the worker', worker, ['worker']],
    ['heartbeat', 'the lead', lead, ['lead']],
    ['heartbeat', 'the main agent', main, ['main']],
    ['createTask', 'the board', board, ['lead']],
    ['updateTask', 'a task of nobody', task(null), ['lead']],
    ['updateTask', 'the worker’s task', task('worker'), ['lead', 'worker']],
    ['updateTask', 'another’s task', task('somebody'), ['lead']],
    ['assignTask', 'the worker’s task', task('worker'), ['lead']],
  ];

  it.each(rows)('%s to %s', (action, _title, subject, allowed) => {
    const permitted = Object.entries(viewers).filter(([, viewer]: [string, Viewer]) =>
      permits(viewer, action, subject),
    );
    expect(permitted.map(([who]) => who)).toEqual(allowed);
  });
});
