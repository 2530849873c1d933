import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Database, openDatabase } from '../src/db/database.ts';
import { appendEvent, type EventSubject } from '../src/events/log.ts';
import { sweepLiveness } from '../src/fleet/liveness.ts';
import { createLog } from '../src/log.ts';
import { Metrics } from '../src/observability/metrics.ts';
import { RunCauses } from '../src/provisioning/causes.ts';
import { gatewaysOfSilentAgents } from '../src/provisioning/check-in.ts';
import type { GatewayLinks } from '../src/provisioning/links.ts';
import { reconcileGateway } from '../src/provisioning/reconcile.ts';
import type { Reconciler } from '../src/provisioning/reconciler.ts';
import type { Workspaces } from '../src/provisioning/workspaces.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { type AgentWithToken, giveTokens } from './agent-tokens.ts';
import { type Measurement, median, type RunOptions, type Target } from './bench.ts';
import { installPeers, type Load, load } from './load.ts';
import { type FleetSize, fillFleet } from './reads-fleet.ts';
import { type ServerProcess, settingsOn, startProgram } from './server-process.ts';

const SIZES: FleetSize[] = [
  { agents: 1_000, boards: 50, gateways: 5 },
  { agents: 10_000, boards: 500, gateways: 15 },
  { agents: 100_000, boards: 5_000, gateways: 50 },
];
const ROUNDS = 3;
const MS = 1_500;
const WARM_UP_MS = 2_000;
/** From the second round on, as by then all is compiled. */
const WARM_UP_AGAIN_MS = 500;
/** Of what is done in this process. */
const TIMES = 60;
const REPORTING = 32;
/** In the log, of each agent. */
const EVENTS = 5;
/** Agents that are paused, that are OFFLINE, and that have a certain name: as many each, however many there are. */
const RARE = 60;
const RARE_NAME = 'Zebra';

const PAGE = 'nodes { id name status liveness lastSeenAt board { id name } } pageInfo { hasNextPage endCursor }';
const LIST = `query ($after: String, $filter: AgentFilter) { agents(first: 50, after: $after, filter: $filter) { ${PAGE} } }`;

/** What somebody waits for. */
const HOT = [
  'a page of 50 agents',
  'a page deep in the list',
  'paused agents, of which there are few',
  'OFFLINE agents, of which there are few',
  'agents found by a part of the name',
  `heartbeats, ${REPORTING} at a time`,
  'an event’s append',
] as const;
/** What the server does beside it. */
const BESIDE = [
  'a look for agents without signs of life',
  'a look for agents that are due',
  'a run for a gateway where nothing is to do',
] as const;
type Way = (typeof HOT)[number] | (typeof BESIDE)[number];

const SMALLEST = SIZES[0]?.agents;
const LARGEST = SIZES.at(-1)?.agents;

export const name = 'growth';
export const about =
  `How long things take among ${SIZES.map(({ agents }) => agents).join(', ')} agents, with ${EVENTS} events of each in the log, ` +
  'in the same server on PostgreSQL: the median of one after the other, as a client sees it; what the server does beside it is ' +
  `called in the bench’s process. As many agents are found whatever the size: ${RARE} are paused, OFFLINE, or have the name. ` +
  'Agents on each gateway grow with the size, from 200 to 2,000. There is no short form.';

export const targets: Target[] = HOT.map((way) => ({ measurement: ratioOf(way), atMost: 2 }));

function ratioOf(way: Way): string {
  return `${way}: ${LARGEST} / ${SMALLEST} agents`;
}

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  if (short) return [];
  await installPeers(progress);
  const postgres = await PostgresServer.create();
  const stages: Stage[] = [];
  const times = new Map<Way, number[][]>();
  try {
    for (const size of SIZES) {
      stages.push(await Stage.open(await postgres.createDatabase(`growth_${size.agents}`), size));
      progress(`${size.agents} agents are there`);
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const way of [...HOT, ...BESIDE]) {
        const row: number[] = [];
        // Each round begins with another size.
        for (let turn = 0; turn < stages.length; turn++) {
          const index = (round + turn) % stages.length;
          row[index] = (await stages[index]?.measure(way, round === 0 ? WARM_UP_MS : WARM_UP_AGAIN_MS)) ?? Number.NaN;
        }
        times.set(way, [...(times.get(way) ?? []), row]);
      }
      progress(`round ${round + 1} of ${ROUNDS}`);
    }
  } finally {
    for (const stage of stages) await stage.close();
    await postgres.dispose();
  }
  return [...times].flatMap(([way, rows]): Measurement[] => [
    ...SIZES.map(({ agents }, index) => ({
      name: `${way}: ${agents} agents, µs`,
      unit: '' as const,
      samples: rows.map((row) => Math.round((row[index] ?? Number.NaN) * 1_000)),
    })),
    { name: ratioOf(way), unit: 'x', samples: rows.map((row) => (row.at(-1) ?? 0) / (row[0] ?? 0)) },
  ]);
}

/** A server on a fleet of one size, and the same database in this process. */
class Stage {
  readonly #server: ServerProcess;
  readonly #token: string;
  readonly #database: Database;
  readonly #agents: AgentWithToken[];
  readonly #subject: EventSubject;
  readonly #gatewayIds: string[];
  readonly #deepCursor: string;

  private constructor(parts: {
    server: ServerProcess;
    token: string;
    database: Database;
    agents: AgentWithToken[];
    subject: EventSubject;
    gatewayIds: string[];
    deepCursor: string;
  }) {
    this.#server = parts.server;
    this.#token = parts.token;
    this.#database = parts.database;
    this.#agents = parts.agents;
    this.#subject = parts.subject;
    this.#gatewayIds = parts.gatewayIds;
    this.#deepCursor = parts.deepCursor;
  }

  static async open(databaseUrl: string, size: FleetSize): Promise<Stage> {
    const token = randomBytes(24).toString('hex');
    const settings = settingsOn(databaseUrl, token);
    const start = () => startProgram('src/main.ts', settings);
    // It makes its tables.
    await (await start()).stop();
    await fillFleet(databaseUrl, size);
    await addRareAndEvents(databaseUrl);
    const agents = await giveTokens(databaseUrl, REPORTING);
    const database = await openDatabase({ dataDir: '', databaseUrl });
    const server = await start();
    const subject = await database.prisma.agent.findFirstOrThrow({ where: { id: agents[0]?.id ?? '' } });
    const gateways = await database.prisma.gateway.findMany({ select: { id: true } });
    const asked = '{ agents(last: 100) { pageInfo { startCursor } } }';
    const { agents: last } = (await ask(server, token, asked)) as { agents: { pageInfo: { startCursor: string } } };
    // Its gateways were looked for, and were not there.
    await sleep(3_000);
    return new Stage({
      ...{ server, token, database, agents, subject },
      gatewayIds: gateways.map(({ id }) => id),
      deepCursor: last.pageInfo.startCursor,
    });
  }

  /** In milliseconds. */
  async measure(way: Way, warmUpMs: number): Promise<number> {
    const { prisma } = this.#database;
    switch (way) {
      case 'a page of 50 agents':
        return this.#list({}, 50, warmUpMs);
      case 'a page deep in the list':
        return this.#list({ after: this.#deepCursor }, 50, warmUpMs);
      case 'paused agents, of which there are few':
        return this.#list({ filter: { status: ['PAUSED'] } }, 50, warmUpMs);
      case 'OFFLINE agents, of which there are few':
        return this.#list({ filter: { liveness: ['OFFLINE'] } }, 50, warmUpMs);
      case 'agents found by a part of the name':
        return this.#list({ filter: { search: RARE_NAME.toLowerCase() } }, 50, warmUpMs);
      case `heartbeats, ${REPORTING} at a time`:
        return this.#load({
          warmUpMs,
          connections: REPORTING,
          bodies: ['{"query":"mutation { heartbeat(input: {status: IDLE}) { ... on Agent { id status } } }"}'],
          callers: this.#agents.map(({ token }) => ({ 'x-agent-token': token })),
        });
      case 'an event’s append':
        return timeOf(() => prisma.$transaction((tx) => appendEvent(tx, this.#subject, 'UPDATED')));
      case 'a look for agents without signs of life':
        return timeOf(async () => {
          await sweepLiveness(this.#database, new Date());
        });
      case 'a look for agents that are due':
        return timeOf(() => this.#lookAround());
      case 'a run for a gateway where nothing is to do':
        return timeOf(() => this.#reconcile());
    }
  }

  /** @param count as many agents as have to be on the page */
  async #list(variables: object, count: number, warmUpMs: number): Promise<number> {
    const found = (await ask(this.#server, this.#token, LIST, variables)) as { agents: { nodes: object[] } };
    if (found.agents.nodes.length !== count)
      throw new Error(`There are ${found.agents.nodes.length} agents on a page.`);
    const bodies = [JSON.stringify({ query: LIST, variables })];
    return this.#load({ bodies, connections: 1, warmUpMs, headers: { authorization: `Bearer ${this.#token}` } });
  }

  async #load(what: Pick<Load, 'bodies' | 'connections' | 'warmUpMs'> & Partial<Load>): Promise<number> {
    const { url, pid } = this.#server;
    const { p50 } = await load({ headers: {}, ...what, url: `${url}/graphql`, pid, ms: MS });
    return p50;
  }

  /** The statements of the controller’s look. */
  async #lookAround(): Promise<void> {
    const { prisma } = this.#database;
    await prisma.gateway.findMany({ select: { id: true } });
    const where = { gatewayId: { in: this.#gatewayIds }, nextAttemptAt: { lte: new Date() } };
    await prisma.agent.groupBy({ by: ['gatewayId'], where });
    await gatewaysOfSilentAgents(prisma, this.#gatewayIds, 30_000);
  }

  async #reconcile(): Promise<void> {
    // When nothing is due, nobody is connected to and nothing is written.
    const log = createLog('error');
    const reconciler: Reconciler = {
      ...{ database: this.#database, log, metrics: new Metrics(log), causes: new RunCauses(), concurrency: 8 },
      ...{ links: {} as GatewayLinks, workspaces: {} as Workspaces },
    };
    const checks = { entries: false, documents: false };
    await reconcileGateway(reconciler, this.#gatewayIds[0] ?? '', checks, new AbortController().signal);
  }

  async close(): Promise<void> {
    await this.#server.stop();
    await this.#database.close();
  }
}

async function addRareAndEvents(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    const changes = [`status = 'PAUSED'`, `liveness = 'OFFLINE'`, `name = '${RARE_NAME} ' || name`];
    for (const [index, change] of changes.entries())
      await client.query(`
        UPDATE "Agent" SET ${change}
        WHERE id IN (SELECT id FROM "Agent" ORDER BY md5(id::text) OFFSET ${index * RARE} LIMIT ${RARE})`);
    await client.query(`
      INSERT INTO "AgentEvent" (seq, "organizationId", "agentId", "boardId", "gatewayId", type, status, liveness)
      SELECT nextval('"AgentEvent_seq"'), "organizationId", id, "boardId", "gatewayId", 'UPDATED', status, liveness
      FROM generate_series(1, ${EVENTS}), "Agent"`);
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

async function ask({ url }: ServerProcess, token: string, query: string, variables = {}): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: unknown; errors?: unknown };
  if (!data || errors) throw new Error(`${query}: ${JSON.stringify(errors)}`);
  return data;
}

/** The median, in milliseconds. */
async function timeOf(work: () => Promise<void>): Promise<number> {
  // As often before, until it is warm.
  for (let count = 0; count < TIMES; count++) await work();
  const times: number[] = [];
  for (let count = 0; count < TIMES; count++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return median(times);
}
