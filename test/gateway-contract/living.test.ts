import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { type Client, connect, type Dict, until } from './client.ts';

describe('living agents', () => {
  let server: Server;
  let baseUrl: string;
  let calls: { path: string | undefined; token: unknown; body: Dict }[];
  let answer: Dict;
  let simulator: Simulator;
  let client: Client;

  beforeEach(async () => {
    calls = [];
    answer = { data: { heartbeat: { __typename: 'HeartbeatPayload' } } };
    server = createServer((req, res) => {
      let data = '';
      req.on('data', (chunk) => {
        data += chunk;
      });
      req.on('end', () => {
        calls.push({ path: req.url, token: req.headers['x-agent-token'], body: JSON.parse(data) as Dict });
        res.setHeader('content-type', 'application/json');
        res.end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await client?.stop();
    await simulator?.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function begin(options: SimulatorOptions = {}, tools?: Dict): Promise<void> {
    simulator = await startSimulator({ agents: 'live', ...options });
    client = await connect(simulator);
    const { hash } = await client.call('config.get');
    const entry = { name: 'Alive', heartbeat: { every: '300s', target: 'none' }, ...(tools ? { tools } : {}) };
    const raw = JSON.stringify({ agents: { ownership: 'explicit', entries: { alive: entry } } });
    await client.call('config.patch', { raw, baseHash: hash });
    const content = [
      '# How you work',
      '## Tools',
      '```sh',
      `MISSION_CONTROL_URL=${baseUrl}`,
      'MISSION_CONTROL_TOKEN=mca_secret',
      '```',
    ].join('\n');
    await client.call('agents.files.set', { agentId: 'alive', name: 'AGENTS.md', content });
  }

  const wake = () =>
    client.call('chat.send', { sessionKey: 'agent:alive:main', message: 'Good morning', idempotencyKey: 'one' });

  it('report in when they are woken, with the address and token of their own document', async () => {
    await begin();
    await wake();
    const waited = await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 });
    expect(waited).toMatchObject({ status: 'ok', terminalReply: { text: 'I reported in.' } });
    expect(calls).toEqual([
      {
        path: '/graphql',
        token: 'mca_secret',
        body: { query: expect.stringMatching(/^mutation \{ heartbeat\(input: \{\}\)/) },
      },
    ]);
    expect(simulator.reports).toEqual([expect.objectContaining({ agentId: 'alive', ok: true })]);
  });

  it('report in at a beat, asked for or due', async () => {
    await begin({ timeScale: 2000 });
    await simulator.beat('alive');
    expect(calls.length).toBeGreaterThanOrEqual(1);
    await until(() => calls.length >= 3, 'two beats of 300 s, at 2000 times the speed');
    await client.event('cron', ({ action }) => action === 'finished');
  });

  it('say what Mission Control said when it refused them', async () => {
    await begin();
    answer = { data: { heartbeat: { __typename: 'ForbiddenError', message: 'This token was replaced.' } } };
    await wake();
    const waited = await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 });
    expect(waited).toMatchObject({ terminalReply: { text: 'Mission Control said: This token was replaced.' } });
    expect(simulator.reports).toEqual([expect.objectContaining({ ok: false })]);
  });

  it.each([{ deny: ['exec'] }, { exec: { mode: 'deny' } }])('cannot report in without commands: %j', async (tools) => {
    await begin({}, tools);
    await wake();
    const waited = await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 });
    expect(waited).toMatchObject({ terminalReply: { text: 'I have no tool that runs commands.' } });
    expect(calls).toEqual([]);
  });

  it('cannot report in when the whole gateway denies commands', async () => {
    await begin({ tools: { deny: ['exec'] } });
    await wake();
    await client.call('agent.wait', { runId: 'one', timeoutMs: 5000 });
    expect(calls).toEqual([]);
  });
});
