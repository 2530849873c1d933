import { expect, test } from 'vitest';
import { deleteAgent, listAgents } from '../../src/gateway/agents.ts';
import { abortChat, sendChat } from '../../src/gateway/chat.ts';
import { readConfig } from '../../src/gateway/config.ts';
import { findHeartbeatJob, findHeartbeatJobs, getScratch, setScratch } from '../../src/gateway/cron.ts';
import { isFileConflict, isUnsupportedFile, toGatewayError } from '../../src/gateway/errors.ts';
import { getFile, listFiles, readWorkspaceFile, setFile } from '../../src/gateway/files.ts';
import type { GatewayRequests, RequestOptions } from '../../src/gateway/requests.ts';
import { agentIdOf } from '../../src/gateway/session-key.ts';
import { listSessions, patchSessionLabel } from '../../src/gateway/sessions.ts';
import { health, heartbeatStates } from '../../src/gateway/status.ts';
import { effectiveTools } from '../../src/gateway/tools.ts';
import { invalid, Refusal } from './scripted-gateway.ts';

type Answer = (params: Record<string, unknown>, options: RequestOptions | undefined) => unknown;

/** Answers requests as OpenClaw 2026.9.6 does, with more keys than are read. */
function gateway(answers: Record<string, Answer>) {
  const calls: [method: string, params: object][] = [];
  const requests: GatewayRequests = {
    request: async (method, params, options) => {
      calls.push([method, params]);
      try {
        return await JSON.parse(JSON.stringify((await answers[method]?.({ ...params }, options)) ?? null));
      } catch (error) {
        throw error instanceof Refusal ? toGatewayError({ gatewayCode: error.shape.code, ...error.shape }) : error;
      }
    },
  };
  return { requests, calls };
}

test('agents are listed with the name that they have', async () => {
  const { requests } = gateway({
    'agents.list': () => ({
      defaultId: 'main',
      agents: [
        { id: 'main', workspaceGit: true },
        { id: 'mc-1', name: 'Dev', workspace: '/w', defaultPermissionMode: 'full', createdAt: 5 },
      ],
    }),
  });
  expect(await listAgents(requests)).toEqual([
    { id: 'main', name: null, workspace: null, permissionMode: null },
    { id: 'mc-1', name: 'Dev', workspace: '/w', permissionMode: 'full' },
  ]);
});

test('agents are deleted one at a time, with two minutes for each, until nothing is left; a missing one is gone already', async () => {
  const asked: unknown[] = [];
  let running = 0;
  let most = 0;
  const timeouts: unknown[] = [];
  const stopped: unknown[] = [];
  const { requests } = gateway({
    'sessions.list': ({ agentId }) => ({
      sessions: [
        { key: `agent:${agentId}:main`, hasActiveRun: false },
        // The one of a begins after it was looked at first.
        { key: `agent:${agentId}:side`, hasActiveRun: agentId === 'a' ? asked.includes('a') : agentId === 'b' },
        { key: `agent:${agentId}:other`, hasActiveRun: false },
      ],
    }),
    'chat.abort': ({ sessionKey }) => {
      stopped.push(sessionKey);
      return { ok: true, aborted: true, runIds: ['r'] };
    },
    'agents.delete': async ({ agentId }, options) => {
      asked.push(agentId);
      timeouts.push(options?.timeoutMs);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      if (agentId === 'gone') throw invalid('agent "gone" not found');
      if (agentId === 'main') throw invalid('Agent "main" owns the legacy shared auth store and cannot be deleted');
      return { ok: true, agentId, purgeFailed: agentId === 'kept' || !stopped.includes('agent:a:side') };
    },
  });
  const ids = ['a', 'main', 'gone', 'b', 'kept'];
  const outcomes = await Promise.allSettled(ids.map((agentId) => deleteAgent(requests, agentId)));
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.reason))).toEqual([
    true,
    'protected-agent',
    false,
    true,
    'session-busy',
  ]);
  const main = ids.map((agentId) => `agent:${agentId}:main`);
  expect(new Set(stopped)).toEqual(new Set([...main, 'agent:a:side', 'agent:b:side']));
  expect(asked).toEqual(['a', 'a', 'main', 'gone', 'b', ...Array(5).fill('kept')]);
  expect(most).toBe(1);
  expect(new Set(timeouts)).toEqual(new Set([120_000]));
});

test('files are written and read with their hash', async () => {
  const file = {
    name: 'SOUL.md',
    path: '/w/SOUL.md',
    missing: false,
    size: 3,
    updatedAtMs: 5000,
    hash: 'abc',
    content: 'hi\n',
  };
  const { requests } = gateway({
    'agents.files.set': ({ name, expectedHash }) => {
      if (name === 'TOOLS.md') throw invalid('unsupported file "TOOLS.md"');
      if (expectedHash === 'old') {
        throw invalid('agent file "SOUL.md" changed since it was read', { type: 'agent_file_conflict' });
      }
      return { ok: true, file };
    },
    'agents.files.get': ({ name }) => ({ file: name === 'SOUL.md' ? file : { name, path: '/w', missing: true } }),
    'agents.files.list': () => ({ files: [file, { name: 'MEMORY.md', path: '/w', missing: true }] }),
    'agents.workspace.get': ({ path }) => {
      if (path === 'nope') throw invalid('workspace file not found', { type: 'workspace_file_not_found' });
      if (path === 'unknown agent') throw invalid('agent "x" not found');
      return { file: { size: 2, updatedAtMs: 7000, encoding: path === 'b' ? 'base64' : 'utf8', content: 'aGk=' } };
    },
  });
  const soul = { agentId: 'a', name: 'SOUL.md' };
  expect(await setFile(requests, { ...soul, content: 'hi\n' })).toEqual({ hash: 'abc' });
  expect(await getFile(requests, soul)).toEqual({ content: 'hi\n', hash: 'abc', missing: false });
  expect(await getFile(requests, { ...soul, name: 'USER.md' })).toEqual({ content: null, hash: null, missing: true });
  expect(await listFiles(requests, 'a')).toEqual([
    { name: 'SOUL.md', missing: false, size: 3, updatedAt: new Date(5000) },
    { name: 'MEMORY.md', missing: true, size: null, updatedAt: null },
  ]);
  await expect(setFile(requests, { ...soul, name: 'TOOLS.md', content: '' })).rejects.toSatisfy(isUnsupportedFile);
  await expect(setFile(requests, { ...soul, content: '', expectedHash: 'old' })).rejects.toSatisfy(isFileConflict);
  expect(await readWorkspaceFile(requests, { agentId: 'a', path: 'a' })).toMatchObject({ content: 'aGk=', size: 2 });
  expect(await readWorkspaceFile(requests, { agentId: 'a', path: 'b' })).toMatchObject({ content: 'hi' });
  expect(await readWorkspaceFile(requests, { agentId: 'a', path: 'nope' })).toBeNull();
  await expect(readWorkspaceFile(requests, { agentId: 'a', path: 'unknown agent' })).rejects.toMatchObject({
    reason: 'not-found',
  });
});

test('sessions are listed over all pages', async () => {
  const row = (index: number) => ({ key: `agent:mc-${index}:main`, kind: 'direct', updatedAt: 1000 + index });
  const { requests, calls } = gateway({
    'sessions.list': ({ offset }) =>
      offset === 0
        ? { sessions: [row(0), { ...row(1), label: 'One', hasActiveRun: true }], nextOffset: 2 }
        : { sessions: [row(1), row(2)], nextOffset: null },
  });
  const sessions = await listSessions(requests);
  expect(sessions.map((session) => session.agentId)).toEqual(['mc-0', 'mc-1', 'mc-2']);
  expect(sessions[0]).toMatchObject({ label: null, updatedAt: new Date(1000), hasActiveRun: false, status: null });
  expect(calls).toHaveLength(2);
  expect(agentIdOf('global')).toBeNull();
});

test('a label that another session of the agent has gets a number', async () => {
  const taken = ['Dev', 'Dev (2)'];
  const { requests } = gateway({
    'sessions.patch': ({ label }) => {
      if (taken.some((one) => one === label)) throw invalid(`label already in use: ${label}`);
      return { ok: true };
    },
  });
  const key = 'agent:mc-1:main';
  expect(await patchSessionLabel(requests, { key, label: 'Dev' })).toEqual({ label: 'Dev (3)' });
  expect((await patchSessionLabel(requests, { key, label: 'x'.repeat(600) })).label).toHaveLength(512);
});

test('a message is sent once and its run can be stopped', async () => {
  const { requests, calls } = gateway({
    'chat.send': ({ idempotencyKey }) => ({ runId: idempotencyKey, status: 'started' }),
    'chat.abort': () => ({ ok: true, aborted: false }),
  });
  const input = { sessionKey: 'agent:mc-1:main', message: 'Hello', idempotencyKey: 'key-1' };
  expect(await sendChat(requests, input)).toEqual({ runId: 'key-1', status: 'started' });
  expect(await abortChat(requests, { sessionKey: input.sessionKey })).toEqual({ runIds: [] });
  expect(calls[0]).toEqual(['chat.send', input]);
});

test('heartbeat jobs are found for all agents at once, and for one', async () => {
  const job = (agentId: string) => ({
    id: `job-${agentId}`,
    agentId,
    declarationKey: `heartbeat:${agentId}`,
    enabled: true,
  });
  const review = { id: 'review', declarationKey: 'skill-collection-review:a', enabled: true };
  const { requests, calls } = gateway({
    'cron.list': ({ offset, agentId }) => {
      if (agentId) return { jobs: [review], nextOffset: null };
      return offset === 0 ? { jobs: [job('a'), review], nextOffset: 2 } : { jobs: [job('b')], nextOffset: null };
    },
  });
  const jobs = await findHeartbeatJobs(requests);
  expect([...jobs.keys()]).toEqual(['a', 'b']);
  expect(jobs.get('b')).toEqual({ id: 'job-b', agentId: 'b', enabled: true });
  expect(await findHeartbeatJob(requests, 'a')).toBeNull();
  expect(calls.every(([, params]) => 'includeDisabled' in params)).toBe(true);
});

test('heartbeat instructions win over those that someone else wrote meanwhile', async () => {
  let revision = 4;
  const { requests } = gateway({
    'cron.scratch.get': () => ({ scratch: null, currentRevision: 0, maxBytes: 262144 }),
    'cron.scratch.set': ({ content, expectedRevision }) => {
      if (expectedRevision !== undefined && expectedRevision !== revision) {
        return { ok: false, reason: 'revision-conflict', currentRevision: revision };
      }
      revision += 1;
      return { ok: true, scratch: { content, revision, updatedAtMs: 1 }, currentRevision: revision, maxBytes: 262144 };
    },
  });
  expect(await getScratch(requests, 'job')).toEqual({ content: null, revision: 0 });
  expect(await setScratch(requests, { jobId: 'job', content: 'x', expectedRevision: 1 })).toEqual({ revision: 5 });
  expect(await setScratch(requests, { jobId: 'job', content: 'x' })).toEqual({ revision: 6 });
});

test('tools, health, heartbeats and configuration are read', async () => {
  const { requests } = gateway({
    'tools.effective': () => ({
      agentId: 'a',
      profile: 'full',
      groups: [
        { id: 'core', tools: [{ id: 'exec' }, { id: 'read' }] },
        { id: 'mcp', tools: [{ id: 'x', deniedBySession: true }] },
      ],
    }),
    health: () => ({ ok: true, ts: 1, eventLoop: { degraded: false } }),
    status: () => ({
      heartbeat: { defaultAgentId: 'main', agents: [{ agentId: 'a', enabled: true, every: '10m', everyMs: 600000 }] },
    }),
    'config.get': () => ({
      hash: 'h',
      configRevisionHash: 'r2',
      appliedConfigHash: 'r1',
      sourceConfig: {
        agents: { ownership: 'explicit', defaults: { model: 'fake/1' }, entries: { a: { name: 'A', tools: {} } } },
      },
    }),
  });
  expect(await effectiveTools(requests, 'agent:a:main')).toEqual({ profile: 'full', tools: ['exec', 'read'] });
  expect(await health(requests)).toEqual({ ok: true, degraded: false });
  expect(await heartbeatStates(requests)).toEqual([
    { agentId: 'a', enabled: true, everyMs: 600000, waitingForRoute: false },
  ]);
  expect(await readConfig(requests)).toEqual({
    hash: 'h',
    applied: false,
    ownership: 'explicit',
    entries: { a: { name: 'A', tools: {} } },
    settings: expect.stringMatching(/^[0-9a-f]{64}$/),
    modelPrimary: 'fake/1',
  });
});

test('what is set for all agents is told apart from what is of one, and from when it was written', async () => {
  const settingsWith = async (sourceConfig: object) => {
    const { requests } = gateway({ 'config.get': () => ({ hash: 'h', sourceConfig }) });
    return (await readConfig(requests)).settings;
  };
  const entries = { a: { name: 'A' } };
  const settings = await settingsWith({ tools: { profile: 'full' }, agents: { ownership: 'explicit', entries } });
  const others = { a: { name: 'B' }, b: {} };
  expect(
    await settingsWith({
      tools: { profile: 'full' },
      agents: { ownership: 'explicit', entries: others },
      meta: { lastTouchedAt: 'today' },
    }),
  ).toBe(settings);
  expect(await settingsWith({ tools: { profile: 'coding' }, agents: { ownership: 'explicit', entries } })).not.toBe(
    settings,
  );
  expect(
    await settingsWith({ tools: { profile: 'full' }, agents: { ownership: 'explicit', entries, defaults: {} } }),
  ).not.toBe(settings);
});

test('an answer that is not understood is a lasting error that names the method', async () => {
  const { requests } = gateway({ 'agents.list': () => ({ agents: [{ name: 'no id' }] }) });
  await expect(listAgents(requests)).rejects.toMatchObject({
    name: 'GatewayError',
    reason: 'unexpected-answer',
    retryable: false,
    message: expect.stringContaining('agents.list'),
  });
});
