import { describe, expect, it } from 'vitest';
import { type Action, permits, type Subject } from '../../src/access/policy.ts';
import type { Actor, AgentViewer, OperatorViewer, Viewer } from '../../src/access/viewer.ts';
import type { Role } from '../../src/generated/prisma/client.ts';

const actor: Actor = { kind: 'OPERATOR', id: 'a', name: 'Somebody', credential: 'mco_abcd' };
const place = { organizationId: 'o', gatewayId: 'g' };
const agentViewer = (agentKind: AgentViewer['agentKind'], agentId: string, boardId: string | null): AgentViewer => {
  return { kind: 'AGENT', agentKind, agentId, boardId, ...place, actor: { ...actor, kind: 'AGENT' } };
};
const operator = (role: Role): OperatorViewer => {
  return { kind: 'OPERATOR', organizationId: 'o', actor, role, tokenId: 'own' };
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
    readGateway: 'VIEWER',
    createGateway: 'ADMIN',
    updateGateway: 'ADMIN',
    deleteGateway: 'ADMIN',
    syncGatewayTemplates: 'ADMIN',
    checkGateway: 'MEMBER',
    inspectGateway: 'VIEWER',
    readActivity: 'ADMIN',
    createBoard: 'ADMIN',
    updateBoard: 'ADMIN',
    deleteBoard: 'ADMIN',
    createAgent: 'ADMIN',
    updateAgent: 'ADMIN',
    deleteAgent: 'ADMIN',
    reprovisionAgent: 'ADMIN',
    adoptAgent: 'ADMIN',
    pauseAgent: 'MEMBER',
    resumeAgent: 'MEMBER',
    sendAgentMessage: 'MEMBER',
    wakeAgent: 'MEMBER',
    heartbeat: 'ADMIN',
    createTask: 'MEMBER',
    updateTask: 'MEMBER',
    deleteTask: 'MEMBER',
    assignTask: 'MEMBER',
    readApiTokens: 'ADMIN',
    createApiToken: 'ADMIN',
    revokeApiToken: 'ADMIN',
    createOrganization: 'OWNER',
  };
  const subject: Subject = { token: { id: 't', role: 'ADMIN' }, organization: { isFirst: true } };
  const roles: Role[] = ['VIEWER', 'MEMBER', 'ADMIN', 'OWNER'];

  it.each(Object.entries(least) as [Action, Role][])('%s needs %s', (action, needed) => {
    const allowed = roles.filter((role) => permits(operator(role), action, subject));
    expect(allowed).toEqual(roles.slice(roles.indexOf(needed)));
  });

  it.each<[Action, string, Subject, Role[]]>([
    ['createApiToken', 'an OWNER token', { token: { role: 'OWNER' } }, ['OWNER']],
    ['createApiToken', 'nothing known', {}, []],
    ['revokeApiToken', 'an OWNER token', { token: { id: 't', role: 'OWNER' } }, ['OWNER']],
    ['revokeApiToken', 'their own', { token: { id: 'own', role: 'OWNER' } }, roles],
    ['createOrganization', 'another than the first one', { organization: { isFirst: false } }, []],
    ['createOrganization', 'nothing known', {}, []],
  ])('%s with %s', (action, _title, given, allowed) => {
    expect(roles.filter((role) => permits(operator(role), action, given))).toEqual(allowed);
  });

  it('somebody of an identity provider has no token of their own, whatever their subject is', () => {
    const viewer: Viewer = { ...operator('VIEWER'), actor: { ...actor, id: 't' }, tokenId: null };
    expect(permits(viewer, 'revokeApiToken', subject)).toBe(false);
  });
});

describe('what agents may do', () => {
  type Who = keyof typeof viewers;
  const rows: [action: Action, to: string, subject: Subject, allowed: Who[]][] = [
    ['readGateway', 'anything', {}, ['main']],
    ['createGateway', 'anything', {}, []],
    ['updateGateway', 'anything', {}, []],
    ['deleteGateway', 'anything', {}, []],
    ['syncGatewayTemplates', 'anything', {}, []],
    ['checkGateway', 'anything', {}, []],
    ['inspectGateway', 'anything', {}, []],
    ['createBoard', 'anything', {}, []],
    ['deleteBoard', 'its board', board, []],
    ['createAgent', 'the board', board, ['lead']],
    ['createAgent', 'no board', {}, []],
    ['deleteAgent', 'a worker', worker, []],
    ['deleteAgent', 'itself', lead, []],
    ['updateAgent', 'itself', lead, []],
    ['reprovisionAgent', 'a worker', worker, []],
    ['adoptAgent', 'anything', {}, []],
    ['pauseAgent', 'a worker', worker, []],
    ['resumeAgent', 'a worker', worker, []],
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
    ['readApiTokens', 'anything', {}, []],
    ['createApiToken', 'anything', { token: { role: 'VIEWER' } }, []],
    ['revokeApiToken', 'anything', { token: { id: 'worker', role: 'VIEWER' } }, []],
    ['createOrganization', 'anything', { organization: { isFirst: true } }, []],
  ];

  it.each(rows)('%s to %s', (action, _title, subject, allowed) => {
    const permitted = Object.entries(viewers).filter(([, viewer]: [string, Viewer]) =>
      permits(viewer, action, subject),
    );
    expect(permitted.map(([who]) => who)).toEqual(allowed);
  });
});
