import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connect, type Dict } from '../gateway-contract/client.ts';
import { type FakeModel, lastUserText, startFakeModel, toolResults } from './fake-model.ts';
import { type OpenClaw, startOpenClaw } from './openclaw.ts';

/**
 * Where an agent's command really runs: exactly where tools.effective lists `exec` and agents.list says `full`. The
 * cases in gateway-contract have what is shown; here a model asks for a command, and it runs or not.
 */
describe('commands', { timeout: 120_000 }, () => {
  let model: FakeModel;
  let openclaw: OpenClaw;
  let client: Client;

  const policies = [
    { id: 'free', tools: undefined, answer: 'ran 42' },
    { id: 'coding', tools: { profile: 'coding' }, answer: 'ran 42' },
    { id: 'only-exec', tools: { allow: ['exec'] }, answer: 'ran 42' },
    { id: 'also-exec', tools: { profile: 'messaging', alsoAllow: ['exec'] }, answer: 'ran 42' },
    { id: 'denied', tools: { deny: ['exec'] }, answer: 'Tool exec not found' },
    { id: 'group-denied', tools: { deny: ['group:runtime'] }, answer: 'Tool exec not found' },
    { id: 'messaging', tools: { profile: 'messaging' }, answer: 'Tool exec not found' },
    { id: 'mode-deny', tools: { exec: { mode: 'deny' } }, answer: 'exec denied: host=gateway security=deny' },
    { id: 'listed', tools: { exec: { mode: 'allowlist' } }, answer: 'exec denied: allowlist miss' },
    { id: 'asks', tools: { exec: { mode: 'ask' } }, answer: 'SYSTEM_RUN_DENIED' },
    { id: 'auto', tools: { exec: { mode: 'auto' } }, answer: 'SYSTEM_RUN_DENIED' },
    { id: 'sandboxed', tools: { exec: { host: 'sandbox' } }, answer: 'requires a sandbox runtime' },
  ];

  beforeAll(async () => {
    model = await startFakeModel((request) => {
      const results = toolResults(request);
      if (results.length > 0) return results.join('\n');
      const command = /run: (.*)/.exec(lastUserText(request))?.[1];
      return command ? { toolCalls: [{ name: 'exec', arguments: { command } }] } : 'OK';
    });
    openclaw = await startOpenClaw({ model });
    client = await connect(openclaw);
    const entries = Object.fromEntries(
      policies.map(({ id, tools }) => [id, { name: id, ...(tools ? { tools } : {}) }]),
    );
    const { hash } = await client.call('config.get');
    await client.call('config.patch', {
      raw: JSON.stringify({ agents: { ownership: 'explicit', entries } }),
      baseHash: hash,
    });
  }, 900_000);
  afterAll(async () => {
    await client?.stop();
    await openclaw?.dispose();
    await model?.stop();
  });

  it.each(policies)('of $id: $answer', async ({ id, answer }) => {
    const runId = randomUUID();
    await client.call('chat.send', {
      sessionKey: `agent:${id}:main`,
      message: 'run: echo "ran $((40+2))"',
      idempotencyKey: runId,
    });
    const waited = await client.call<Dict>('agent.wait', { runId, timeoutMs: 60_000 });
    expect(waited).toMatchObject({ status: 'ok', terminalReply: { text: expect.stringContaining(answer) } });
    const ran = (waited.terminalReceipt as Dict).successfulToolNames;
    expect(ran).toEqual(answer === 'ran 42' ? ['exec'] : []);
  });
});
