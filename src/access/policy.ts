import type { AgentKind, Role } from '../generated/prisma/client.ts';
import type { AgentViewer, Viewer } from './viewer.ts';

/** What an action is done to, as far as the rules need it. */
export interface Subject {
  agent?: { id: string; kind: AgentKind; boardId: string | null; gatewayId: string };
  boardId?: string;
  task?: { boardId: string; assigneeId: string | null };
}

interface Rule {
  /** The least role of an operator. */
  role: Role;
  /** Which agents may; left out: none. */
  agent?: (viewer: AgentViewer, subject: Subject) => boolean;
}

const isLeadOf = (viewer: AgentViewer, boardId: string | null | undefined) =>
  viewer.agentKind === 'BOARD_LEAD' && boardId != null && viewer.boardId === boardId;

/** A lead talks to its board's agents; a gateway's main agent to the leads on it. */
const mayTalkTo = (viewer: AgentViewer, { agent }: Subject) =>
  isLeadOf(viewer, agent?.boardId) ||
  (viewer.agentKind === 'GATEWAY_MAIN' && agent?.kind === 'BOARD_LEAD' && agent.gatewayId === viewer.gatewayId);

/** Who may do what. Whether the viewer can see the object at all is another question: see visibility.ts. */
const policy = {
  createGateway: { role: 'ADMIN' },
  checkGateway: { role: 'MEMBER' },
  /** What is read live from the gateway: sessions, workspace files, documents. */
  inspectGateway: { role: 'VIEWER' },
  createBoard: { role: 'ADMIN' },
  createAgent: { role: 'ADMIN', agent: (viewer, { boardId }) => isLeadOf(viewer, boardId) },
  deleteAgent: { role: 'ADMIN' },
  sendAgentMessage: { role: 'MEMBER', agent: mayTalkTo },
  wakeAgent: { role: 'MEMBER', agent: mayTalkTo },
  heartbeat: { role: 'ADMIN', agent: (viewer, { agent }) => agent?.id === viewer.agentId },
  createTask: { role: 'MEMBER', agent: (viewer, { boardId }) => isLeadOf(viewer, boardId) },
  updateTask: {
    role: 'MEMBER',
    agent: (viewer, { task }) => isLeadOf(viewer, task?.boardId) || task?.assigneeId === viewer.agentId,
  },
  assignTask: { role: 'MEMBER', agent: (viewer, { task }) => isLeadOf(viewer, task?.boardId) },
} satisfies Record<string, Rule>;

export type Action = keyof typeof policy;

const rank: Record<Role, number> = { VIEWER: 0, MEMBER: 1, ADMIN: 2, OWNER: 3 };

/** Whether the viewer may do this to that. Pure. */
export function permits(viewer: Viewer, action: Action, subject: Subject = {}): boolean {
  const rule: Rule = policy[action];
  if (viewer.kind === 'OPERATOR') return rank[viewer.role] >= rank[rule.role];
  return rule.agent?.(viewer, subject) ?? false;
}
