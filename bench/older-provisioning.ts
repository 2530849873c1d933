import { setTimeout as sleep } from 'node:timers/promises';
import { type BareAgent, type GatewayAddress, openGateway } from './bare-provisioning.ts';

// The order in which control planes set up agents before gateways took a patch of many entries, brought to today's protocol:
// each agent by itself, each request on a connection of its own.

/** How often it waits for an agent that was created to be there. */
const POLL_MS = 50;
const VISIBLE_WITHIN_MS = 15_000;
/** How often it reads the configuration again when somebody else has written it meanwhile. */
const PATCH_TRIES = 10;

/**
 * Sets up all agents at the same time, as many requests of operators at once would. What is refused for another reason than
 * that an agent is not there yet, or that the configuration is another one by now, is not tried again.
 * @param withinMs agents that take longer have failed
 * @returns how many are set up
 */
export async function provisionAsBefore(
  gateway: GatewayAddress,
  agents: BareAgent[],
  withinMs: number,
): Promise<number> {
  const outcomes = await Promise.allSettled(
    agents.map((agent) => {
      const late = sleep(withinMs, null, { ref: false }).then(() => Promise.reject(new Error('It takes too long.')));
      return Promise.race([setUp(gateway, agent), late]);
    }),
  );
  return outcomes.filter(({ status }) => status === 'fulfilled').length;
}

async function setUp(gateway: GatewayAddress, agent: BareAgent): Promise<void> {
  const call = <Answer>(method: string, params: object) => callOnce<Answer>(gateway, method, params);
  const { name, files, scratch, wakeMessage, heartbeatEvery: every } = agent;
  const { agentId } = await call<{ agentId: string }>('agents.create', {
    name: agent.openclawAgentId,
    workspace: agent.workspace,
  });
  await untilThere(() => call('agents.update', { agentId, name }));
  await patchHeartbeat(call, agentId, every);
  for (const file of files) await call('agents.files.set', { agentId, ...file });
  await call('cron.scratch.set', { jobId: await heartbeatJob(call, agentId), content: scratch });
  const sessionKey = `agent:${agentId}:main`;
  await call('sessions.patch', { key: sessionKey, label: name });
  await call('chat.send', { sessionKey, message: wakeMessage, idempotencyKey: `older-wake-${agentId}` });
}

type Call = <Answer>(method: string, params: object) => Promise<Answer>;

async function patchHeartbeat(call: Call, agentId: string, every: string): Promise<void> {
  const raw = JSON.stringify({ agents: { entries: { [agentId]: { heartbeat: { every, target: 'none' } } } } });
  for (let tries = 1; ; tries++) {
    const { hash: baseHash } = await call<{ hash: string }>('config.get', {});
    try {
      await call('config.patch', { raw, baseHash });
      return;
    } catch (error) {
      if (tries === PATCH_TRIES || !/config changed/.test(String(error))) throw error;
    }
  }
}

/** The gateway makes it some moments after the patch. */
async function heartbeatJob(call: Call, agentId: string): Promise<string> {
  return untilThere(async () => {
    const { jobs } = await call<{ jobs: { id: string; declarationKey?: string }[] }>('cron.list', {
      agentId,
      includeDisabled: true,
    });
    const job = jobs.find(({ declarationKey }) => declarationKey === `heartbeat:${agentId}`);
    if (!job) throw new Error('heartbeat job not found');
    return job.id;
  });
}

async function untilThere<Result>(ask: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + VISIBLE_WITHIN_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!/not found/.test(String(error)) || performance.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}

async function callOnce<Answer>(gateway: GatewayAddress, method: string, params: object): Promise<Answer> {
  const client = await openGateway(gateway);
  try {
    return await client.request<Answer>(method, params, { timeoutMs: 120_000 });
  } finally {
    await client.stopAndWait();
  }
}
