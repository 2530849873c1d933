import { setTimeout as sleep } from 'node:timers/promises';
import { type BareAgent, type GatewayAddress, openGateway } from './bare-provisioning.ts';

// The order in which control planes set up agents before gateways took a patch of many entries, brought to today's protocol:
// each agent by itself, each request on a connection of its own. Waits and tries are those of abhi1693/openclaw-mission-control,
// backend/app/services/openclaw/provisioning.py, at 13337fc.

/** The gateway knows an agent some moments after it was created. */
const WAIT_AFTER_CREATE_MS = 750;
/** When that was not enough; each wait is twice the one before. */
const UPDATE_TRIES = 5;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4_000;
/** It had no such job; this waits as short as is sensible. */
const JOB_POLL_MS = 50;
const JOB_WITHIN_MS = 15_000;
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
  await sleep(WAIT_AFTER_CREATE_MS);
  await updateWhenThere(() => call('agents.update', { agentId, name, workspace: agent.workspace }));
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

async function updateWhenThere(update: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await update();
      return;
    } catch (error) {
      if (tries === UPDATE_TRIES || !/not found/.test(String(error))) throw error;
      await sleep(Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LONGEST_WAIT_MS));
    }
  }
}

/** The gateway makes it some moments after the patch. */
async function heartbeatJob(call: Call, agentId: string): Promise<string> {
  const deadline = performance.now() + JOB_WITHIN_MS;
  for (;;) {
    const { jobs } = await call<{ jobs: { id: string; declarationKey?: string }[] }>('cron.list', {
      agentId,
      includeDisabled: true,
    });
    const job = jobs.find(({ declarationKey }) => declarationKey === `heartbeat:${agentId}`);
    if (job) return job.id;
    if (performance.now() > deadline) throw new Error('heartbeat job not found');
    await sleep(JOB_POLL_MS);
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
