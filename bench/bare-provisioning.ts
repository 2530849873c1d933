import { GatewayClient } from '@openclaw/gateway-client';

// What a script does that sets up agents on an OpenClaw gateway and does nothing else: no database, no events, no look
// at what is there already, nothing that could be done again after a crash.

export interface BareAgent {
  openclawAgentId: string;
  name: string;
  workspace: string;
  heartbeatEvery: string;
  files: { name: string; content: string }[];
  /** What the gateway hands to the agent at each heartbeat. */
  scratch: string;
  wakeMessage: string;
}

/** A gateway refuses requests when about 256 wait. */
const IN_FLIGHT = 32;
const PATCH_TIMEOUT_MS = 120_000;

export interface BareScript {
  /** One config.patch for all, then for each agent its files, scratch, session and wake-up message. */
  provision(agents: BareAgent[]): Promise<void>;
  stop(): Promise<void>;
}

export interface GatewayAddress {
  url: string;
  token: string;
}

export async function connectBareScript(gateway: GatewayAddress): Promise<BareScript> {
  const client = await openGateway(gateway);
  const inFlight = limited(IN_FLIGHT);
  const call = <Answer>(method: string, params: object): Promise<Answer> =>
    inFlight(() => client.request<Answer>(method, params, { timeoutMs: PATCH_TIMEOUT_MS }));

  return {
    async provision(agents) {
      const { hash } = await call<{ hash: string }>('config.get', {});
      const raw = JSON.stringify({ agents: { ownership: 'explicit', entries: entriesOf(agents) } });
      await call('config.patch', { raw, baseHash: hash });
      const jobs = await heartbeatJobs(agents, (offset) =>
        call('cron.list', { includeDisabled: true, compact: true, limit: 200, offset }),
      );
      await Promise.all(agents.map((agent) => setUp(agent, jobs.get(agent.openclawAgentId) ?? '', call)));
    },
    stop: () => client.stopAndWait(),
  };
}

type Call = <Answer>(method: string, params: object) => Promise<Answer>;

async function setUp(agent: BareAgent, jobId: string, call: Call): Promise<void> {
  const { openclawAgentId: agentId, name, files, scratch, wakeMessage } = agent;
  const sessionKey = `agent:${agentId}:main`;
  await Promise.all(files.map((file) => call('agents.files.set', { agentId, ...file })));
  await call('cron.scratch.set', { jobId, content: scratch });
  await call('sessions.patch', { key: sessionKey, label: name });
  await call('chat.send', { sessionKey, message: wakeMessage, idempotencyKey: `bare-wake-${agentId}` });
}

function entriesOf(agents: BareAgent[]): object {
  return Object.fromEntries(
    agents.map(({ openclawAgentId, name, workspace, heartbeatEvery }) => [
      openclawAgentId,
      { name, workspace, identity: { name }, heartbeat: { every: heartbeatEvery, target: 'none' } },
    ]),
  );
}

interface JobPage {
  jobs: { id: string; declarationKey?: string }[];
  nextOffset?: number | null;
}

/** The heartbeat jobs by agent; the gateway makes them some moments after the agents. */
async function heartbeatJobs(
  agents: BareAgent[],
  list: (offset: number) => Promise<JobPage>,
): Promise<Map<string, string>> {
  for (;;) {
    const jobs = new Map<string, string>();
    for (let offset: number | null = 0; offset !== null; ) {
      const page: JobPage = await list(offset);
      for (const { id, declarationKey } of page.jobs)
        if (declarationKey?.startsWith('heartbeat:')) jobs.set(declarationKey.slice('heartbeat:'.length), id);
      offset = page.nextOffset ?? null;
    }
    if (agents.every(({ openclawAgentId }) => jobs.has(openclawAgentId))) return jobs;
  }
}

export function openGateway({ url, token }: GatewayAddress): Promise<GatewayClient> {
  return new Promise((resolve, reject) => {
    const client: GatewayClient = new GatewayClient({
      url,
      token,
      minProtocol: 4,
      maxProtocol: 4,
      deviceIdentity: null,
      onHelloOk: () => resolve(client),
      onConnectError: reject,
    });
    client.start();
  });
}

/** Runs at most so many at a time, in the order in which they come. */
function limited(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
