import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connect, type Dict, refusedConnect, until } from './client.ts';
import { describePairing } from './pairing-cases.ts';

/** What the cases run on: the simulator, or a real OpenClaw, fresh, with a model that answers "OK". */
export interface Subject {
  url: string;
  /** The same gateway through a proxy that says its clients come from another host. */
  remoteUrl: string;
  httpUrl: string;
  token: string;
  stateDir: string;
  /** Ends it in order and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A message with this word in it keeps the model busy for a second or two. */
export const SLOW = 'SLOW';
/** One with this word in it keeps it busy for longer than any request takes. */
export const ENDLESS = 'ENDLESS';

const phaseOf = (payload: Dict) => (payload.data as Dict | undefined)?.phase;

/** A message with this word in it makes the model fail. */
export const FAIL = 'FAIL';

const TIMEOUT_MS = 180_000;

/** Everything that the product relies on in a gateway. */
export function describeGateway(name: string, start: () => Promise<Subject>): void {
  describe(name, { timeout: TIMEOUT_MS }, () => {
    let subject: Subject;
    let client: Client;
    const clients: Client[] = [];

    beforeAll(async () => {
      subject = await start();
    }, TIMEOUT_MS * 4);
    afterAll(async () => {
      await subject?.stop();
    }, TIMEOUT_MS);
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((each) => each.stop()));
    });

    async function open(options: Parameters<typeof connect>[1] = {}): Promise<Client> {
      const opened = await connect(subject, options);
      clients.push(opened);
      return opened;
    }

    async function patch(raw: unknown, more: Dict = {}): Promise<Dict> {
      const { hash } = await client.call('config.get');
      return client.call('config.patch', { raw: JSON.stringify(raw), baseHash: hash, ...more });
    }

    const entryOf = (id: string, more: Dict = {}) => ({
      name: `Agent ${id}`,
      workspace: join(subject.stateDir, `workspace-${id}`),
      identity: { name: `Agent ${id}`, emoji: '🛠' },
      ...more,
    });

    /** Registers agents as the product does: all in one config patch. */
    async function register(entries: Record<string, Dict>): Promise<Dict> {
      const complete = Object.fromEntries(Object.entries(entries).map(([id, more]) => [id, entryOf(id, more)]));
      return patch({ agents: { ownership: 'explicit', entries: complete } });
    }

    const keyOf = (id: string) => `agent:${id}:main`;

    async function say(sessionKey: string, message: string): Promise<string> {
      const id = randomUUID();
      const sent = await client.call('chat.send', { sessionKey, message, idempotencyKey: id });
      expect(sent).toEqual({ runId: id, status: 'started' });
      return id;
    }

    describe('connecting', () => {
      it('says who it is, where its state lies, and whether it has a model', async () => {
        const { hello } = await open();
        expect(hello).toMatchObject({
          type: 'hello-ok',
          protocol: 4,
          server: { version: '2026.9.6', bootId: expect.any(String), connId: expect.any(String) },
          snapshot: {
            stateDir: subject.stateDir,
            configPath: join(subject.stateDir, 'openclaw.json'),
            appliedConfigHash: expect.stringMatching(/^hmac-sha256:v1:/),
            sessionDefaults: { defaultAgentId: 'main', modelConfigured: true, mainKey: 'main' },
            authMode: 'token',
          },
          auth: { method: 'token', role: 'operator', scopes: ['operator.admin'] },
          policy: { maxPayload: 26_214_400, tickIntervalMs: 30_000 },
        });
        const { methods } = hello.features as { methods: string[] };
        expect(methods).toEqual(expect.arrayContaining(['config.patch', 'tools.effective', 'cron.scratch.set']));
      });

      it('speaks protocol 4 to a client that also speaks 3, and takes the token as a password', async () => {
        expect((await open({ minProtocol: 3 })).hello.protocol).toBe(4);
        const { token, ...nowhere } = subject;
        expect((await connect({ ...nowhere, token: '' }, { password: token }).then(keep)).hello.protocol).toBe(4);
      });

      const keep = (opened: Client) => {
        clients.push(opened);
        return opened;
      };

      const refusals = [
        {
          title: 'a wrong token',
          options: { token: 'wrong' },
          error: {
            code: 'INVALID_REQUEST',
            message: 'unauthorized: gateway token mismatch (provide gateway auth token)',
            details: { code: 'AUTH_TOKEN_MISMATCH', recommendedNextStep: 'update_auth_credentials' },
            retryable: false,
          },
          close: 1008,
        },
        {
          title: 'no token and no device',
          options: {},
          error: {
            code: 'NOT_PAIRED',
            message: 'device identity required',
            details: { code: 'DEVICE_IDENTITY_REQUIRED' },
          },
          close: 1008,
        },
        {
          title: 'a client of protocol 3',
          options: { token: 'wrong', minProtocol: 3, maxProtocol: 3 },
          error: {
            code: 'INVALID_REQUEST',
            message: 'protocol mismatch: Control UI v3, Gateway v4, probe min v3',
            details: { code: 'PROTOCOL_MISMATCH', clientMaxProtocol: 3, expectedProtocol: 4 },
          },
          close: 1002,
        },
        {
          title: 'a client of protocol 5',
          options: { token: 'wrong', minProtocol: 5, maxProtocol: 5 },
          error: { code: 'INVALID_REQUEST', details: { code: 'PROTOCOL_MISMATCH', expectedProtocol: 4 } },
          close: 1002,
        },
      ];
      it.each(refusals)('refuses $title, and the client stops trying', async ({ options, error, close }) => {
        const refused = await refusedConnect(subject.url, options);
        expect(refused.error).toMatchObject(error);
        expect(refused).toMatchObject({ close, paused: true });
      });

      it('lets a client with the read scope read only', async () => {
        const reader = await open({ scopes: ['operator.read'] });
        expect(reader.hello.auth).toMatchObject({ scopes: ['operator.read'] });
        expect(await reader.call('agents.list')).toMatchObject({ defaultId: 'main' });
        expect(await reader.refusal('agents.create', { name: 'nobody' })).toMatchObject({
          code: 'FORBIDDEN',
          message: 'missing scope: operator.admin',
          details: { code: 'MISSING_SCOPE', missingScope: 'operator.admin', requiredScopes: ['operator.admin'] },
        });
        const message = { sessionKey: keyOf('main'), message: 'x', idempotencyKey: randomUUID() };
        expect(await reader.refusal('chat.send', message)).toMatchObject({
          code: 'FORBIDDEN',
          message: 'missing scope: operator.write',
        });
      });

      it('does not know every method', async () => {
        client = await open();
        expect(await client.refusal('fleet.conquer')).toMatchObject({
          code: 'INVALID_REQUEST',
          message: 'unknown method: fleet.conquer',
        });
      });

      it('answers probes on the same port', async () => {
        const get = (path: string) => fetch(`${subject.httpUrl}${path}`).then((response) => response.json());
        expect(await get('/healthz')).toMatchObject({ ok: true, status: 'live' });
        expect(await get('/readyz')).toMatchObject({ ready: true, failing: [], uptimeMs: expect.any(Number) });
      });

      it('says what state it is in', async () => {
        client = await open();
        expect(await client.call('health')).toMatchObject({ ok: true, agents: [{ agentId: 'main' }] });
        expect(await client.call('status')).toMatchObject({
          runtimeVersion: '2026.9.6',
          heartbeat: { agents: [{ agentId: 'main', enabled: true, every: '30m', waitingForRoute: true }] },
        });
        const { models } = await client.call<{ models: Dict[] }>('models.list');
        expect(models).toEqual([expect.objectContaining({ available: true, tags: ['default'] })]);
      });
    });

    describePairing(() => subject);

    describe('configuration', () => {
      it('refuses a second agent until ownership is explicit', async () => {
        client = await open();
        const { hash } = await client.call('config.get');
        const raw = JSON.stringify({ agents: { entries: { second: { name: 'Second' } } } });
        const refused = await client.refusal('config.patch', { raw, baseHash: hash });
        expect(refused.code).toBe('INVALID_REQUEST');
        expect(refused.message).toContain(
          'invalid config: agents.ownership: multi-agent rosters require agents.ownership="explicit"',
        );
        expect(refused.details).toMatchObject({ issues: [{ path: 'agents.ownership' }] });
      });

      it('registers agents with one patch, which answers when they are live', async () => {
        client = await open();
        const answer = await register({ first: {}, second: { heartbeat: { every: '10m', target: 'none' } } });
        expect(answer).toMatchObject({
          ok: true,
          path: join(subject.stateDir, 'openclaw.json'),
          hash: expect.stringMatching(/^hmac-sha256:v1:/),
          sentinel: { payload: { stats: { requiresRestart: false } } },
        });
        expect(answer.changedPaths).toEqual(expect.arrayContaining(['agents.entries.first', 'agents.entries.second']));

        const { agents } = await client.call<{ agents: Dict[] }>('agents.list');
        expect(agents.find(({ id }) => id === 'second')).toMatchObject({
          name: 'Agent second',
          identity: { name: 'Agent second', emoji: '🛠' },
          workspace: join(subject.stateDir, 'workspace-second'),
          defaultPermissionMode: 'full',
        });
        const file = { agentId: 'first', name: 'SOUL.md', content: '# Soul\n' };
        expect(await client.call('agents.files.set', file)).toMatchObject({ ok: true });
        expect(await client.call('sessions.patch', { key: keyOf('first'), label: 'First' })).toMatchObject({
          ok: true,
        });
      });

      it('pins main when it is no longer alone, and says what is live by hashes', async () => {
        client = await open();
        const config = await client.call('config.get');
        expect(config).toMatchObject({
          exists: true,
          valid: true,
          path: join(subject.stateDir, 'openclaw.json'),
          sourceConfig: {
            gateway: { auth: { token: '__OPENCLAW_REDACTED__' } },
            agents: {
              ownership: 'explicit',
              entries: {
                main: { workspace: join(subject.stateDir, 'workspace') },
                second: entryOf('second', { heartbeat: { every: '10m', target: 'none' } }),
              },
            },
          },
        });
        expect(config.configRevisionHash).toBe(config.appliedConfigHash);
        expect(client.hello.snapshot).toMatchObject({ appliedConfigHash: config.appliedConfigHash });
      });

      it('answers a patch that changes nothing without a hash, even when it comes without one', async () => {
        client = await open();
        const noop = await register({ first: {} });
        expect(noop).toMatchObject({ ok: true, noop: true, changedPaths: [] });
        expect(noop).not.toHaveProperty('hash');
        const raw = JSON.stringify({ agents: { entries: { first: entryOf('first') } } });
        expect(await client.call('config.patch', { raw })).toMatchObject({ ok: true, noop: true });
      });

      it('refuses a hash that is no longer current, whatever the patch says', async () => {
        client = await open();
        const { hash } = await client.call('config.get');
        const raw = JSON.stringify({ agents: { entries: { first: { description: 'changed' } } } });
        expect(await client.call('config.patch', { raw, baseHash: hash })).toMatchObject({ ok: true });
        for (const late of [raw, '{"bogus":1}']) {
          expect(await client.refusal('config.patch', { raw: late, baseHash: hash })).toMatchObject({
            code: 'INVALID_REQUEST',
            message: 'config changed since last load; re-run config.get and retry',
            retryable: false,
          });
        }
      });

      it('lets one of two patches on the same hash win', async () => {
        client = await open();
        const { hash } = await client.call('config.get');
        const outcomes = await Promise.allSettled(
          ['one', 'two'].map((description) => {
            const raw = JSON.stringify({ agents: { entries: { first: { description } } } });
            return client.call('config.patch', { raw, baseHash: hash });
          }),
        );
        expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      });

      it('tells everyone of a change', async () => {
        client = await open();
        const { hash } = await register({ first: { description: `at ${Date.now()}` } });
        const changed = await client.event('config.changed', (payload) => payload.hash === hash);
        expect(changed).toEqual({ path: join(subject.stateDir, 'openclaw.json'), hash, ts: expect.any(Number) });
      });

      const entry = (more: unknown) => ({ agents: { entries: { first: more } } });
      const bad = [
        {
          title: 'an unknown key',
          raw: entry({ bogus: 1 }),
          message: 'invalid config: agents.entries.first: Unrecognized key: "bogus"',
          details: { issues: [{ path: 'agents.entries.first', message: 'Unrecognized key: "bogus"' }] },
        },
        {
          title: 'a duration that is none',
          raw: entry({ heartbeat: { every: '10 parrots' } }),
          message: 'invalid config: agents.entries.first.heartbeat.every: invalid duration (use ms, s, m, h)',
        },
        {
          title: 'an id that is none',
          raw: { agents: { entries: { 'Bad Id': { name: 'x' } } } },
          message: 'invalid config: agents.entries["Bad Id"]: Invalid key in record',
        },
        {
          title: 'an unknown section',
          raw: { bogus: 1 },
          message: 'invalid config: <root>: Unrecognized key: "bogus"',
        },
        {
          title: 'the list of protocol 3',
          raw: { agents: { list: [] } },
          message: 'invalid config: agents: Unrecognized key: "list"',
        },
        { title: 'something else than an object', raw: [], message: 'config.patch raw must be an object' },
        {
          title: 'the removal of an agent',
          raw: entry(null),
          code: 'UNAVAILABLE',
          message: 'Error: Config write would drop agent roster entries without an explicit deletion: first.',
        },
      ];
      it.each(bad)('refuses $title', async ({ raw, message, details, code = 'INVALID_REQUEST' }) => {
        client = await open();
        const before = await client.call('config.get');
        const refused = await client.refusal('config.patch', { raw: JSON.stringify(raw), baseHash: before.hash });
        expect(refused).toMatchObject({ code, message, ...(details ? { details } : {}) });
        expect((await client.call('config.get')).hash).toBe(before.hash);
      });

      it('refuses what is no JSON, and a change without a hash', async () => {
        client = await open();
        const broken = await client.refusal('config.patch', { raw: '{"agents"' });
        expect(broken.message).toMatch(/^SyntaxError: JSON5: /);
        const raw = JSON.stringify({ agents: { entries: { first: { name: 'Other', cwd: '/tmp' } } } });
        expect(await client.refusal('config.patch', { raw })).toMatchObject({
          code: 'INVALID_REQUEST',
          message:
            'config base hash required for agents.entries.first.name, agents.entries.first.cwd; re-run config.get and retry with baseHash',
        });
      });

      it('counts 30 patches in 60 s per connection, refused ones too', async () => {
        client = await open();
        for (let sent = 0; sent < 30; sent += 1) await client.refusal('config.patch', { raw: '[]' });
        const refused = await client.refusal('config.patch', { raw: '{}' });
        expect(refused).toMatchObject({
          code: 'UNAVAILABLE',
          details: { method: 'config.patch', limit: '30 per 60s' },
          retryable: true,
        });
        expect(refused.message).toMatch(/^rate limit exceeded for config\.patch; retry after \d+s$/);
        expect(refused.retryAfterMs).toBeGreaterThan(30_000);
        const other = await open();
        expect(await other.refusal('config.patch', { raw: '[]' })).toMatchObject({ code: 'INVALID_REQUEST' });
      });
    });

    describe('files', () => {
      const agentId = 'files';
      beforeAll(async () => {
        client = await open();
        await register({ [agentId]: {} });
      });

      it.each(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md'])(
        'writes %s to the workspace and reads it back',
        async (name) => {
          client = await open();
          const content = `# ${name} — ü\n`;
          const workspace = join(subject.stateDir, `workspace-${agentId}`);
          const set = await client.call<{ file: Dict }>('agents.files.set', { agentId, name, content });
          expect(set).toMatchObject({
            ok: true,
            agentId,
            workspace,
            file: { name, path: join(workspace, name), missing: false, size: Buffer.byteLength(content), content },
          });
          expect(set.file.hash).toMatch(/^[a-f0-9]{64}$/);
          expect(existsSync(join(workspace, name))).toBe(true);
          const got = await client.call('agents.files.get', { agentId, name });
          expect(got).toMatchObject({ agentId, file: { hash: set.file.hash, content } });
        },
      );

      it('replaces a file at once: whoever reads it meanwhile finds it whole', async () => {
        client = await open();
        const path = join(subject.stateDir, `workspace-${agentId}`, 'MEMORY.md');
        const versions = Array.from({ length: 20 }, (_, version) => `${version}\n`.repeat(30_000));
        await client.call('agents.files.set', { agentId, name: 'MEMORY.md', content: versions[0] });
        const found = new Set<string>();
        let isWritten = false;
        const read = async () => {
          while (!isWritten) found.add(await readFile(path, 'utf8'));
        };
        const readers = Promise.all([read(), read()]);
        for (const content of versions) await client.call('agents.files.set', { agentId, name: 'MEMORY.md', content });
        isWritten = true;
        await readers;
        expect([...found].filter((content) => !versions.includes(content)).map(({ length }) => length)).toEqual([]);
        expect(found.size).toBeGreaterThan(2);
      });

      it.each(['TOOLS.md', 'HEARTBEAT.md', 'BOARD.md', 'agents.md', 'memory/x.md', '../x'])(
        'does not take %s',
        async (name) => {
          client = await open();
          const expected = { code: 'INVALID_REQUEST', message: `unsupported file "${name}"` };
          expect(await client.refusal('agents.files.set', { agentId, name, content: 'x' })).toMatchObject(expected);
          expect(await client.refusal('agents.files.get', { agentId, name })).toMatchObject(expected);
        },
      );

      it('lists all but IDENTITY.md, and says which are missing', async () => {
        client = await open();
        await register({ blank: {} });
        const { files } = await client.call<{ files: Dict[] }>('agents.files.list', { agentId: 'blank' });
        expect(files.map(({ name }) => name)).toEqual(['AGENTS.md', 'SOUL.md', 'USER.md', 'BOOTSTRAP.md', 'MEMORY.md']);
        expect(files.every(({ missing }) => missing)).toBe(true);
        const { file } = await client.call<{ file: Dict }>('agents.files.get', { agentId: 'blank', name: 'SOUL.md' });
        expect(file).toMatchObject({ name: 'SOUL.md', missing: true });
        expect(file).not.toHaveProperty('content');
      });

      it('writes over an expected hash only', async () => {
        client = await open();
        const write = { agentId, name: 'SOUL.md', content: 'mine' };
        const { file } = await client.call<{ file: Dict }>('agents.files.set', write);
        const conflict = { ...write, content: 'theirs', expectedHash: '0'.repeat(64) };
        expect(await client.refusal('agents.files.set', conflict)).toMatchObject({
          code: 'INVALID_REQUEST',
          message: 'agent file "SOUL.md" changed since it was read',
          details: { type: 'agent_file_conflict', name: 'SOUL.md', currentHash: file.hash },
        });
        const ours = { ...write, content: 'ours', expectedHash: file.hash };
        expect(await client.call('agents.files.set', ours)).toMatchObject({ file: { content: 'ours' } });
      });

      it('knows no files of an agent that is not there', async () => {
        client = await open();
        const expected = { code: 'INVALID_REQUEST', message: 'agent "nobody" not found' };
        const file = { agentId: 'nobody', name: 'SOUL.md' };
        expect(await client.refusal('agents.files.get', file)).toMatchObject(expected);
        expect(await client.refusal('agents.files.set', { ...file, content: 'x' })).toMatchObject(expected);
        expect(await client.refusal('agents.files.list', { agentId: 'nobody' })).toMatchObject(expected);
      });

      it('names what is wrong with the parameters', async () => {
        client = await open();
        expect(await client.refusal('agents.files.set', { agentId, name: 'SOUL.md' })).toMatchObject({
          message: "invalid agents.files.set params: must have required property 'content'",
        });
      });
    });

    describe('heartbeats', () => {
      async function jobOf(agentId: string, includeDisabled = true): Promise<Dict | undefined> {
        const { jobs } = await client.call<{ jobs: Dict[] }>('cron.list', { agentId, includeDisabled });
        return jobs.find(({ declarationKey }) => declarationKey === `heartbeat:${agentId}`);
      }

      it('makes a job for each agent with a heartbeat block, and leaves main without one', async () => {
        client = await open();
        await register({ beats: { heartbeat: { every: '600s', target: 'none' } }, quiet: {} });
        expect(await jobOf('beats')).toMatchObject({
          agentId: 'beats',
          enabled: true,
          schedule: { kind: 'every', everyMs: 600_000 },
          payload: { kind: 'heartbeat' },
        });
        expect(await jobOf('quiet')).toBeUndefined();
        expect(await jobOf('main')).toBeUndefined();
        const added = await client.event('cron', ({ action, job }) => action === 'added' && isOf(job, 'beats'));
        expect(added).toMatchObject({ job: { agentId: 'beats', declarationKey: 'heartbeat:beats' } });
        const { heartbeat } = await client.call<{ heartbeat: { agents: Dict[] } }>('status');
        const shown = Object.fromEntries(heartbeat.agents.map((agent) => [agent.agentId, agent]));
        expect(shown.beats).toMatchObject({ enabled: true, every: '600s', everyMs: 600_000, waitingForRoute: false });
        expect(shown.quiet).toMatchObject({ enabled: false, every: 'disabled', everyMs: null });
        expect(shown.main).toMatchObject({ enabled: false });
      });

      const isOf = (job: unknown, agentId: string) => (job as Dict).declarationKey === `heartbeat:${agentId}`;

      it('keeps a scratch with revisions', async () => {
        client = await open();
        const jobId = (await jobOf('beats'))?.id;
        expect(await client.call('cron.scratch.get', { jobId })).toEqual({
          scratch: null,
          currentRevision: 0,
          maxBytes: 262_144,
        });
        expect(await client.call('cron.scratch.set', { jobId, content: 'do it' })).toMatchObject({
          ok: true,
          scratch: { content: 'do it', revision: 1 },
          currentRevision: 1,
        });
        const conflict = { jobId, content: 'do that', expectedRevision: 0 };
        expect(await client.call('cron.scratch.set', conflict)).toEqual({
          ok: false,
          reason: 'revision-conflict',
          currentRevision: 1,
        });
        const again = { jobId, content: 'do that', expectedRevision: 1 };
        expect(await client.call('cron.scratch.set', again)).toMatchObject({ ok: true, currentRevision: 2 });
        expect(await client.call('cron.scratch.get', { jobId })).toMatchObject({ scratch: { content: 'do that' } });
        expect(await client.refusal('cron.scratch.get', { jobId: 'nope' })).toMatchObject({
          code: 'INVALID_REQUEST',
          details: { code: 'CRON_JOB_NOT_FOUND', jobId: 'nope' },
        });
      });

      it('keeps job and scratch when the interval changes, and when the heartbeat is off', async () => {
        client = await open();
        const before = await jobOf('beats');
        await patch({ agents: { entries: { beats: { heartbeat: { every: '15m' } } } } });
        const after = await jobOf('beats');
        expect(after).toMatchObject({ id: before?.id, schedule: { everyMs: 900_000 } });
        await patch({ agents: { entries: { beats: { heartbeat: { every: '0m' } } } } });
        expect(await jobOf('beats', false)).toBeUndefined();
        expect(await jobOf('beats')).toMatchObject({ id: before?.id, enabled: false });
        const kept = await client.call('cron.scratch.get', { jobId: before?.id });
        expect(kept).toMatchObject({ scratch: { content: 'do that' }, currentRevision: 2 });
        await patch({ agents: { entries: { beats: { heartbeat: { every: '600s' } } } } });
        expect(await jobOf('beats', false)).toMatchObject({ id: before?.id, enabled: true });
      });

      it('runs a beat on request, and tells of it by cron events that name the agent', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        const id = (await jobOf('beats'))?.id;
        expect(await client.call('cron.run', { id, mode: 'force' })).toMatchObject({ ok: true, enqueued: true });
        await client.event('cron', ({ action, jobId }) => action === 'started' && jobId === id);
        const finished = await client.event('cron', ({ action, jobId }) => action === 'finished' && jobId === id);
        expect(finished).toMatchObject({ status: 'ok', summary: 'heartbeat completed', job: { agentId: 'beats' } });
        const heartbeat = await client.event('heartbeat');
        expect(heartbeat).toMatchObject({ status: 'skipped', reason: 'target-none' });
        expect(heartbeat).not.toHaveProperty('agentId');
        await client.event('sessions.changed', ({ agentId, phase }) => agentId === 'beats' && phase === 'end');
        const { entries } = await client.call<{ entries: Dict[] }>('cron.runs', { id });
        expect(entries[0]).toMatchObject({ action: 'finished', status: 'ok' });
        expect(client.events.some(({ event }) => event === 'agent' || event === 'chat')).toBe(false);
      });

      it('skips every beat that has nowhere to go', async () => {
        client = await open();
        await register({ lost: { heartbeat: { every: '10m', target: 'last' } } });
        const id = (await jobOf('lost'))?.id;
        await client.call('cron.run', { id, mode: 'force' });
        const finished = await client.event('cron', ({ action, jobId }) => action === 'finished' && jobId === id);
        expect(finished).toMatchObject({ status: 'skipped', error: 'heartbeat skipped: no-route' });
      });

      it('wakes an agent on request, with or without a heartbeat', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        for (const agentId of ['beats', 'quiet']) {
          expect(await client.call('wake', { mode: 'now', text: 'Good morning', agentId })).toEqual({ ok: true });
          await client.event('sessions.changed', (event) => event.agentId === agentId && event.phase === 'end');
        }
        expect(await client.refusal('wake', { mode: 'now', text: 'x', agentId: 'nobody' })).toMatchObject({
          code: 'UNAVAILABLE',
          message: 'Error: cron job agent is unavailable: nobody',
        });
      });
    });

    describe('sessions', () => {
      const key = keyOf('talks');
      beforeAll(async () => {
        client = await open();
        await register({ talks: {} });
      });

      it('makes a session by naming it', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        expect(await client.call('sessions.patch', { key, label: 'Talker' })).toMatchObject({
          ok: true,
          key,
          entry: { sessionId: expect.any(String), lifecycleRevision: expect.any(String), label: 'Talker' },
        });
        const changed = await client.event('sessions.changed', ({ reason }) => reason === 'patch');
        expect(changed).toMatchObject({ sessionKey: key, agentId: 'talks', session: { key, label: 'Talker' } });
        const listed = await client.call('sessions.list', { agentId: 'talks' });
        expect(listed).toMatchObject({
          count: 1,
          totalCount: 1,
          hasMore: false,
          sessions: [{ key, agentId: 'talks', label: 'Talker', isMain: true, hasActiveRun: false }],
        });
      });

      it('gives a label once per agent', async () => {
        client = await open();
        expect(await client.refusal('sessions.patch', { key: 'agent:talks:other', label: 'Talker' })).toMatchObject({
          code: 'INVALID_REQUEST',
          message: 'label already in use: Talker',
        });
        expect(await client.call('sessions.patch', { key, label: 'Talker' })).toMatchObject({ ok: true });
        expect((await client.refusal('sessions.patch', { key, label: '' })).message).toMatch(/at \/label/);
      });

      it('takes a message once, whatever is sent again', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        const message = { sessionKey: key, message: `${SLOW} hello`, idempotencyKey: randomUUID() };
        const runId = message.idempotencyKey;
        expect(await client.call('chat.send', message)).toEqual({ runId, status: 'started' });
        expect(await client.call('chat.send', message)).toEqual({ runId, status: 'in_flight' });
        expect(await client.refusal('chat.send', { ...message, message: 'other' })).toMatchObject({
          code: 'INVALID_REQUEST',
          details: { reason: 'chat-request-conflict' },
        });
        await client.event('sessions.changed', ({ session }) => (session as Dict).hasActiveRun === true);
        expect(await client.call('agent.wait', { runId, timeoutMs: 30_000 })).toMatchObject({
          status: 'ok',
          endedAt: expect.any(Number),
          terminalReply: { disposition: 'visible', text: 'OK' },
        });
        expect(await client.call('chat.send', message)).toEqual({ runId, status: 'ok' });
      });

      it('shows a run to every operator, and its session to those who subscribed', async () => {
        client = await open();
        const other = await open();
        await client.call('sessions.subscribe');
        const runId = await say(key, 'hello');
        for (const watcher of [client, other]) {
          const of = (name: string) => (payload: Dict) => payload.runId === runId && phaseOf(payload) === name;
          for (const phase of ['preparing_workspace', 'start', 'model', 'finishing', 'end']) {
            expect(await watcher.event('agent', of(phase))).toMatchObject({ sessionKey: key, agentId: 'talks' });
          }
          const final = await watcher.event('chat', ({ runId: id, state }) => id === runId && state === 'final');
          expect(final).toMatchObject({ agentId: 'talks', message: { content: [{ type: 'text', text: 'OK' }] } });
        }
        await client.event('sessions.changed', ({ runId: id, phase }) => id === runId && phase === 'end');
        const settled = await client.event('sessions.changed', ({ reason }) => reason === 'agent.input.settled');
        expect(settled.session).toMatchObject({ status: 'done', lastRunId: runId, hasActiveRun: false });
        await client.event('session.message', ({ message }) => (message as Dict).role === 'assistant');
        expect(other.events.filter(({ event }) => event.startsWith('session'))).toEqual([]);
        const { messages } = await client.call<{ messages: Dict[] }>('chat.history', { sessionKey: key, limit: 2 });
        expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
      });

      it('removes the bootstrap file at the first turn of an agent that was given a soul', async () => {
        client = await open();
        await register({ newborn: {} });
        for (const name of ['SOUL.md', 'BOOTSTRAP.md']) {
          await client.call('agents.files.set', { agentId: 'newborn', name, content: `# ${name}\n` });
        }
        const runId = await say(keyOf('newborn'), 'hello');
        await client.call('agent.wait', { runId, timeoutMs: 30_000 });
        const { file } = await client.call<{ file: Dict }>('agents.files.get', {
          agentId: 'newborn',
          name: 'BOOTSTRAP.md',
        });
        expect(file).toMatchObject({ missing: true });
      });

      it('tells why a run failed, and does not start it again', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        const runId = await say(key, `${FAIL} now`);
        const waited = await client.call('agent.wait', { runId, timeoutMs: 30_000 });
        expect(waited).toMatchObject({ status: 'error', error: expect.stringContaining('Agent failed before reply') });
        await client.event('agent', (payload) => payload.runId === runId && phaseOf(payload) === 'error');
        const told = await client.event('chat', ({ runId: id, state }) => id === runId && state === 'error');
        expect(told).toMatchObject({ errorMessage: expect.any(String) });
        const failed = await client.event(
          'sessions.changed',
          (event) => event.runId === runId && event.phase === 'error',
        );
        expect(failed.session).toMatchObject({ status: 'failed', lastRunError: expect.any(String) });
        const again = { sessionKey: key, message: `${FAIL} now`, idempotencyKey: runId };
        expect(await client.refusal('chat.send', again)).toMatchObject({ code: 'UNAVAILABLE', message: waited.error });
      });

      it('aborts a run', async () => {
        client = await open();
        const runId = await say(key, `${SLOW} to be aborted`);
        await client.event('agent', (payload) => payload.runId === runId && phaseOf(payload) === 'start');
        expect(await client.call('chat.abort', { sessionKey: key, runId })).toEqual({
          ok: true,
          aborted: true,
          runIds: [runId],
        });
        await client.event('chat', ({ runId: id, state }) => id === runId && state === 'aborted');
        const waited = await client.call('agent.wait', { runId, timeoutMs: 30_000 });
        expect(waited).toMatchObject({ status: 'error', error: 'aborted', stopReason: 'rpc' });
        const again = { sessionKey: key, message: `${SLOW} to be aborted`, idempotencyKey: runId };
        expect(await client.call('chat.send', again)).toMatchObject({ status: 'timeout', summary: 'aborted' });
      });

      it('resets a session, also while it runs, and keeps its label', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        const before = await client.call<{ entry: Dict }>('sessions.patch', { key, label: 'Talker' });
        const runId = await say(key, `${SLOW} to be reset`);
        await client.event('agent', (payload) => payload.runId === runId && phaseOf(payload) === 'start');
        const reset = await client.call<{ entry: Dict }>('sessions.reset', { key });
        expect(reset).toMatchObject({ ok: true, key, entry: { sessionId: before.entry.sessionId, label: 'Talker' } });
        expect(reset.entry.lifecycleRevision).not.toBe(before.entry.lifecycleRevision);
        expect(await client.call('agent.wait', { runId, timeoutMs: 30_000 })).toMatchObject({
          status: 'error',
          stopReason: 'restart',
        });
        await client.event('sessions.changed', ({ reason }) => reason === 'reset');
      });

      const refused = [
        {
          title: 'to an agent that is not there',
          params: { sessionKey: 'agent:nobody:main', message: 'x', idempotencyKey: 'a' },
          message: 'Agent "nobody" no longer exists in configuration',
        },
        {
          title: 'that is empty',
          params: { sessionKey: key, message: '', idempotencyKey: 'a' },
          message: 'message or attachment required',
        },
        {
          title: 'without a key of its own',
          params: { sessionKey: key, message: 'x' },
          message: "invalid chat.send params: must have required property 'idempotencyKey'",
        },
      ];
      it.each(refused)('refuses a message $title', async ({ params, message }) => {
        client = await open();
        expect(await client.refusal('chat.send', params)).toMatchObject({ code: 'INVALID_REQUEST', message });
      });

      it('deletes sessions, but not the main one of an agent', async () => {
        client = await open();
        const other = 'agent:talks:other';
        await client.call('sessions.patch', { key: other, label: 'Other' });
        expect(await client.call('sessions.delete', { key: other })).toMatchObject({ ok: true, deleted: true });
        expect(await client.call('sessions.delete', { key: other })).toMatchObject({ ok: true, deleted: false });
        expect(await client.refusal('sessions.delete', { key })).toMatchObject({
          message: `Cannot delete the main session (${key}).`,
        });
      });

      it('answers a wait for nothing with timeout', async () => {
        client = await open();
        const runId = randomUUID();
        expect(await client.call('agent.wait', { runId, timeoutMs: 50 })).toEqual({ runId, status: 'timeout' });
      });
    });

    describe('tools', () => {
      const policies = [
        { id: 'free', tools: undefined, exec: true, mode: 'full' },
        { id: 'denied', tools: { deny: ['exec'] }, exec: false, mode: 'full' },
        { id: 'group-denied', tools: { deny: ['group:runtime'] }, exec: false, mode: 'full' },
        { id: 'messaging', tools: { profile: 'messaging' }, exec: false, mode: 'full' },
        { id: 'also-exec', tools: { profile: 'messaging', alsoAllow: ['exec'] }, exec: true, mode: 'full' },
        { id: 'coding', tools: { profile: 'coding' }, exec: true, mode: 'full' },
        { id: 'minimal', tools: { profile: 'minimal' }, exec: false, mode: 'full' },
        { id: 'reads', tools: { allow: ['read'] }, exec: false, mode: 'full' },
        { id: 'mode-deny', tools: { exec: { mode: 'deny' } }, exec: true, mode: 'read-only' },
        { id: 'security-deny', tools: { exec: { security: 'deny' } }, exec: true, mode: 'read-only' },
        { id: 'asks', tools: { exec: { mode: 'ask' } }, exec: true, mode: 'guarded' },
        { id: 'auto', tools: { exec: { mode: 'auto' } }, exec: true, mode: 'workspace' },
        { id: 'listed', tools: { exec: { mode: 'allowlist' } }, exec: true, mode: undefined },
        { id: 'sandboxed', tools: { exec: { host: 'sandbox' } }, exec: true, mode: 'read-only' },
        { id: 'boxed', sandbox: { mode: 'all' }, exec: true, mode: undefined },
      ];
      beforeAll(async () => {
        client = await open();
        await register(
          Object.fromEntries(
            policies.map(({ id, tools, sandbox }) => [id, { ...(tools && { tools }), ...(sandbox && { sandbox }) }]),
          ),
        );
        for (const { id } of policies) await client.call('sessions.patch', { key: keyOf(id), label: id });
      });

      // Commands run when tools.effective has `exec` and agents.list says `full`: neither alone is enough.
      it.each(policies)('shows for $id whether commands run', async ({ id, exec, mode, tools }) => {
        client = await open();
        const effective = await client.call<{ groups: { tools: { id: string }[] }[] }>('tools.effective', {
          sessionKey: keyOf(id),
        });
        expect(effective).toMatchObject({ agentId: id, profile: tools?.profile ?? 'full' });
        expect(effective.groups).toEqual([expect.objectContaining({ id: 'core', source: 'core' })]);
        const names = effective.groups.flatMap((group) => group.tools.map((tool) => tool.id));
        expect(names.includes('exec')).toBe(exec);
        const { agents } = await client.call<{ agents: Dict[] }>('agents.list');
        expect(agents.find((agent) => agent.id === id)?.defaultPermissionMode).toBe(mode);
      });

      it('lists the same tools for every agent in the catalog', async () => {
        client = await open();
        const catalog = await client.call('tools.catalog', { agentId: 'minimal' });
        expect(catalog).toMatchObject({
          agentId: 'minimal',
          groups: expect.arrayContaining([
            expect.objectContaining({
              id: 'runtime',
              tools: expect.arrayContaining([expect.objectContaining({ id: 'exec', defaultProfiles: ['coding'] })]),
            }),
          ]),
        });
      });

      it('gives back what was denied when the array is replaced by name', async () => {
        client = await open();
        const raw = { agents: { entries: { denied: { tools: { deny: [] } } } } };
        const { hash } = await client.call('config.get');
        const refused = await client.refusal('config.patch', { raw: JSON.stringify(raw), baseHash: hash });
        expect(refused.message).toContain('would remove entries from array path(s): agents.entries.denied.tools.deny');
        await patch(raw, { replacePaths: ['agents.entries.denied.tools.deny'] });
        const effective = await client.call('tools.effective', { sessionKey: keyOf('denied') });
        expect(JSON.stringify(effective)).toContain('"exec"');
      });

      it('knows no tools of a session that is not there', async () => {
        client = await open();
        const sessionKey = 'agent:free:absent';
        expect(await client.refusal('tools.effective', { sessionKey })).toMatchObject({
          code: 'INVALID_REQUEST',
          message: `unknown session key "${sessionKey}"`,
        });
      });
    });

    describe('creating one by one', () => {
      it('answers before the agent is there', async () => {
        client = await open();
        const workspace = join(subject.stateDir, 'workspace-n-me-1');
        expect(await client.call('agents.create', { name: 'Näme 1' })).toEqual({
          ok: true,
          agentId: 'n-me-1',
          name: 'Näme 1',
          workspace,
        });
        const early = await client.refusal('agents.files.list', { agentId: 'n-me-1' });
        expect(early.message).toBe('agent "n-me-1" not found');
        const config = await client.call('config.get');
        expect(config.configRevisionHash).not.toBe(config.appliedConfigHash);
        expect(config).toMatchObject({
          sourceConfig: { agents: { entries: { 'n-me-1': { name: 'Näme 1', workspace } } } },
        });
        const { files } = await until(
          () => client.call<{ files: Dict[] }>('agents.files.list', { agentId: 'n-me-1' }).catch(() => undefined),
          'the agent to be there',
        );
        expect(files.filter(({ missing }) => !missing).map(({ name }) => name)).toEqual([
          'AGENTS.md',
          'SOUL.md',
          'USER.md',
          'BOOTSTRAP.md',
        ]);
        expect(await client.call('agents.update', { agentId: 'n-me-1', name: 'Name 1' })).toEqual({
          ok: true,
          agentId: 'n-me-1',
        });
      });

      const refused = [
        { params: { name: 'n-me-1' }, message: 'agent "n-me-1" already exists' },
        { params: { name: 'openclaw' }, message: '"openclaw" is reserved' },
        { params: {}, message: "invalid agents.create params: must have required property 'name'" },
        {
          params: { name: 'x', heartbeat: {} },
          message: "invalid agents.create params: at root: unexpected property 'heartbeat'",
        },
        {
          params: { name: '!!!' },
          message: 'Agent name "!!!" has no valid id characters. Use at least one letter a-z or digit.',
        },
      ];
      it.each(refused)('refuses $params', async ({ params, message }) => {
        client = await open();
        expect(await client.refusal('agents.create', params)).toMatchObject({ code: 'INVALID_REQUEST', message });
      });
    });

    describe('deleting', () => {
      it('leaves nothing of an agent in configuration, sessions, jobs and workspaces', async () => {
        client = await open();
        const agentId = 'doomed';
        const workspace = join(subject.stateDir, `workspace-${agentId}`);
        await register({ [agentId]: { heartbeat: { every: '10m', target: 'none' } } });
        await client.call('agents.files.set', { agentId, name: 'SOUL.md', content: 'x' });
        await client.call('sessions.patch', { key: keyOf(agentId), label: 'Doomed' });
        const answer = await client.call('agents.delete', { agentId });
        expect(answer).toMatchObject({ ok: true, agentId, removedBindings: 0, failed: [] });
        expect(answer.removed).toEqual(expect.arrayContaining([{ path: workspace, method: 'trash' }]));
        expect(existsSync(workspace)).toBe(false);
        const { sourceConfig } = await client.call<{ sourceConfig: { agents: { entries: Dict } } }>('config.get');
        expect(Object.keys(sourceConfig.agents.entries)).not.toContain(agentId);
        // For a moment the real gateway may refuse to read: "Session history database read was revoked".
        await until(
          () =>
            client.call<{ sessions: Dict[] }>('sessions.list', { agentId }).then(
              ({ sessions }) => sessions.length === 0,
              () => false,
            ),
          'its sessions to be gone',
        );
        await until(async () => {
          const { jobs } = await client.call<{ jobs: Dict[] }>('cron.list', { agentId, includeDisabled: true });
          return jobs.length === 0;
        }, 'its jobs to be gone');
        expect(await client.refusal('agents.delete', { agentId })).toMatchObject({
          code: 'INVALID_REQUEST',
          message: `agent "${agentId}" not found`,
        });
      });

      // Not restarted here: OpenClaw 2026.9.6 does not start while something is left of an agent that was deleted.
      it('leaves the workspace of an agent that works until it is deleted again after its run', async () => {
        client = await open();
        const agents = ['busy', 'stopped'];
        const workspaceOf = (agentId: string) => join(subject.stateDir, `workspace-${agentId}`);
        await register(Object.fromEntries(agents.map((agentId) => [agentId, {}])));
        for (const agentId of agents) {
          await client.call('agents.files.set', { agentId, name: 'SOUL.md', content: 'x' });
          const runId = await say(keyOf(agentId), `${ENDLESS} until it is deleted`);
          await client.event('agent', (payload) => payload.runId === runId && phaseOf(payload) === 'start');
        }
        for (let time = 0; time < 2; time++) {
          expect(await client.call('agents.delete', { agentId: 'busy' })).toMatchObject({
            ok: true,
            removed: [],
            purgeFailed: true,
          });
        }
        expect(existsSync(workspaceOf('busy'))).toBe(true);
        expect(await client.refusal('agents.create', { name: 'busy' })).toMatchObject({
          message: 'agent "busy" deletion cleanup is still pending',
        });
        expect(await client.call('chat.abort', { sessionKey: keyOf('busy') })).toMatchObject({ aborted: true });
        expect(await client.call('agents.delete', { agentId: 'busy' })).not.toHaveProperty('purgeFailed');
        expect(existsSync(workspaceOf('busy'))).toBe(false);
        await client.call('chat.abort', { sessionKey: keyOf('stopped') });
        await client.call('agents.delete', { agentId: 'stopped' });
        expect(existsSync(workspaceOf('stopped'))).toBe(false);
      });

      it('leaves the files when asked to', async () => {
        client = await open();
        await register({ spared: {} });
        await client.call('agents.files.set', { agentId: 'spared', name: 'SOUL.md', content: 'x' });
        const answer = await client.call('agents.delete', { agentId: 'spared', deleteFiles: false });
        expect(answer).toMatchObject({ ok: true, removed: [] });
        expect(existsSync(join(subject.stateDir, 'workspace-spared', 'SOUL.md'))).toBe(true);
      });

      // By config.patch it comes back unusable, and the gateway restarts: not shown here, since it would restart at each patch.
      it('gives an id back by agents.create', async () => {
        client = await open();
        const agentId = 'phoenix';
        await register({ [agentId]: {} });
        await client.call('sessions.patch', { key: keyOf(agentId), label: 'Phoenix' });
        await client.call('agents.delete', { agentId });
        const workspace = join(subject.stateDir, `workspace-${agentId}`);
        expect(await client.call('agents.create', { name: agentId, workspace })).toMatchObject({ agentId });
        await until(async () => {
          const { appliedConfigHash, configRevisionHash } = await client.call('config.get');
          return appliedConfigHash === configRevisionHash;
        }, 'it to be live');
        await register({ [agentId]: { heartbeat: { every: '10m', target: 'none' } } });
        expect(await client.call('sessions.patch', { key: keyOf(agentId), label: 'Phoenix' })).toMatchObject({
          ok: true,
        });
        // The sign of a folder that the gateway has filled.
        const { files } = await client.call<{ files: Dict[] }>('agents.files.list', { agentId });
        expect(files.find(({ name }) => name === 'BOOTSTRAP.md')).toMatchObject({ missing: false });
      });

      it('spares main', async () => {
        client = await open();
        const { message } = await client.refusal('agents.delete', { agentId: 'main' });
        expect(message).toMatch(/^Agent "main" .*cannot be deleted/);
      });
    });

    describe('a restart', () => {
      it('closes with 1012, comes back as another boot, keeps agents and forgets subscriptions', async () => {
        client = await open();
        await client.call('sessions.subscribe');
        const before = bootOf(client);
        await subject.restart();
        await until(() => client.closes.length > 0, 'the connection to close');
        expect(client.closes[0]).toEqual({ code: 1012, reason: 'service restart' });
        expect(await client.event('shutdown')).toMatchObject({ reason: expect.stringMatching(/^gateway (re)?st/) });
        await until(() => bootOf(client) !== before, 'the client to be back', 120_000);

        const { agents } = await client.call<{ agents: Dict[] }>('agents.list');
        expect(agents.map(({ id }) => id)).toEqual(expect.arrayContaining(['main', 'first', 'talks']));
        const { sessions } = await client.call<{ sessions: Dict[] }>('sessions.list', { agentId: 'talks' });
        expect(sessions).toEqual([expect.objectContaining({ label: 'Talker' })]);

        const seen = client.events.length;
        const subscriber = await open();
        await subscriber.call('sessions.subscribe');
        await client.call('sessions.patch', { key: keyOf('talks'), label: 'Talker again' });
        await subscriber.event('sessions.changed', ({ reason }) => reason === 'patch');
        expect(client.events.slice(seen).filter(({ event }) => event === 'sessions.changed')).toEqual([]);
      });

      const bootOf = (of: Client) => (of.hello.server as Dict).bootId;
    });
  });
}
