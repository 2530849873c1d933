import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { abortRuns } from './chat.ts';
import { GatewayError, hasReason, isNotFound } from './errors.ts';
import { SEE_LOG } from './failures/rule.ts';
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
 * is no error; one that somebody deleted in the middle of a run is deleted to the end first. It can be used some moments later.
 * Throws a `GatewayError`.
 */
export async function createAgent(gateway: GatewayRequests, input: { id: string; workspace: string }): Promise<void> {
  const create = () => gateway.request('agents.create', { name: input.id, workspace: input.workspace });
  try {
    await create().catch(async (error: unknown) => {
      if (!hasReason(error, 'half-deleted')) throw error;
      await deleteAgent(gateway, input.id);
      await create();
    });
  } catch (error) {
    if (!hasReason(error, 'already-exists')) throw error;
  }
}

// A delete takes 0.8 to 4.5 s, and ten at once took 33 s, the last of them longer than the usual deadline (measured on OpenClaw
// 2026.9.6).
const DELETE_TIMEOUT_MS = 120_000;
const deletes = new WeakMap<GatewayRequests, Promise<unknown>>();

const deleted = z.looseObject({ purgeFailed: z.boolean().nullish() });
const DELETE_TRIES = 5;
const DELETE_AGAIN_MS = 500;
const UNPURGED = {
  kind: 'rejected',
  reason: 'session-busy',
  message: 'The gateway has taken the agent out of its configuration and could not remove its files yet.',
  retryable: true,
  hint: SEE_LOG,
} as const;

/**
 * Removes an agent with its sessions, jobs and workspace, which goes to the trash of the gateway's user. `agentId` is its id on
 * the gateway. One at a time per connection; waits for its turn. Whether the gateway had such an agent.
 *
 * With a run under way OpenClaw 2026.9.6 takes the agent out of its configuration, leaves its workspace and database, and does
 * not start any more until they are gone (measured). So runs are stopped first, and when one began in between, it is stopped and
 * the agent deleted again. It is also deleted again when the gateway could not close what a run had open ("resource drainage
 * failed"): until then no sessions can be listed there (measured).
 *
 * @throws GatewayError, with the reason `session-busy` when something of it is still there; `signal.reason` when aborted before
 *   or during the request
 */
export async function deleteAgent(gateway: GatewayRequests, agentId: string, signal?: AbortSignal): Promise<boolean> {
  const turn = (deletes.get(gateway) ?? Promise.resolve()).then(() => deleteWhole(gateway, agentId, signal));
  deletes.set(
    gateway,
    turn.catch(() => {}), // the next one's turn comes, however this one ended
  );
  try {
    await turn;
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function deleteWhole(gateway: GatewayRequests, agentId: string, signal?: AbortSignal): Promise<void> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    await abortRuns(gateway, agentId);
    const failure = await deleteOnce(gateway, agentId, signal);
    if (failure === null) return;
    if (tries === DELETE_TRIES) throw failure;
    await sleep(DELETE_AGAIN_MS);
  }
}

/** Null when nothing of it is left; else why it has to be deleted again. */
async function deleteOnce(gateway: GatewayRequests, agentId: string, signal?: AbortSignal) {
  const options = signal ? { timeoutMs: DELETE_TIMEOUT_MS, signal } : { timeoutMs: DELETE_TIMEOUT_MS };
  try {
    const { purgeFailed } = await ask(gateway, 'agents.delete', { agentId }, deleted, options);
    return purgeFailed === true ? new GatewayError(UNPURGED) : null;
  } catch (error) {
    if (hasReason(error, 'busy')) return error;
    throw error;
  }
}
