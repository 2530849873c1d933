import type { Gateway } from './gateway.ts';
import { checkParams, optionalNumber, optionalText, text } from './params.ts';
import type { Run } from './runs.ts';
import { type Dict, invalid, unavailable } from './wire.ts';

/** A message to a session. The idempotency key is the run's id: sent again, it starts nothing. */
export function sendChat(gateway: Gateway, params: Dict): Dict {
  checkParams('chat.send', params, {
    required: ['sessionKey', 'message', 'idempotencyKey'],
    optional: ['deliver', 'attachments', 'thinking', 'timeoutMs', 'agentId', 'sessionId', 'originatingChannel'],
  });
  const message = text('chat.send', params, 'message');
  const id = text('chat.send', params, 'idempotencyKey');
  const key = text('chat.send', params, 'sessionKey');
  if (message.trim() === '') throw invalid('message or attachment required');

  const known = gateway.runs.find(id);
  if (known) return repeated(known, message, key);
  const agentId = /^agent:([^:]+):/.exec(key)?.[1] ?? 'main';
  if (!gateway.agents.has(agentId)) throw invalid(`Agent "${agentId}" no longer exists in configuration`);
  const session = gateway.sessions.open(key);
  gateway.runs.start(id, session, message, 'chat');
  gateway.sessions.changed(session, { reason: 'send' });
  return { runId: id, status: 'started' };
}

function repeated(run: Run, message: string, key: string): Dict {
  if (run.message !== message || !run.sessionKey.endsWith(key)) {
    throw invalid(
      'This message ID was already used for different input. Check the conversation history and use a new message ID to send again.',
      { reason: 'chat-request-conflict' },
    );
  }
  if (run.status === 'running') return { runId: run.id, status: 'in_flight' };
  if (run.status === 'ok') return { runId: run.id, status: 'ok' };
  if (run.status === 'error') throw unavailable(run.error ?? 'run failed');
  return { runId: run.id, status: 'timeout', summary: 'aborted', stopReason: run.stopReason, endedAt: run.endedAt };
}

export function abortChat(gateway: Gateway, params: Dict): Dict {
  checkParams('chat.abort', params, { required: ['sessionKey'], optional: ['runId', 'agentId'] });
  const session = gateway.sessions.find(text('chat.abort', params, 'sessionKey'));
  const runIds = session ? gateway.runs.abortSession(session.key, 'rpc', optionalText(params, 'runId')) : [];
  return { ok: true, aborted: runIds.length > 0, runIds };
}

export function chatHistory(gateway: Gateway, params: Dict): Dict {
  checkParams('chat.history', params, {
    required: ['sessionKey'],
    optional: ['limit', 'offset', 'agentId', 'maxChars', 'cursor'],
  });
  const sessionKey = text('chat.history', params, 'sessionKey');
  const session = gateway.sessions.find(sessionKey);
  const all = session?.messages ?? [];
  const messages = all.slice(-(optionalNumber(params, 'limit') ?? 200));
  return {
    sessionKey,
    ...(session ? { sessionId: session.sessionId } : {}),
    messages,
    pendingInputs: { items: [], total: 0 },
    hasMore: messages.length < all.length,
    totalMessages: all.length,
  };
}

/** Waits for a run's end, or answers `timeout`: also for runs that nobody knows. */
export async function waitForRun(gateway: Gateway, params: Dict): Promise<Dict> {
  checkParams('agent.wait', params, { required: ['runId'], optional: ['timeoutMs'] });
  const runId = text('agent.wait', params, 'runId');
  const timeoutMs = optionalNumber(params, 'timeoutMs') ?? 30_000;
  const run = gateway.runs.find(runId);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(() => resolve('timeout'), timeoutMs);
  });
  const outcome = await Promise.race([run ? run.ended : timeout, timeout]);
  clearTimeout(timer);
  if (!run || (outcome === 'timeout' && run.status === 'running')) return { runId, status: 'timeout' };
  const { endedAt } = run;
  if (run.status === 'ok') {
    return { runId, status: 'ok', endedAt, terminalReply: { disposition: 'visible', text: run.text ?? '' } };
  }
  if (run.status === 'aborted') {
    const error = run.stopReason === 'rpc' ? { error: 'aborted' } : {};
    return { runId, status: 'error', endedAt, ...error, stopReason: run.stopReason };
  }
  return { runId, status: 'error', endedAt, error: run.error };
}
