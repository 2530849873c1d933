import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { deliver } from '../src/provisioning/delivery.ts';
import { renderDocuments } from '../src/provisioning/documents.ts';
import type { Templates } from '../src/provisioning/liquid.ts';
import { readTemplates } from '../src/provisioning/template-folder.ts';
import { type BareAgent, type BareScript, connectBareScript } from './bare-provisioning.ts';
import { type Measurement, median, type RunOptions } from './bench.ts';
import { provisionAsBefore } from './older-provisioning.ts';
import { type OwnOutcome, provisionThroughApi } from './own-provisioning.ts';
import type { BenchGateway, onRealGateway } from './provisioning-gateway.ts';
import { ROOT } from './server-process.ts';

export const CONTENDERS = ['ours', 'bare script', 'older workflow'] as const;
export type Contender = (typeof CONTENDERS)[number];

/** An agent of the older workflow that takes longer has failed. */
const OLDER_WITHIN_MS = 60_000;

export const ABOUT_CONTENDERS =
  'Beside it a script that makes the calls that have to be made and no others, over one connection, with one patch for all and ' +
  'documents of the same sizes (bench/bare-provisioning.ts): the floor. And the order of older control planes: create, wait, ' +
  'update, a patch for each agent, documents one after another, a connection for each call (bench/older-provisioning.ts); an ' +
  `agent that is refused, or not ready after ${OLDER_WITHIN_MS / 1_000} s, has failed. Each on a gateway that was started for ` +
  'it, in turns.';

/** Who sets up how many agents at once, and how often. */
export interface Contest {
  counts: readonly number[];
  rounds: number;
  /** On each gateway so many times, one after another, of which the first do not count. */
  times: { before: number; measured: number };
  /** Who takes part in a round. */
  contenders(count: number, round: number): readonly Contender[];
  onGateway: typeof onRealGateway;
}

export function nameOf(count: number, what: string): string {
  return `${count} at once: ${what}`;
}

type Outcome = Pick<OwnOutcome, 'durationMs' | 'succeeded' | 'requests'> & Partial<OwnOutcome>;
/** Sets up so many agents at once, so many times. */
type Work = (gateway: BenchGateway, count: number, times: number) => Promise<Outcome[]>;

export async function hold(
  { counts, rounds, times, contenders, onGateway }: Contest,
  progress: RunOptions['progress'],
): Promise<Measurement[]> {
  const templates = readTemplates(path.join(ROOT, 'templates'));
  const work: Record<Contender, Work> = {
    ours: provisionThroughApi,
    'bare script': (...asked) => provisionBare(templates, ...asked),
    'older workflow': (...asked) => provisionOlder(templates, ...asked),
  };
  const outcomes = new Map<string, Outcome[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const count of counts) {
      const taking = contenders(count, round);
      // Who comes first is at an advantage when the machine gets slower, and the other way round.
      for (const contender of round % 2 === 1 ? taking : taking.toReversed()) {
        const all = await onGateway((gateway) => work[contender](gateway, count, times.before + times.measured));
        const key = nameOf(count, contender);
        outcomes.set(key, [...(outcomes.get(key) ?? []), ...all.slice(times.before)]);
        const each = all.map(({ succeeded, durationMs }) => `${succeeded} in ${(durationMs / 1_000).toFixed(2)} s`);
        progress(`round ${round}, ${key}: ${each.join(', ')}`);
      }
    }
  }
  return counts.flatMap((count) =>
    measurementsOf(
      count,
      CONTENDERS.flatMap((contender) => {
        const own = outcomes.get(nameOf(count, contender));
        return own ? [[contender, own]] : [];
      }),
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
async function provisionBare(templates: Templates, ...asked: Parameters<Work>): Promise<Outcome[]> {
  const [gateway] = asked;
  const script = await connectBareScript(gateway);
  try {
    await likeItsMainAgent(script, templates, gateway);
    return await timesOver(templates, asked, async (agents) => {
      await script.provision(agents);
      return agents.length;
    });
  } finally {
    await script.stop();
  }
}

async function provisionOlder(templates: Templates, ...asked: Parameters<Work>): Promise<Outcome[]> {
  const [gateway] = asked;
  const script = await connectBareScript(gateway);
  await likeItsMainAgent(script, templates, gateway).finally(() => script.stop());
  return timesOver(templates, asked, (agents) => provisionAsBefore(gateway, agents, OLDER_WITHIN_MS));
}

/** @param provision says how many have succeeded */
async function timesOver(
  templates: Templates,
  [gateway, count, times]: Parameters<Work>,
  provision: (agents: BareAgent[]) => Promise<number>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let time = 1; time <= times; time++) {
    const agents = bareAgents(templates, gateway, count);
    await gateway.settle();
    const started = performance.now();
    const succeeded = await provision(agents);
    outcomes.push({ durationMs: performance.now() - started, succeeded, requests: gateway.requests() });
  }
  return outcomes;
}

/** What the gateway does at the first agent only is done by then, as with ours by the gateway's main agent. */
async function likeItsMainAgent(script: BareScript, templates: Templates, gateway: BenchGateway): Promise<void> {
  await script.provision([bareAgent(templates, gateway, 'Main')]);
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
