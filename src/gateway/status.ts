import { z } from 'zod';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';

const healthFrame = z.looseObject({
  ok: z.boolean().nullish(),
  eventLoop: z.looseObject({ degraded: z.boolean().nullish() }).nullish(),
});

/** Whether the gateway says that it is well. 3 ms (measured on OpenClaw 2026.9.6). Throws a `GatewayError`. */
export async function health(
  gateway: GatewayRequests,
  options?: RequestOptions,
): Promise<{ ok: boolean; degraded: boolean }> {
  const answer = await ask(gateway, 'health', {}, healthFrame, options);
  return { ok: answer.ok ?? false, degraded: answer.eventLoop?.degraded ?? false };
}

/** How an agent's heartbeats run. */
export interface HeartbeatState {
  agentId: string;
  enabled: boolean;
  /** Milliseconds; null when off. */
  everyMs: number | null;
  /** True when beats are skipped because their target has no channel. */
  waitingForRoute: boolean;
}

const statusFrame = z.looseObject({
  heartbeat: z.looseObject({
    agents: z.array(
      z.looseObject({
        agentId: z.string(),
        enabled: z.boolean().nullish(),
        everyMs: z.number().nullish(),
        waitingForRoute: z.boolean().nullish(),
      }),
    ),
  }),
});

/** The heartbeats of all agents, as they run. Usually 10 ms, at times more than a second (measured on OpenClaw 2026.9.6). */
export async function heartbeatStates(gateway: GatewayRequests, options?: RequestOptions): Promise<HeartbeatState[]> {
  const { heartbeat } = await ask(gateway, 'status', {}, statusFrame, options);
  return heartbeat.agents.map(({ agentId, enabled, everyMs, waitingForRoute }) => ({
    agentId,
    enabled: enabled ?? false,
    everyMs: everyMs ?? null,
    waitingForRoute: waitingForRoute ?? false,
  }));
}
