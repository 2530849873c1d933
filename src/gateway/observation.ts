import { z } from 'zod';
import { heartbeatAgentId } from './cron.ts';
import { agentIdOf } from './session-key.ts';

/** Something that a gateway's event says has happened. `agentId` is the agent's id on the gateway. */
export type Fact =
  | RunStarted
  | RunEnded
  /** A run goes on: a sign of life. Can come many times a second. */
  | { kind: 'run-active'; agentId: string; runId: string | null; at: Date }
  /** As the gateway listed its sessions when it was connected: who has a run under way, and whose latest one ended when. */
  | { kind: 'runs-listed'; running: string[]; ended: { agentId: string; at: Date }[]; at: Date }
  | { kind: 'session-changed'; agentId: string | null; sessionKey: string | null; reason: string | null; at: Date }
  | { kind: 'config-changed'; hash: string | null; at: Date }
  /** The gateway is going. `restartExpectedMs` is null when it says that it stops for good. */
  | { kind: 'shutdown'; reason: string | null; restartExpectedMs: number | null; at: Date };

/** One run may be told more than once, by `agent`, `chat` and `sessions.changed`, with the same run id. */
export interface RunStarted {
  kind: 'run-started';
  agentId: string;
  /** Null for heartbeats, which are told by the job's events. */
  runId: string | null;
  isHeartbeat: boolean;
  at: Date;
}

export interface RunEnded {
  kind: 'run-ended';
  agentId: string;
  runId: string | null;
  isHeartbeat: boolean;
  /** `skipped`: a heartbeat was due, and the model was not called. That is no sign of life. */
  outcome: 'ok' | 'error' | 'aborted' | 'skipped';
  error: string | null;
  at: Date;
}

/** The part of an event frame that is read. */
export interface EventLike {
  event: string;
  payload?: unknown;
}

/**
 * What an event of a gateway says, as facts; none for events that say nothing about agents. Shapes were measured on OpenClaw
 * 2026.9.6; a payload of another shape gives no facts. `receivedAt` dates facts whose event has no time.
 */
export function observe(event: EventLike, receivedAt: Date): Fact[] {
  const read = READERS.get(event.event);
  return read ? read(event.payload, receivedAt) : [];
}

const text = z.string().nullish().catch(null);
const number = z.number().nullish().catch(null);

type Reader = (payload: unknown, receivedAt: Date) => Fact[];
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['agent', readAgent],
  ['chat', readChat],
  ['cron', readCron],
  ['sessions.changed', readSession],
  ['config.changed', readConfigChange],
  ['shutdown', readShutdown],
]);

// What only a model that answers brings about; a run that finds no usable model has phases of its own before it fails.
const STREAMS_OF_A_WORKING_RUN = ['assistant', 'usage', 'tool'];

const agentEvent = z.looseObject({
  runId: text,
  agentId: text,
  sessionKey: text,
  stream: text,
  ts: number,
  isHeartbeat: z.boolean().nullish().catch(null),
  data: z.looseObject({ phase: text, error: text }).nullish().catch(null),
});

function readAgent(payload: unknown, receivedAt: Date): Fact[] {
  const read = agentEvent.safeParse(payload).data;
  const agentId = read?.agentId ?? agentIdOf(read?.sessionKey ?? '');
  if (!read || !agentId) return [];
  const at = dateOf(read.ts, receivedAt);
  const runId = read.runId ?? null;
  const isHeartbeat = read.isHeartbeat ?? false;
  const phase = read.stream === 'lifecycle' ? read.data?.phase : null;
  if (phase === 'start') return [{ kind: 'run-started', agentId, runId, isHeartbeat, at }];
  if (phase === 'end') {
    return [{ kind: 'run-ended', agentId, runId, isHeartbeat, outcome: 'ok', error: null, at }];
  }
  if (phase === 'error') {
    return [{ kind: 'run-ended', agentId, runId, isHeartbeat, outcome: 'error', error: read.data?.error ?? null, at }];
  }
  return STREAMS_OF_A_WORKING_RUN.includes(read.stream ?? '') ? [{ kind: 'run-active', agentId, runId, at }] : [];
}

const chatEvent = z.looseObject({ runId: text, agentId: text, sessionKey: text, state: text, errorMessage: text });
const CHAT_OUTCOMES: ReadonlyMap<string, RunEnded['outcome']> = new Map<string, RunEnded['outcome']>([
  ['final', 'ok'],
  ['error', 'error'],
  ['aborted', 'aborted'],
]);

// Only the end of a run: `agent` tells the rest, and each piece of a reply is a `chat` event of its own.
function readChat(payload: unknown, at: Date): Fact[] {
  const read = chatEvent.safeParse(payload).data;
  const agentId = read?.agentId ?? agentIdOf(read?.sessionKey ?? '');
  const outcome = CHAT_OUTCOMES.get(read?.state ?? '');
  if (!read || !agentId || !outcome) return [];
  const error = outcome === 'error' ? (read.errorMessage ?? null) : null;
  return [{ kind: 'run-ended', agentId, runId: read.runId ?? null, isHeartbeat: false, outcome, error, at }];
}

const cronEvent = z.looseObject({
  action: text,
  status: text,
  error: text,
  job: z.looseObject({ declarationKey: text }).nullish().catch(null),
});

// The event named `heartbeat` tells no agent, and `skipped` even when the model ran; the job's events tell both.
function readCron(payload: unknown, at: Date): Fact[] {
  const read = cronEvent.safeParse(payload).data;
  const agentId = heartbeatAgentId(read?.job?.declarationKey);
  if (!read || !agentId) return [];
  if (read.action === 'started') return [{ kind: 'run-started', agentId, runId: null, isHeartbeat: true, at }];
  if (read.action !== 'finished') return [];
  const error = read.error ?? null;
  return [
    { kind: 'run-ended', agentId, runId: null, isHeartbeat: true, outcome: cronOutcome(read.status, error), error, at },
  ];
}

// A beat without a route is an error or skipped, by its text "heartbeat skipped: no-route".
function cronOutcome(status: string | null | undefined, error: string | null): RunEnded['outcome'] {
  if (status === 'skipped' || error?.includes('skipped')) return 'skipped';
  return status === 'error' ? 'error' : 'ok';
}

const sessionEvent = z.looseObject({
  sessionKey: text,
  agentId: text,
  reason: text,
  phase: text,
  runId: text,
  ts: number,
  session: z.looseObject({ lastRunError: text }).nullish().catch(null),
});

// Runs of heartbeats and jobs are told to other connections by this event only. Without a key: everything may have changed.
function readSession(payload: unknown, receivedAt: Date): Fact[] {
  const read = sessionEvent.safeParse(payload).data;
  if (!read) return [];
  const at = dateOf(read.ts, receivedAt);
  const sessionKey = read.sessionKey ?? null;
  const agentId = read.agentId ?? agentIdOf(sessionKey ?? '');
  const reason = read.reason ?? read.phase ?? null;
  const changed: Fact = { kind: 'session-changed', agentId, sessionKey, reason, at };
  return agentId === null ? [changed] : [changed, ...runFactsOf(reason, agentId, read, at)];
}

function runFactsOf(reason: string | null, agentId: string, read: z.output<typeof sessionEvent>, at: Date): Fact[] {
  const runId = read.runId ?? null;
  const run = { agentId, runId, isHeartbeat: false, at };
  switch (reason) {
    case 'start':
      return [{ kind: 'run-started', ...run }];
    case 'end':
      return [{ kind: 'run-ended', ...run, outcome: 'ok', error: null }];
    case 'error':
      return [{ kind: 'run-ended', ...run, outcome: 'error', error: read.session?.lastRunError ?? null }];
    default:
      return [];
  }
}

const configEvent = z.looseObject({ hash: text, ts: number });

function readConfigChange(payload: unknown, receivedAt: Date): Fact[] {
  const read = configEvent.safeParse(payload).data;
  return [{ kind: 'config-changed', hash: read?.hash ?? null, at: dateOf(read?.ts, receivedAt) }];
}

const shutdownEvent = z.looseObject({ reason: text, restartExpectedMs: number });

function readShutdown(payload: unknown, at: Date): Fact[] {
  const read = shutdownEvent.safeParse(payload).data;
  return [{ kind: 'shutdown', reason: read?.reason ?? null, restartExpectedMs: read?.restartExpectedMs ?? null, at }];
}

function dateOf(ts: number | null | undefined, fallback: Date): Date {
  return typeof ts === 'number' && ts > 0 ? new Date(ts) : fallback;
}
