import type { AgentKind, Role } from '../generated/prisma/client.ts';

/** An operator: a person or a script with an operator token. */
export interface OperatorViewer {
  kind: 'OPERATOR';
  organizationId: string;
  role: Role;
}

/** An agent that calls with its own token. */
export interface AgentViewer {
  kind: 'AGENT';
  organizationId: string;
  agentId: string;
  agentKind: AgentKind;
  /** Null for a gateway's main agent. */
  boardId: string | null;
  gatewayId: string;
}

/** Who is asking. */
export type Viewer = OperatorViewer | AgentViewer;
