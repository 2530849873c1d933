import { z } from 'zod';
import { abortRuns } from './chat.ts';
import { hasReason, isNotFound } from './errors.ts';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';

export interface AgentSummary {
  /** The agent's id on the gateway. */
  id: string;
  name: string | null;
  workspace: string | null;
  /**
   * What the agent's commands may do without being asked for: `full` runs them, `guarded` and `workspace` wait for an approval,
   * `read-only` runs none. Null when the gateway does not tell, as for an allowlist or a sandbox (measured on OpenClaw 2026.9.6).
   */
  permissionMode: string | null;
}

const agentList = z.looseObject({
  agents: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string().nullish(),
      identity: z.looseObject({ name: z.string().nullish() }).nullish(),
      workspace: z.string().nullish(),
      defaultPermissionMode: z.string().nullish(),
    }),
  ),
});

/** All agents that run on the gateway, `main` included; there are no pages. An agent just created may be missing for a second. */
export async function listAgents(gateway: GatewayRequests, options?: RequestOptions): Promise<AgentSummary[]> {
  const { agents } = await ask(gateway, 'agents.list', {}, agentList, options);
  return agents.map(({ id, name, identity, workspace, defaultPermissionMode }) => ({
    id,
    name: name ?? identity?.name ?? null,
    workspace: workspace ?? null,
    permissionMode: defaultPermissionMode ?? null,
  }));
}

/**
 * Makes an agent by its id, which must be a slug already, with a workspace of templates where there is none. This alone gives an
 * id back that an agent had which was deleted: when it comes back by `config.patch`, OpenClaw 2026.9.6 restarts, keeps its
 * database locked ("unavailable while agent … is deleted"), and restarts again at every later patch (measured). One that exists
 * is no error. It can be used some moments later.
 */
export async function createAgent(gateway: GatewayRequests, input: { id: string; workspace: string }): Promise<void> {
  try {
    await gateway.request('agents.create', { name: input.id, workspace: input.workspace });
  } catch (error) {
    if (!hasReason(error, 'already-exists')) throw error;
  }
}

// A delete takes 0.8 to 4.5 s, and ten at once took 33 s, the last of them longer than the usual deadline (measured on OpenClaw
// 2026.9.6).
const DELETE_TIMEOUT_MS = 120_000;
const deletes = new WeakMap<GatewayRequests, Promise<unknown>>();

const deleted = z.looseObject({ purgeFailed: z.boolean().nullish() });

export interface DeleteAgentInput {
  agentId: string;
  /** Whether the workspace goes to the trash of the gateway's user as well. @default true */
  deleteFiles?: boolean;
}

/**
 * Removes an agent with its sessions and jobs. One at a time per connection; waits for its turn. `removed` is false when the
 * gateway has no such agent. With a run under way the gateway leaves the workspace, and the token in it, where they are
 * (measured on OpenClaw 2026.9.6), so runs are stopped first; `keptFiles` when it has left them all the same, as one may begin
 * in between. Throws a `GatewayError`, or `signal.reason` when aborted before or during the request.
 */
export async function deleteAgent(
  gateway: GatewayRequests,
  { agentId, deleteFiles = true }: DeleteAgentInput,
  signal?: AbortSignal,
): Promise<{ removed: boolean; keptFiles: boolean }> {
  const turn = (deletes.get(gateway) ?? Promise.resolve()).then(async () => {
    signal?.throwIfAborted();
    if (deleteFiles) await abortRuns(gateway, agentId);
    const options = signal ? { timeoutMs: DELETE_TIMEOUT_MS, signal } : { timeoutMs: DELETE_TIMEOUT_MS };
    return ask(gateway, 'agents.delete', { agentId, deleteFiles }, deleted, options);
  });
  deletes.set(
    gateway,
    turn.catch(() => {}), // the next one's turn comes, however this one ended
  );
  try {
    const { purgeFailed } = await turn;
    return { removed: true, keptFiles: purgeFailed === true };
  } catch (error) {
    if (isNotFound(error)) return { removed: false, keptFiles: false };
    throw error;
  }
}
