import type { AgentKind, Role } from '../generated/prisma/client.ts';
import type { AgentViewer, OperatorViewer, Viewer } from './viewer.ts';

/** What an action is done to, as far as the rules need it. */
export interface Subject {
  agent?: { id: string; kind: AgentKind; boardId: string | null; gatewayId: string };
  boardId?: string;
  task?: { boardId: string; assigneeId: string | null };
  /** An operator token; without an id one that is to be made. */
  token?: { id?: string; role: Role };
  /** That of the viewer. */
  organization?: { isFirst: boolean };
}

interface Rule {
  /** The least role of an operator. */
  role: Role;
  /** Which operators with that role may; left out: all. */
  operator?: (viewer: OperatorViewer, subject: Subject) => boolean;
  /** Which agents may; left out: none. */
  agent?: (viewer: AgentViewer, subject: Subject) => boolean;
}

const isLeadOf = (viewer: AgentViewer, boardId: string | null | undefined) =>
  viewer.agentKind === 'BOARD_LEAD' && boardId != null && viewer.boardId === boardId;

/** A lead talks to its board's agents; a gateway's main agent to the leads on it. */
const mayTalkTo = (viewer: AgentViewer, { agent }: Subject) =>
  isLeadOf(viewer, agent?.boardId) ||
  (viewer.agentKind === 'GATEWAY_MAIN' && agent?.kind === 'BOARD_LEAD' && agent.gatewayId === viewer.gatewayId);

/** Owners' tokens are for owners alone: with one, an administrator would be an owner. */
const mayGrant = (viewer: OperatorViewer, { token }: Subject) =>
  token !== undefined && rank[viewer.role] >= rank[token.role === 'OWNER' ? 'OWNER' : 'ADMIN'];

const rank: Record<Role, number> = { VIEWER: 0, MEMBER: 1, ADMIN: 2, OWNER: 3 };

/** Who may do what. Whether the viewer can see the object at all is another question: see visibility.ts. */
const policy = {
  /** Also what is read of it by way of its agents and boards, and its templates' syncs. */
  readGateway: { role: 'VIEWER', agent: ({ agentKind }) => agentKind === 'GATEWAY_MAIN' },
  createGateway: { role: 'ADMIN' },
  updateGateway: { role: 'ADMIN' },
  deleteGateway: { role: 'ADMIN' },
  syncGatewayTemplates: { role: 'ADMIN' },
  checkGateway: { role: 'MEMBER' },
  /** What is read live from the gateway: sessions, workspace files, documents. */
  inspectGateway: { role: 'VIEWER' },
  /** What was done in the whole organization. What was done to a board or a gateway is for whoever sees that. */
  readActivity: { role: 'ADMIN' },
  createBoard: { role: 'ADMIN' },
  updateBoard: { role: 'ADMIN' },
  deleteBoard: { role: 'ADMIN' },
  createAgent: { role: 'ADMIN', agent: (viewer, { boardId }) => isLeadOf(viewer, boardId) },
  updateAgent: { role: 'ADMIN' },
  deleteAgent: { role: 'ADMIN' },
  reprovisionAgent: { role: 'ADMIN' },
  adoptAgent: { role: 'ADMIN' },
  pauseAgent: { role: 'MEMBER' },
  resumeAgent: { role: 'MEMBER' },
  sendAgentMessage: { role: 'MEMBER', agent: mayTalkTo },
  wakeAgent: { role: 'MEMBER', agent: mayTalkTo },
  heartbeat: { role: 'ADMIN', agent: (viewer, { agent }) => agent?.id === viewer.agentId },
  createTask: { role: 'MEMBER', agent: (viewer, { boardId }) => isLeadOf(viewer, boardId) },
  updateTask: {
    role: 'MEMBER',
    agent: (viewer, { task }) => isLeadOf(viewer, task?.boardId) || task?.assigneeId === viewer.agentId,
  },
  deleteTask: { role: 'MEMBER', agent: (viewer, { task }) => isLeadOf(viewer, task?.boardId) },
  assignTask: { role: 'MEMBER', agent: (viewer, { task }) => isLeadOf(viewer, task?.boardId) },
  /** Who can get in is for administrators to know, owners' tokens included; no secret is among it. */
  readApiTokens: { role: 'ADMIN' },
  createApiToken: { role: 'ADMIN', operator: mayGrant },
  /** Anybody may give up their own. */
  revokeApiToken: {
    role: 'VIEWER',
    operator: (viewer, subject) =>
      (viewer.tokenId !== null && viewer.tokenId === subject.token?.id) || mayGrant(viewer, subject),
  },
  /** The installation is its first organization's. */
  createOrganization: { role: 'OWNER', operator: (_viewer, { organization }) => organization?.isFirst ?? false },
} satisfies Record<string, Rule>;

export type Action = keyof typeof policy;

/** Whether the viewer may do this to that. Pure. */
export function permits(viewer: Viewer, action: Action, subject: Subject = {}): boolean {
  const rule: Rule = policy[action];
  if (viewer.kind === 'OPERATOR')
    return rank[viewer.role] >= rank[rule.role] && (rule.operator?.(viewer, subject) ?? true);
  return rule.agent?.(viewer, subject) ?? false;
}
