import type { ActorKind, AgentKind, Role } from '../generated/prisma/client.ts';

/** Who did something, as it is kept and shown. */
export interface Actor {
  kind: ActorKind;
  /** Of the operator token, or of the agent; for somebody whom an identity provider vouches for, their subject there. */
  id: string;
  /** Of the token or the agent; what the identity provider calls them. */
  name: string;
  /** The first characters of the credential, to tell one from another; never more. */
  credential: string;
}

/** An operator: a person or a script with an operator token, or somebody whom the identity provider vouches for. */
export interface OperatorViewer {
  kind: 'OPERATOR';
  organizationId: string;
  actor: Actor;
  role: Role;
  /** Of the operator token; null for somebody of the identity provider. */
  tokenId: string | null;
}

/** An agent that calls with its own token. */
export interface AgentViewer {
  kind: 'AGENT';
  organizationId: string;
  actor: Actor;
  agentId: string;
  agentKind: AgentKind;
  /** Null for a gateway's main agent. */
  boardId: string | null;
  gatewayId: string;
}

/** Who is asking. */
export type Viewer = OperatorViewer | AgentViewer;
