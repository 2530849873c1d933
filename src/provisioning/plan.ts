import type { Agent, AgentRequest } from '../generated/prisma/client.ts';
import { readProfile } from './profile.ts';

// Deciding: from what is wanted and what was observed to what is to be done. No I/O.

type EntryFields = Pick<
  Agent,
  | 'name'
  | 'workspacePath'
  | 'identityProfile'
  | 'isManaged'
  | 'heartbeatEnabled'
  | 'heartbeatIntervalSeconds'
  | 'status'
>;

/**
 * The agent's entry in the gateway's configuration, as it should be; a merge patch. Who an adopted agent is stays its own
 * business until it is reprovisioned with force.
 */
export function wantedEntry(agent: EntryFields) {
  const { emoji } = readProfile(agent.identityProfile);
  const name = literal(agent.name);
  return {
    name,
    workspace: agent.workspacePath,
    ...(agent.isManaged && { identity: { name, emoji: emoji && literal(emoji) } }),
    // With another target and no channel, the model is never called (measured on OpenClaw 2026.9.6). 0m is off.
    heartbeat: { every: beats(agent) ? `${agent.heartbeatIntervalSeconds}s` : '0m', target: 'none' },
  };
}

/**
 * As a text of OpenClaw's configuration: in the place of `${NAME}` it would put a variable of its process's environment, such as a
 * key (measured on OpenClaw 2026.9.6).
 */
const literal = (text: string) => text.replaceAll('${', '$ {');

/** Whether the gateway is to let the agent look for work. */
export function beats({ heartbeatEnabled, status }: Pick<Agent, 'heartbeatEnabled' | 'status'>): boolean {
  return heartbeatEnabled && status !== 'PAUSED';
}

/** What is to be done once to an agent, beside bringing it in line. */
export function isRequested({ requests }: Pick<Agent, 'requests'>, request: AgentRequest): boolean {
  return requests.includes(request);
}

export interface Work<T> {
  /** Agents that are to leave the gateway. */
  remove: T[];
  /** Agents whose gateway is to be brought in line with them. */
  provision: T[];
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
    // The others wait for the one to leave whose id on the gateway they are to have.
    provision: wanted.filter((agent) => !leaving.has(agent.openclawAgentId)),
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
  agent: Pick<Agent, 'tokenHash' | 'previousTokenHash' | 'requests'>,
  found: { token: string; hash: string } | null,
): TokenDecision {
  if (found && found.hash === agent.tokenHash) {
    const rotate = isRequested(agent, 'ROTATE_TOKEN');
    return rotate ? { kind: 'issue', stillValid: found.hash } : { kind: 'keep', token: found.token };
  }
  // The workspace has the token before: the one after it was never written, or not by us. It works until it is replaced.
  if (found && found.hash === agent.previousTokenHash) return { kind: 'issue', stillValid: found.hash };
  return { kind: 'issue', stillValid: agent.previousTokenHash ?? agent.tokenHash };
}
