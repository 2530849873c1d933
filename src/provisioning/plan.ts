import type { Agent } from '../generated/prisma/client.ts';
import { readProfile } from './profile.ts';

// Deciding: from what is wanted and what was observed to what is to be done. No I/O.

/** The agent's entry in the gateway's configuration, as it should be. */
export function wantedEntry(agent: Agent) {
  const { emoji } = readProfile(agent.identityProfile);
  const heartbeats = agent.heartbeatEnabled && agent.status !== 'PAUSED';
  return {
    name: agent.name,
    workspace: agent.workspacePath,
    identity: { name: agent.name, ...(emoji && { emoji }) },
    // With another target and no channel, the model is never called (measured on OpenClaw 2026.9.6). 0m is off.
    heartbeat: { every: heartbeats ? `${agent.heartbeatIntervalSeconds}s` : '0m', target: 'none' },
  };
}

export interface Work<T> {
  /** Agents that are to leave the gateway. */
  remove: T[];
  /** Agents whose gateway is to be brought in line with them. */
  provision: T[];
  /** Agents that wait for another one to leave, whose id on the gateway they are to have. */
  blocked: T[];
}

/**
 * What a run has to do.
 * @param due agents of one gateway that are due
 * @param leaving ids on the gateway of all agents that have not left it yet, due or not
 */
export function divideWork<T extends Pick<Agent, 'openclawAgentId' | 'deletionRequestedAt'>>(
  due: readonly T[],
  leaving: ReadonlySet<string>,
): Work<T> {
  const remove = due.filter((agent) => agent.deletionRequestedAt !== null);
  const wanted = due.filter((agent) => agent.deletionRequestedAt === null);
  return {
    remove,
    provision: wanted.filter((agent) => !leaving.has(agent.openclawAgentId)),
    blocked: wanted.filter((agent) => leaving.has(agent.openclawAgentId)),
  };
}

export type TokenDecision =
  /** The token in the workspace is the agent's: it stays. */
  | { kind: 'keep'; token: string }
  /** A new one is needed. Until it is in the workspace, `stillValid` must work as well. */
  | { kind: 'issue'; stillValid: string | null };

/**
 * Whether an agent needs a new token. Only hashes are stored, so the token itself is known only from the workspace.
 *
 * @param found the token in the agent's workspace now and its hash; null when there is none
 */
export function decideToken(
  agent: Pick<Agent, 'tokenHash' | 'previousTokenHash'>,
  found: { token: string; hash: string } | null,
): TokenDecision {
  if (found && found.hash === agent.tokenHash) return { kind: 'keep', token: found.token };
  // The workspace has the token before: the one after it was never written, or not by us. It works until it is replaced.
  if (found && found.hash === agent.previousTokenHash) return { kind: 'issue', stillValid: found.hash };
  return { kind: 'issue', stillValid: agent.previousTokenHash ?? agent.tokenHash };
}
