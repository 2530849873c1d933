import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { hasReason, isLabelInUse } from './errors.ts';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';
import { agentIdOf } from './session-key.ts';

export interface SessionSummary {
  /** For example `agent:mc-1:main`. */
  key: string;
  label: string | null;
  /** The agent's id on the gateway. */
  agentId: string | null;
  updatedAt: Date | null;
  /** `queued` (it waits for runs of other agents), `running`, `done` or `failed`; null when the session has had no run. */
  status: string | null;
  /** Whether one is queued or under way. */
  hasActiveRun: boolean;
  /** When the latest run ended, by the gateway's clock; null while one is under way, and when there was none. */
  endedAt: Date | null;
  /** What the latest run failed with. */
  lastRunError: string | null;
}

const page = z.looseObject({
  sessions: z.array(
    z.looseObject({
      key: z.string(),
      label: z.string().nullish(),
      agentId: z.string().nullish(),
      updatedAt: z.number().nullish(),
      status: z.string().nullish(),
      hasActiveRun: z.boolean().nullish(),
      endedAt: z.number().nullish(),
      lastRunError: z.unknown().optional(),
    }),
  ),
  nextOffset: z.number().nullish(),
});
const PAGE_SIZE = 200;

/** All sessions of the gateway, or of one agent, over all pages. Throws a `GatewayError`, or `signal.reason` when aborted. */
export async function listSessions(
  gateway: GatewayRequests,
  filter: { agentId?: string } = {},
  options?: RequestOptions,
): Promise<SessionSummary[]> {
  // By key, since a session that is used while the pages are read moves to the front.
  const sessions = new Map<string, SessionSummary>();
  let offset: number | null = 0;
  while (offset !== null) {
    const params: object = { ...filter, limit: PAGE_SIZE, offset };
    const answer: z.output<typeof page> = await askForPage(gateway, params, options);
    for (const row of answer.sessions) sessions.set(row.key, summaryOf(row));
    const next: number | null = answer.nextOffset ?? null;
    offset = next !== null && next > offset ? next : null;
  }
  return [...sessions.values()];
}

// The first list after a delete fails in most tries, and the next one works (measured on OpenClaw 2026.9.6).
const LIST_TRIES = 3;

async function askForPage(gateway: GatewayRequests, params: object, options?: RequestOptions) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask(gateway, 'sessions.list', params, page, options);
    } catch (error) {
      if (!hasReason(error, 'busy') || tries >= LIST_TRIES) throw error;
      await sleep(error.retryAfterMs ?? 100, undefined, options?.signal ? { signal: options.signal } : {});
    }
  }
}

function summaryOf(row: z.output<typeof page>['sessions'][number]): SessionSummary {
  return {
    key: row.key,
    label: row.label ?? null,
    agentId: row.agentId ?? agentIdOf(row.key),
    updatedAt: typeof row.updatedAt === 'number' ? new Date(row.updatedAt) : null,
    status: row.status ?? null,
    hasActiveRun: row.hasActiveRun ?? false,
    endedAt: typeof row.endedAt === 'number' ? new Date(row.endedAt) : null,
    lastRunError: typeof row.lastRunError === 'string' ? row.lastRunError : null,
  };
}

const MAX_LABEL_LENGTH = 512;
const LABEL_TRIES = 5;

/**
 * Labels a session, and creates it if need be — also for an agent that does not exist, so register the agent first. Labels are
 * unique per agent only: when another session of the same agent has it, " (2)", " (3)" … is put behind. Returns the label given.
 * An empty label is refused by the gateway. (Measured on OpenClaw 2026.9.6.)
 */
export async function patchSessionLabel(
  gateway: GatewayRequests,
  input: { key: string; label: string },
): Promise<{ label: string }> {
  for (let tries = 1; ; tries += 1) {
    const suffix = tries === 1 ? '' : ` (${tries})`;
    const label = input.label.slice(0, MAX_LABEL_LENGTH - suffix.length) + suffix;
    try {
      await gateway.request('sessions.patch', { key: input.key, label });
      return { label };
    } catch (error) {
      if (!isLabelInUse(error) || tries >= LABEL_TRIES) throw error;
    }
  }
}

/** Asks for `sessions.changed` events on this connection; they are gone after a reconnect. */
export async function subscribeSessions(gateway: GatewayRequests): Promise<void> {
  await gateway.request('sessions.subscribe', {});
}

const RESET_TRIES = 5;

/**
 * Begins a session afresh: what was said in it is gone from the model's view, its label stays, and a run under way is aborted.
 * 65 to 85 ms; one at a time per session, so a reset by somebody else is waited for (measured on OpenClaw 2026.9.6). Throws a
 * `GatewayError`.
 */
export async function resetSession(gateway: GatewayRequests, key: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await gateway.request('sessions.reset', { key, reason: 'reset' });
      return;
    } catch (error) {
      if (!hasReason(error, 'session-busy') || tries >= RESET_TRIES) throw error;
      await sleep(error.retryAfterMs ?? 250);
    }
  }
}
