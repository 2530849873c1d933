import type { AgentEvent } from '../generated/prisma/client.ts';
import type { LiveHeartbeat } from './live.ts';

/** An event as subscribers get it. One that is not logged has the seq of the last logged event before it. */
export type FeedEvent = AgentEvent & { isLogged: boolean };

/** A live event, or what was made of it for everybody who wants the same. */
export interface Live<T> {
  /** The event's place in the log. */
  seq: bigint;
  isLogged: boolean;
  value: T;
}

/** Not what a reader has read from the log before it was published here, nor an unkept heartbeat from before that. */
export function isNews({ seq, isLogged }: Omit<Live<unknown>, 'value'>, seen: bigint): boolean {
  return isLogged ? seq > seen : seq >= seen;
}

/** A heartbeat that nothing but the time was new in: it is told, and not kept. `seq` is that of the last logged event. */
export function heartbeatEvent({ agent, at }: LiveHeartbeat, seq: bigint): FeedEvent {
  return {
    seq,
    organizationId: agent.organizationId,
    agentId: agent.id,
    boardId: agent.boardId,
    gatewayId: agent.gatewayId,
    type: 'HEARTBEAT',
    at,
    status: agent.status,
    previousStatus: null,
    liveness: agent.liveness,
    stepName: null,
    stepOutcome: null,
    stepDetail: null,
    stepStartedAt: null,
    stepDurationMs: null,
    message: null,
    actorKind: null,
    actorId: null,
    actorName: null,
    actorCredential: null,
    isLogged: false,
  };
}
