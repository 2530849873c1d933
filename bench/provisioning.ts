import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { deliver } from '../src/provisioning/delivery.ts';
import { renderDocuments } from '../src/provisioning/documents.ts';
import type { Templates } from '../src/provisioning/liquid.ts';
import { readTemplates } from '../src/provisioning/template-folder.ts';
import { type BareAgent, type BareScript, connectBareScript } from './bare-provisioning.ts';
import { type Measurement, median, type RunOptions, type Target } from './bench.ts';
import { provisionAsBefore } from './older-provisioning.ts';
import { type OwnOutcome, provisionThroughApi } from './own-provisioning.ts';
import { type BenchGateway, onRealGateway, onSimulatedGateway } from './provisioning-gateway.ts';
import { ROOT } from './server-process.ts';

const CONTENDERS = ['ours', 'bare script', 'older workflow'] as const;
type Contender = (typeof CONTENDERS)[number];

const FULL = {
  counts: [1, 10, 50, 100],
  /** One agent takes so little that chance counts for more. */
  roundsOf: (count: number) => (count === 1 ? 7 : 3),
  contenders: CONTENDERS,
  onGateway: onRealGateway,
};
const SHORT = {
  counts: [20],
  roundsOf: () => 1,
  contenders: CONTENDERS.filter((contender) => contender !== 'older workflow'),
  onGateway: onSimulatedGateway,
};
/** The older workflow is given several agents once, as it takes its whole time to fail at most of them. */
const isInRound = (contender: Contender, count: number, round: number) =>
  contender !== 'older workflow' || count === 1 || round === 1;
/** An agent of the older workflow that takes longer has failed. */
const OLDER_WITHIN_MS = 60_000;

export const name = 'provisioning';
export const about =
  `${FULL.counts.join(', ')} agents created at once through the API until all are SUCCEEDED, on a real OpenClaw with a model ` +
  'that answers at once. Beside it a script that makes the calls that have to be made and no others, over one connection, ' +
  'with one patch for all and documents of the same sizes (bench/bare-provisioning.ts): the floor. And the order of older ' +
  'control planes: create, wait, update, a patch for each agent, documents one after another, a connection for each call ' +
  `(bench/older-provisioning.ts); an agent that is refused, or not ready after ${OLDER_WITHIN_MS / 1_000} s, has failed. ` +
  'Each on a gateway that was started for it, in turns. The short form is on the simulator, behind a proxy that lets each ' +
  'request wait for the one before as long as that keeps a real gateway busy.';

export const targets: Target[] = [
  { measurement: nameOf(1, 'older workflow / ours'), atLeast: 2.5 },
  { measurement: nameOf(50, 'succeeded, ours'), atLeast: 50 },
  ...[...FULL.counts, ...SHORT.counts].flatMap((count): Target[] => [
    { measurement: nameOf(count, 'ours / bare script'), atMost: 1.25 },
    { measurement: nameOf(count, 'config.patch calls, ours'), atMost: 3 },
  ]),
];

function nameOf(count: number, what: string): string {
  return `${count} at once: ${what}`;
}

type Outcome = Pick<OwnOutcome, 'durationMs' | 'succeeded' | 'requests'> & Partial<OwnOutcome>;

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const { counts, roundsOf, contenders, onGateway } = short ? SHORT : FULL;
  const templates = readTemplates(path.join(ROOT, 'templates'));
  const work: Record<Contender, (gateway: BenchGateway, count: number) => Promise<Outcome>> = {
    ours: provisionThroughApi,
    'bare script': (gateway, count) => provisionBare(templates, gateway, count),
    'older workflow': (gateway, count) => provisionOlder(templates, gateway, count),
  };
  const outcomes = new Map<string, Outcome[]>();
  for (let round = 1; round <= Math.max(...counts.map(roundsOf)); round++) {
    for (const count of counts.filter((each) => round <= roundsOf(each))) {
      // Who comes first is at an advantage when the machine gets slower, and the other way round.
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        if (!isInRound(contender, count, round)) continue;
        const outcome = await onGateway((gateway) => work[contender](gateway, count));
        const key = nameOf(count, contender);
        outcomes.set(key, [...(outcomes.get(key) ?? []), outcome]);
        progress(`round ${round}, ${key}: ${outcome.succeeded} in ${(outcome.durationMs / 1_000).toFixed(2)} s`);
      }
    }
  }
  return counts.flatMap((count) =>
    measurementsOf(
      count,
      contenders.map((contender) => [contender, outcomes.get(nameOf(count, contender)) ?? []]),
    ),
  );
}

function measurementsOf(count: number, contenders: [Contender, Outcome[]][]): Measurement[] {
  const own = contenders[0]?.[1] ?? [];
  const others = contenders.slice(1);
  const sum = ({ requests }: Outcome) => [...requests.values()].reduce((total, times) => total + times, 0);
  const steps = new Set(own.flatMap(({ steps }) => [...(steps?.keys() ?? [])]));
  const measured: Measurement[] = [
    ...contenders.flatMap(([contender, outcomes]): Measurement[] => [
      { name: contender, unit: 's', samples: outcomes.map(({ durationMs }) => durationMs / 1_000) },
      { name: `succeeded, ${contender}`, unit: '', samples: outcomes.map(({ succeeded }) => succeeded) },
      { name: `gateway requests, ${contender}`, unit: '', samples: outcomes.map(sum) },
    ]),
    ...others.map(([contender, outcomes]): Measurement => {
      const ratios = outcomes.map(({ durationMs }, round) => durationMs / (own[round]?.durationMs ?? Number.NaN));
      return contender === 'bare script'
        ? { name: 'ours / bare script', unit: 'x', samples: ratios.map((ratio) => 1 / ratio) }
        : { name: 'older workflow / ours', unit: 'x', samples: ratios };
    }),
    { name: 'all creates answered, ours', unit: 's', samples: own.map(({ answeredMs = 0 }) => answeredMs / 1_000) },
    {
      name: 'config.patch calls, ours',
      unit: '',
      samples: own.map(({ requests }) => requests.get('config.patch') ?? 0),
    },
    ...[...steps].map((step): Measurement => {
      const samples = own.map((outcome) => median(outcome.steps?.get(step) ?? []));
      return { name: `step ${step}, median of the agents`, unit: 'ms', samples };
    }),
  ];
  return measured.map((measurement) => ({ ...measurement, name: nameOf(count, measurement.name) }));
}

/** The calls that have to be made, by the official client, on a gateway in the same state. */
async function provisionBare(templates: Templates, gateway: BenchGateway, count: number): Promise<Outcome> {
  const script = await connectBareScript(gateway);
  try {
    await likeItsMainAgent(script, templates, gateway);
    const agents = bareAgents(templates, gateway, count);
    const started = performance.now();
    await script.provision(agents);
    return { durationMs: performance.now() - started, succeeded: count, requests: gateway.requests() };
  } finally {
    await script.stop();
  }
}

async function provisionOlder(templates: Templates, gateway: BenchGateway, count: number): Promise<Outcome> {
  const script = await connectBareScript(gateway);
  await likeItsMainAgent(script, templates, gateway).finally(() => script.stop());
  const agents = bareAgents(templates, gateway, count);
  const started = performance.now();
  const succeeded = await provisionAsBefore(gateway, agents, OLDER_WITHIN_MS);
  return { durationMs: performance.now() - started, succeeded, requests: gateway.requests() };
}

/** What the gateway does at the first agent only is done by then, as with ours by the gateway's main agent. */
async function likeItsMainAgent(script: BareScript, templates: Templates, gateway: BenchGateway): Promise<void> {
  await script.provision([bareAgent(templates, gateway, 'Main')]);
  await gateway.settle();
}

function bareAgents(templates: Templates, gateway: BenchGateway, count: number): BareAgent[] {
  return Array.from({ length: count }, (_, index) => bareAgent(templates, gateway, `Worker ${index + 1}`));
}

/** What a gateway of today takes. */
const CAPABILITIES = {
  files: new Set(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md']),
  heartbeatScratch: true,
};

function bareAgent(templates: Templates, { stateDir }: BenchGateway, name: string): BareAgent {
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
