import { z } from 'zod';
import { GatewayError } from './errors.ts';
import { ask, type GatewayRequests } from './requests.ts';
import { sessionKeyOf } from './session-key.ts';
import { listSessions } from './sessions.ts';

export interface SendChatInput {
  sessionKey: string;
  message: string;
  /** The same key with the same message starts nothing twice; with another message it is refused. Becomes the run's id. */
  idempotencyKey: string;
}

const sent = z.looseObject({ runId: z.string(), status: z.string() });
const aborted = z.looseObject({ aborted: z.boolean().nullish(), runIds: z.array(z.string()).nullish() });

/**
 * Sends a message to an agent, which starts a run. `status` is `started`; for a repetition `in_flight` or `ok`, and `started` again
 * when a restart of the gateway killed the run. It is accepted also where no model is usable; the run then fails after some
 * seconds. Throws a `GatewayError`. (Measured on OpenClaw 2026.9.6.)
 */
export async function sendChat(
  gateway: GatewayRequests,
  input: SendChatInput,
): Promise<{ runId: string; status: string }> {
  const { runId, status } = await ask(gateway, 'chat.send', input, sent);
  return { runId, status };
}

/** Stops the runs of a session, or one of them. Nothing to stop is no error. */
export async function abortChat(
  gateway: GatewayRequests,
  input: { sessionKey: string; runId?: string },
): Promise<{ runIds: string[] }> {
  const answer = await ask(gateway, 'chat.abort', input, aborted);
  return { runIds: answer.runIds ?? [] };
}

/** Stops all runs of an agent, also those that wait for their turn. `agentId` is its id on the gateway. Throws a `GatewayError`. */
export async function abortRuns(gateway: GatewayRequests, agentId: string): Promise<void> {
  for (const sessionKey of await keysOfRuns(gateway, agentId)) await abortChat(gateway, { sessionKey });
}

/**
 * Its sessions with runs, and always the main one: those of an agent that is being deleted cannot be listed at times, and can be
 * stopped.
 */
async function keysOfRuns(gateway: GatewayRequests, agentId: string): Promise<Set<string>> {
  const keys = new Set([sessionKeyOf(agentId)]);
  try {
    const sessions = await listSessions(gateway, { agentId });
    for (const { key, hasActiveRun } of sessions) if (hasActiveRun) keys.add(key);
  } catch (error) {
    if (!(error instanceof GatewayError && error.retryable)) throw error;
  }
  return keys;
}
