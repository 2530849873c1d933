import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Gateway } from './gateway.ts';
import { checkParams, optionalNumber, optionalText, text } from './params.ts';
import { type Dict, invalid, unavailable } from './wire.ts';

export interface Session {
  key: string;
  agentId: string;
  sessionId: string;
  lifecycleRevision: string;
  label: string | undefined;
  createdAt: number;
  updatedAt: number;
  status: 'queued' | 'running' | 'done' | 'failed' | 'killed' | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;
  lastRunId: string | undefined;
  lastRunError: string | undefined;
  messages: Dict[];
}

/** Conversations, by key `agent:<agent id>:<name>`. Other keys belong to the main agent. */
export class Sessions {
  readonly #gateway: Gateway;
  readonly #sessions = new Map<string, Session>();
  /** Agents deleted since their sessions were last asked for. */
  readonly #revoked = new Set<string>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  find(key: string): Session | undefined {
    return this.#sessions.get(fullKey(key));
  }

  /** The session of a key, made when there is none: also for agents that do not exist. */
  open(key: string): Session {
    const existing = this.find(key);
    if (existing) return existing;
    const now = Date.now();
    const full = fullKey(key);
    this.#revoked.delete(full.split(':')[1] ?? '');
    const session: Session = {
      key: full,
      agentId: full.split(':')[1] ?? 'main',
      sessionId: randomUUID(),
      lifecycleRevision: randomUUID(),
      label: undefined,
      createdAt: now,
      updatedAt: now,
      status: undefined,
      startedAt: undefined,
      endedAt: undefined,
      lastRunId: undefined,
      lastRunError: undefined,
      messages: [],
    };
    this.#sessions.set(full, session);
    return session;
  }

  /** How many there are, of one agent or of all. */
  count(agentId?: string): number {
    return [...this.#sessions.values()].filter((each) => agentId === undefined || each.agentId === agentId).length;
  }

  /** After this, the first sessions.list of that agent fails, as on a real gateway. */
  revokeAgent(agentId: string): void {
    this.#revoked.add(agentId);
  }

  forgetAgent(agentId: string): void {
    this.revokeAgent(agentId);
    for (const [key, session] of this.#sessions) if (session.agentId === agentId) this.#sessions.delete(key);
  }

  patch(params: Dict): Dict {
    checkParams('sessions.patch', params, {
      required: ['key'],
      optional: ['label', 'archived', 'pinned', 'model', 'thinkingLevel', 'category'],
    });
    const key = text('sessions.patch', params, 'key');
    const { label } = params;
    if (label === '' || (label !== undefined && label !== null && typeof label !== 'string')) {
      throw invalid(
        'invalid sessions.patch params: at /label: must not have fewer than 1 characters; at /label: must be null; at /label: must match a schema in anyOf',
      );
    }
    if (params.archived === true && fullKey(key).endsWith(':main')) {
      throw invalid("Cannot archive an agent's main session.");
    }
    const agentId = fullKey(key).split(':')[1];
    const holder = [...this.#sessions.values()].find(
      (session) => typeof label === 'string' && session.label === label && session.agentId === agentId,
    );
    if (holder && holder.key !== fullKey(key)) throw invalid(`label already in use: ${String(label)}`);
    if (agentId !== undefined && this.#gateway.agents.isDeleted(agentId)) {
      throw unavailable('Session patch failed unexpectedly. Retry the request.');
    }
    const session = this.open(key);
    if (label !== undefined) session.label = typeof label === 'string' ? label : undefined;
    session.updatedAt = Date.now();
    this.changed(session, { reason: 'patch' });
    return { ok: true, path: this.#path(session.agentId), key: session.key, entry: entryOf(session), resolved };
  }

  /** Same session id, new revision, empty transcript; a running turn is aborted. The label stays. */
  reset(params: Dict): Dict {
    checkParams('sessions.reset', params, { required: ['key'], optional: ['reason', 'expectedSessionId', 'agentId'] });
    const session = this.open(text('sessions.reset', params, 'key'));
    this.#gateway.runs.abortSession(session.key, 'restart');
    session.messages = [];
    session.lifecycleRevision = randomUUID();
    session.updatedAt = Date.now();
    session.status = undefined;
    this.changed(session, { reason: 'reset' });
    return { ok: true, key: session.key, entry: entryOf(session), resolved };
  }

  delete(params: Dict): Dict {
    checkParams('sessions.delete', params, {
      required: ['key'],
      optional: ['deleteTranscript', 'expectedSessionId', 'agentId'],
    });
    const key = fullKey(text('sessions.delete', params, 'key'));
    if (key.endsWith(':main')) throw invalid(`Cannot delete the main session (${key}).`);
    const deleted = this.#sessions.delete(key);
    if (deleted) this.#publish({ sessionKey: key, agentId: key.split(':')[1], reason: 'delete', ts: Date.now() });
    return { ok: true, key, deleted, archived: [] };
  }

  list(params: Dict): Dict {
    checkParams('sessions.list', params, {
      optional: words(
        'limit offset agentId label search configuredAgentsOnly includeLastMessage includeDerivedTitles includeGlobal includeUnknown activeOnly activeMinutes archived',
      ),
    });
    const agentId = optionalText(params, 'agentId');
    const label = optionalText(params, 'label');
    if (agentId !== undefined && this.#revoked.delete(agentId)) {
      throw unavailable('WorkerTaskError: Session history database read was revoked: code=unavailable');
    }
    const all = [...this.#sessions.values()]
      .filter((session) => agentId === undefined || session.agentId === agentId)
      .filter((session) => label === undefined || session.label === label)
      .filter((session) => params.configuredAgentsOnly !== true || this.#gateway.agents.has(session.agentId))
      .sort((a, b) => b.updatedAt - a.updatedAt);
    const limit = optionalNumber(params, 'limit') ?? 100;
    const offset = optionalNumber(params, 'offset') ?? 0;
    const page = all.slice(offset, offset + limit);
    const hasMore = offset + page.length < all.length;
    return {
      ts: Date.now(),
      path: agentId ? this.#path(agentId) : '(multiple)',
      count: page.length,
      totalCount: all.length,
      limitApplied: limit,
      nextOffset: hasMore ? offset + page.length : null,
      hasMore,
      owners: [],
      defaults: { modelProvider: 'simulated', model: 'simulated-1', contextTokens: 128_000 },
      sessions: page.map((session) => this.row(session)),
    };
  }

  row(session: Session): Dict {
    const running = session.status === 'running' || session.status === 'queued';
    const { startedAt, endedAt } = session;
    return {
      key: session.key,
      visibility: 'shared',
      createdVia: 'operator',
      createdAt: session.createdAt,
      kind: 'direct',
      ...(session.label === undefined ? {} : { label: session.label, displayName: session.label }),
      classification: session.key.endsWith(':main') ? 'main' : 'other',
      agentId: session.agentId,
      isMain: session.key.endsWith(':main'),
      updatedAt: session.updatedAt,
      archived: false,
      pinned: false,
      sessionId: session.sessionId,
      ...(session.status ? { status: session.status } : {}),
      ...(startedAt ? { startedAt } : {}),
      ...(startedAt && endedAt && !running ? { endedAt, runtimeMs: endedAt - startedAt } : {}),
      ...(session.lastRunId ? { lastRunId: session.lastRunId } : {}),
      ...(session.lastRunError ? { lastRunError: session.lastRunError } : {}),
      modelProvider: 'simulated',
      model: 'simulated-1',
      contextTokens: 128_000,
      snapshotAt: Date.now(),
      hasActiveRun: running,
    };
  }

  /** Tells those who subscribed, with the whole row. */
  changed(session: Session, what: Dict): void {
    this.#publish({
      sessionKey: session.key,
      agentId: session.agentId,
      ...what,
      ts: Date.now(),
      session: this.row(session),
      updatedAt: session.updatedAt,
      sessionId: session.sessionId,
      label: session.label ?? null,
    });
  }

  /** Adds to the transcript. */
  say(session: Session, message: Dict): void {
    session.messages.push(message);
    session.updatedAt = Date.now();
    const payload = {
      sessionKey: session.key,
      agentId: session.agentId,
      message,
      messageId: randomUUID(),
      messageSeq: session.messages.length,
      session: this.row(session),
    };
    this.#gateway.broadcast('session.message', payload, 'session-subscribers');
  }

  #publish(payload: Dict): void {
    this.#gateway.broadcast('sessions.changed', payload, 'session-subscribers');
  }

  #path(agentId: string): string {
    return join(this.#gateway.stateDir, 'agents', agentId, 'agent', 'openclaw-agent.sqlite');
  }
}

const resolved = {
  modelProvider: 'simulated',
  model: 'simulated-1',
  agentRuntime: { id: 'openclaw', source: 'implicit' },
};

function words(list: string): string[] {
  return list.split(' ');
}

function fullKey(key: string): string {
  return /^agent:[^:]+:.+$/.test(key) ? key : `agent:main:${key}`;
}

function entryOf(session: Session): Dict {
  return {
    sessionId: session.sessionId,
    lifecycleRevision: session.lifecycleRevision,
    updatedAt: session.updatedAt,
    createdVia: 'operator',
    createdAt: session.createdAt,
    ...(session.label === undefined ? {} : { label: session.label }),
  };
}
