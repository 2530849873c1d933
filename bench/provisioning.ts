import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY, FLEET } from '../src/demo/documents.ts';
import type { DemoFleetQuery } from '../src/generated/client/graphql.ts';
import { deliver } from '../src/provisioning/delivery.ts';
import { renderDocuments } from '../src/provisioning/documents.ts';
import type { Templates } from '../src/provisioning/liquid.ts';
import { readTemplates } from '../src/provisioning/template-folder.ts';
import { startSimulator } from '../src/simulator/simulator.ts';
import { startFakeModel } from '../test/openclaw/fake-model.ts';
import { startOpenClaw } from '../test/openclaw/openclaw.ts';
import { type BareAgent, connectBareScript } from './bare-provisioning.ts';
import { type Measurement, median, type RunOptions, type Target } from './bench.ts';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts';
import { ROOT, startServerProcess } from './server-process.ts';

const AGENTS = 50;
/**
 * What requests cost a real gateway's one thread, in milliseconds, as measured on an idle OpenClaw 2026.9.6: the first
 * change of a session makes the agent's database.
 */
const SERVICE_MS: Record<string, number> = {
  'agents.files.set': 5,
  'agents.files.get': 2,
  'agents.files.list': 2,
  'agents.list': 10,
  'cron.list': 5,
  'cron.scratch.set': 5,
  'sessions.patch': 80,
  'tools.effective': 10,
  'chat.send': 20,
};
/** A patch is live when every agent in it is. */
const PATCH_SERVICE_MS_PER_AGENT = 60;
const ROUNDS = 3;

export const name = 'provisioning';
export const about =
  `${AGENTS} agents created at once through the API until all are SUCCEEDED, against a bare script ` +
  '(bench/bare-provisioning.ts) that makes the calls that have to be made over one connection, in the same batches, with ' +
  'documents of the same sizes. Each on a gateway of its own that was started for it, in turns. The full form runs on a ' +
  'real OpenClaw with a model that answers at once, the short form on the simulator, behind a proxy that lets each ' +
  'request wait for the one before as long as that keeps a real gateway busy.';

const RATIO = 'ours / bare';
const PATCHES = 'config.patch calls, ours';
export const targets: Target[] = [
  { measurement: RATIO, atMost: 1.5 },
  { measurement: PATCHES, atMost: 3 },
];

interface Gateway {
  url: string;
  token: string;
  stateDir: string;
  stop(): Promise<void>;
}

interface Outcome {
  durationMs: number;
  /** How often each method was called. */
  requests: Map<string, number>;
}

interface OwnOutcome extends Outcome {
  /** Until the last create was answered. */
  answeredMs: number;
  /** Of each step of provisioning, the durations. */
  steps: Map<string, number[]>;
}

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const templates = readTemplates(path.join(ROOT, 'templates'));
  const own: OwnOutcome[] = [];
  const bare: Outcome[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const sides = [
      async () => own.push(await onFreshGateway(short, provisionThroughApi)),
      async () => bare.push(await onFreshGateway(short, (...at) => provisionBare(templates, ...at))),
    ];
    // Who comes first is at an advantage when the machine gets slower, and the other way round.
    for (const side of round % 2 === 1 ? sides : sides.reverse()) await side();
    progress(`round ${round}: ours ${seconds(own.at(-1))} s, bare ${seconds(bare.at(-1))} s`);
  }
  return measurementsOf(own, bare);
}

function seconds(outcome: Outcome | undefined): string {
  return ((outcome?.durationMs ?? 0) / 1000).toFixed(2);
}

function measurementsOf(own: OwnOutcome[], bare: Outcome[]): Measurement[] {
  const count = ({ requests }: Outcome) => [...requests.values()].reduce((sum, times) => sum + times, 0);
  const steps = new Set(own.flatMap(({ steps }) => [...steps.keys()]));
  return [
    { name: 'ours', unit: 's', samples: own.map(({ durationMs }) => durationMs / 1000) },
    { name: 'bare script', unit: 's', samples: bare.map(({ durationMs }) => durationMs / 1000) },
    {
      name: RATIO,
      unit: 'x',
      samples: own.map(({ durationMs }, round) => durationMs / (bare[round]?.durationMs ?? 0)),
    },
    { name: 'all creates answered, ours', unit: 's', samples: own.map(({ answeredMs }) => answeredMs / 1000) },
    { name: PATCHES, unit: '', samples: own.map(({ requests }) => requests.get('config.patch') ?? 0) },
    { name: 'gateway requests, ours', unit: '', samples: own.map(count) },
    { name: 'gateway requests, bare script', unit: '', samples: bare.map(count) },
    ...[...steps].map((step): Measurement => {
      const samples = own.map((outcome) => median(outcome.steps.get(step) ?? []));
      return { name: `step ${step}, median of the agents`, unit: 'ms', samples };
    }),
  ];
}

async function onFreshGateway<Result>(
  short: boolean,
  work: (gateway: Gateway, proxy: RecordingProxy) => Promise<Result>,
): Promise<Result> {
  const gateway = await (short ? startSimulatedGateway() : startRealGateway());
  try {
    const proxy = await startRecordingProxy(gateway.url, short ? serviceTime : undefined);
    try {
      return await work(gateway, proxy);
    } finally {
      await proxy.stop();
    }
  } finally {
    await gateway.stop();
  }
}

function serviceTime(method: string, { raw }: Record<string, unknown>): number {
  if (method !== 'config.patch') return SERVICE_MS[method] ?? 0;
  const patch = JSON.parse(String(raw)) as { agents?: { entries?: object } };
  return Object.keys(patch.agents?.entries ?? {}).length * PATCH_SERVICE_MS_PER_AGENT;
}

async function startRealGateway(): Promise<Gateway> {
  const model = await startFakeModel();
  const openclaw = await startOpenClaw({ model });
  const { url, token, stateDir } = openclaw;
  const stop = async () => {
    await openclaw.dispose();
    await model.stop();
  };
  return { url, token, stateDir, stop };
}

async function startSimulatedGateway(): Promise<Gateway> {
  // As 'realistic', but ready at once, and without what the proxy is there for.
  const simulator = await startSimulator({ delays: { request: 1, applyConfig: 600, model: 700 } });
  const { url, token, stateDir } = simulator;
  return { url, token, stateDir, stop: () => simulator.stop() };
}

/** As an operator does it, on a server in a process of its own that has nothing else to do. */
async function provisionThroughApi(gateway: Gateway, proxy: RecordingProxy): Promise<OwnOutcome> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mission-control-bench-'));
  const token = randomBytes(24).toString('hex');
  const { PATH = '', HOME = '' } = process.env;
  const settings = {
    PORT: '0',
    DATA_DIR: path.join(folder, 'data'),
    ADMIN_TOKEN: token,
    LOG_LEVEL: 'error',
    SOULS_URL: '',
  };
  try {
    const server = await startServerProcess({
      program: process.execPath,
      args: ['src/main.ts'],
      cwd: ROOT,
      env: { PATH, HOME, ...settings },
    });
    const api = new Api(`${server.url}/graphql`, token);
    try {
      return await createAgents(api, gateway, proxy);
    } finally {
      await api.close();
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function createAgents(api: Api, gateway: Gateway, proxy: RecordingProxy): Promise<OwnOutcome> {
  const { token, stateDir: workspaceRoot } = gateway;
  const { createGateway } = await api.ask(CREATE_GATEWAY, {
    input: { name: 'Bench', url: proxy.url, token, workspaceRoot },
  });
  const { id: gatewayId } = made(createGateway);
  await allSucceeded(api, gatewayId, 1);
  const { createBoard } = await api.ask(CREATE_BOARD, { input: { name: 'Bench', gatewayId } });
  const { id: boardId } = made(createBoard);
  await settled(proxy);

  const startedAt = Date.now();
  const names = Array.from({ length: AGENTS }, (_, index) => `Worker ${index + 1}`);
  await Promise.all(
    names.map(async (name) => made((await api.ask(CREATE_AGENT, { input: { name, boardId } })).createAgent)),
  );
  const answeredMs = Date.now() - startedAt;
  const agents = (await allSucceeded(api, gatewayId, AGENTS + 1)).filter(({ kind }) => kind === 'BOARD_WORKER');
  const ended = agents.map(({ provisioning }) => new Date(provisioning.finishedAt ?? 0).getTime());
  const steps = Map.groupBy(
    agents.flatMap(({ provisioning }) => provisioning.steps),
    (step) => step.name,
  );
  return {
    durationMs: Math.max(...ended) - startedAt,
    answeredMs,
    requests: countsOf(proxy),
    steps: new Map([...steps].map(([step, all]) => [step, all.map(({ durationMs }) => durationMs ?? 0)])),
  };
}

type AgentNode = NonNullable<DemoFleetQuery['gateway']>['agents']['nodes'][number];

/** Waits until so many agents are provisioned. It asks seldom: answering costs the server time as well. */
async function allSucceeded(api: Api, gatewayId: string, count: number): Promise<AgentNode[]> {
  for (;;) {
    const { gateway } = await api.ask(FLEET, { gatewayId });
    const agents = gateway?.agents.nodes ?? [];
    const failed = agents.find(({ provisioning }) => provisioning.phase === 'FAILED');
    if (failed) throw new Error(`${failed.name}: ${failed.provisioning.lastError?.message}`);
    const done = agents.filter(({ provisioning }) => provisioning.phase === 'SUCCEEDED');
    if (done.length === count) return agents;
    await sleep(500);
  }
}

/** The same calls by the official client, on a gateway in the same state. */
async function provisionBare(templates: Templates, gateway: Gateway, proxy: RecordingProxy): Promise<Outcome> {
  const script = await connectBareScript({ url: proxy.url, token: gateway.token });
  try {
    // What the gateway does at the first agent only is done by then, as on the other side by its main agent.
    await script.provision([bareAgent(templates, gateway, 'Main')]);
    const agents = Array.from({ length: AGENTS }, (_, index) => bareAgent(templates, gateway, `Worker ${index + 1}`));
    await settled(proxy);
    const started = performance.now();
    await script.provision(agents);
    return { durationMs: performance.now() - started, requests: countsOf(proxy) };
  } finally {
    await script.stop();
  }
}

/** The turns of what was woken are over, and its requests are not counted. */
async function settled(proxy: RecordingProxy): Promise<void> {
  await sleep(3_000);
  proxy.forget();
}

function countsOf(proxy: RecordingProxy): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { method } of proxy.requests()) counts.set(method, (counts.get(method) ?? 0) + 1);
  return counts;
}

/** What a gateway of today takes. */
const CAPABILITIES = {
  files: new Set(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md']),
  heartbeatScratch: true,
};

function bareAgent(templates: Templates, { stateDir }: Gateway, name: string): BareAgent {
  const id = randomUUID();
  const openclawAgentId = `mc-${id}`;
  const workspace = `${stateDir}/workspace-${openclawAgentId}`;
  const documents = renderDocuments(
    {
      agent: {
        id,
        kind: 'BOARD_WORKER',
        name,
        sessionKey: `agent:${openclawAgentId}:main`,
        workspacePath: workspace,
        identityProfile: {},
        identityTemplate: null,
        soulTemplate: null,
      },
      board: { id: randomUUID(), name: 'Bench', boardType: 'goal', objective: null },
      roleSoul: null,
      baseUrl: 'http://localhost:8000',
      authToken: `mca_${'x'.repeat(43)}`,
    },
    templates,
  );
  const { files, scratch, wakeMessage } = deliver(documents, CAPABILITIES);
  return {
    openclawAgentId,
    name,
    workspace,
    heartbeatEvery: '300s',
    files: files.map((file) => ({ name: file.name, content: file.content })),
    scratch: scratch ?? '',
    wakeMessage,
  };
}
