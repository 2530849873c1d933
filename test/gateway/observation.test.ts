import { expect, test } from 'vitest';
import { observe } from '../../src/gateway/observation.ts';

const now = new Date('2026-01-02T03:04:05Z');
const ts = Date.UTC(2026, 0, 1);
const then = new Date(ts);
const agent = { agentId: 'mc-1', sessionKey: 'agent:mc-1:main', runId: 'run-1', ts };
const run = { agentId: 'mc-1', runId: 'run-1', isHeartbeat: false };

// Events as OpenClaw 2026.9.6 sends them, without what is not read.
test.each([
  [
    'a run starts',
    'agent',
    { ...agent, stream: 'lifecycle', data: { phase: 'start' } },
    [{ kind: 'run-started', ...run, at: then }],
  ],
  [
    'the agent is known by its session key',
    'agent',
    { ...agent, agentId: undefined, stream: 'lifecycle', data: { phase: 'start' } },
    [{ kind: 'run-started', ...run, at: then }],
  ],
  [
    'the model answers',
    'agent',
    { ...agent, stream: 'assistant', data: {} },
    [{ kind: 'run-active', agentId: 'mc-1', runId: 'run-1', at: then }],
  ],
  [
    'a run that looks for a model is no sign of life',
    'agent',
    { ...agent, stream: 'lifecycle', data: { phase: 'fallback_step' } },
    [],
  ],
  [
    'a run ends',
    'agent',
    { ...agent, stream: 'lifecycle', data: { phase: 'end' } },
    [{ kind: 'run-ended', ...run, outcome: 'ok', error: null, at: then }],
  ],
  [
    'a run fails',
    'agent',
    { ...agent, stream: 'lifecycle', data: { phase: 'error', error: 'No route' } },
    [{ kind: 'run-ended', ...run, outcome: 'error', error: 'No route', at: then }],
  ],
  [
    'a reply is complete',
    'chat',
    { ...agent, state: 'final' },
    [{ kind: 'run-ended', ...run, outcome: 'ok', error: null, at: now }],
  ],
  ['a piece of a reply', 'chat', { ...agent, state: 'delta', deltaText: 'Hello' }, []],
  [
    'a run is aborted',
    'chat',
    { ...agent, state: 'aborted' },
    [{ kind: 'run-ended', ...run, outcome: 'aborted', error: null, at: now }],
  ],
  [
    'a reply fails',
    'chat',
    { ...agent, state: 'error', errorMessage: 'bad' },
    [{ kind: 'run-ended', ...run, outcome: 'error', error: 'bad', at: now }],
  ],
  [
    'a heartbeat starts',
    'cron',
    { action: 'started', job: { declarationKey: 'heartbeat:mc-1' } },
    [{ kind: 'run-started', agentId: 'mc-1', runId: null, isHeartbeat: true, at: now }],
  ],
  [
    'a heartbeat ends',
    'cron',
    { action: 'finished', status: 'ok', job: { declarationKey: 'heartbeat:mc-1' } },
    [{ kind: 'run-ended', agentId: 'mc-1', runId: null, isHeartbeat: true, outcome: 'ok', error: null, at: now }],
  ],
  [
    'a heartbeat without a route calls no model',
    'cron',
    {
      action: 'finished',
      status: 'error',
      error: 'heartbeat skipped: no-route',
      job: { declarationKey: 'heartbeat:mc-1' },
    },
    [
      {
        kind: 'run-ended',
        agentId: 'mc-1',
        runId: null,
        isHeartbeat: true,
        outcome: 'skipped',
        error: 'heartbeat skipped: no-route',
        at: now,
      },
    ],
  ],
  [
    'another job',
    'cron',
    { action: 'finished', status: 'ok', job: { declarationKey: 'skill-collection-review:mc-1' } },
    [],
  ],
  [
    'a session is labelled',
    'sessions.changed',
    { sessionKey: 'agent:mc-1:main', agentId: 'mc-1', reason: 'patch', ts },
    [{ kind: 'session-changed', agentId: 'mc-1', sessionKey: 'agent:mc-1:main', reason: 'patch', at: then }],
  ],
  [
    'a session runs',
    'sessions.changed',
    { sessionKey: 'agent:mc-1:main', phase: 'start', runId: 'run-1', ts },
    [
      { kind: 'session-changed', agentId: 'mc-1', sessionKey: 'agent:mc-1:main', reason: 'start', at: then },
      { kind: 'run-started', ...run, at: then },
    ],
  ],
  [
    'a session’s run fails',
    'sessions.changed',
    { sessionKey: 'agent:mc-1:main', phase: 'error', runId: 'run-1', ts, session: { lastRunError: 'bad' } },
    [
      { kind: 'session-changed', agentId: 'mc-1', sessionKey: 'agent:mc-1:main', reason: 'error', at: then },
      { kind: 'run-ended', ...run, outcome: 'error', error: 'bad', at: then },
    ],
  ],
  [
    'some sessions changed',
    'sessions.changed',
    { reason: 'runner-availability' },
    [{ kind: 'session-changed', agentId: null, sessionKey: null, reason: 'runner-availability', at: now }],
  ],
  [
    'the configuration changed',
    'config.changed',
    { path: '/x', hash: 'h2', ts },
    [{ kind: 'config-changed', hash: 'h2', at: then }],
  ],
  [
    'the gateway restarts',
    'shutdown',
    { reason: 'gateway restarting', restartExpectedMs: 1500 },
    [{ kind: 'shutdown', reason: 'gateway restarting', restartExpectedMs: 1500, at: now }],
  ],
  [
    'the gateway stops',
    'shutdown',
    { reason: 'gateway stopping' },
    [{ kind: 'shutdown', reason: 'gateway stopping', restartExpectedMs: null, at: now }],
  ],
  ['a heartbeat that names no agent', 'heartbeat', { ts, status: 'skipped' }, []],
  ['a tick', 'tick', { ts }, []],
])('%s', (_title, event, payload, facts) => {
  expect(observe({ event, payload }, now)).toEqual(facts);
});

test('a payload of another shape gives no facts about agents', () => {
  for (const event of ['agent', 'chat', 'cron']) {
    for (const payload of [undefined, null, 7, 'text', [], {}, { agentId: 5, data: 'x', job: 3 }]) {
      expect(observe({ event, payload }, now)).toEqual([]);
    }
  }
});
