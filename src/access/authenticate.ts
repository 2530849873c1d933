import type { Db } from '../db/database.ts';
import { AGENT_TOKEN_PREFIX, hashToken } from './tokens.ts';
import type { Viewer } from './viewer.ts';

/** Who has this token; null when nobody does, or not any more. One look-up in an index. */
export async function authenticate(db: Db, token: string): Promise<Viewer | null> {
  return token.startsWith(AGENT_TOKEN_PREFIX) ? authenticateAgent(db, token) : authenticateOperator(db, token);
}

async function authenticateAgent(db: Db, token: string): Promise<Viewer | null> {
  const hash = hashToken(token);
  const agent = await db.agent.findFirst({
    where: { OR: [{ tokenHash: hash }, { previousTokenHash: hash }], deletionRequestedAt: null },
    select: { id: true, organizationId: true, kind: true, boardId: true, gatewayId: true },
  });
  if (!agent) return null;
  const { id: agentId, kind: agentKind, ...rest } = agent;
  return { kind: 'AGENT', agentId, agentKind, ...rest };
}

async function authenticateOperator(db: Db, token: string): Promise<Viewer | null> {
  const found = await db.apiToken.findUnique({
    where: { tokenHash: hashToken(token) },
    select: { organizationId: true, role: true, expiresAt: true },
  });
  if (!found || (found.expiresAt && found.expiresAt <= new Date())) return null;
  return { kind: 'OPERATOR', organizationId: found.organizationId, role: found.role };
}

/**
 * The token of a request: `Authorization: Bearer …` or `X-Agent-Token: …`, and for a WebSocket the same in
 * connectionParams (`Authorization`, `agentToken`). Null when there is none.
 */
export function tokenOf(credentials: { authorization?: unknown; agentToken?: unknown }): string | null {
  const { authorization, agentToken } = credentials;
  if (typeof agentToken === 'string' && agentToken !== '') return agentToken;
  if (typeof authorization !== 'string') return null;
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null;
}
