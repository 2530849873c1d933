import { deepEqual } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PostgresServer } from '../test/support/postgres-server.ts';
import type { Measurement, RunOptions, Target } from './bench.ts';
import { installPeers, type Load, type Loaded, load } from './load.ts';
import { memoryKb } from './process-usage.ts';
import { DOCUMENTS, documentsOf, POSTGRAPHILE_DOCUMENTS, QUERIES, type Query, shapeOf } from './reads-documents.ts';
import { type FleetSize, fillFleet } from './reads-fleet.ts';
import { type ServerProcess, settingsOn, startProgram } from './server-process.ts';

const SMALL: FleetSize = { agents: 1_000, boards: 50, gateways: 5 };
const LARGE: FleetSize = { agents: 100_000, boards: 5_000, gateways: 50 };
const FULL = { fleets: [SMALL, LARGE], queries: QUERIES, rounds: 3, ms: 4_000, warmUpMs: 3_000 };
const SHORT = { fleets: [SMALL], queries: QUERIES.slice(0, 3), rounds: 3, ms: 1_500, warmUpMs: 2_000 };
const CONNECTIONS = 32;
/** From the second round on, as by then all is compiled. */
const WARM_UP_AGAIN_MS = 1_000;

const CONTENDERS = ['ours', 'PostGraphile', 'mercurius', 'ceiling'] as const;
type Contender = (typeof CONTENDERS)[number];

const FILES: Record<Contender, string> = {
  ours: 'src/main.ts',
  PostGraphile: 'bench/peers/postgraphile.ts',
  mercurius: 'bench/peers/mercurius.ts',
  ceiling: 'bench/peers/ceiling.ts',
};

export const name = 'reads';
export const about =
  `How much ${CONNECTIONS} connections get that ask as fast as they are answered: for 10 boards with 10 agents each ` +
  '(nested), for 50 agents with their boards and current tasks (page), for one agent of many (byId). The same lists are also ' +
  'asked for by each connection in other words (apart): what clients ask in the same words with the same credential at the ' +
  'same time, this server executes once for all of them. This server, with ' +
  'all that it checks, beside others on the same tables that check nothing: PostGraphile 5; mercurius with its just-in-time ' +
  'compiler on SQL written by hand; and the same SQL without GraphQL (ceiling). The load comes from another process. ' +
  'CPU is that of the server’s process, without PostgreSQL’s.';

export const targets: Target[] = [SMALL, LARGE].flatMap((size) =>
  QUERIES.flatMap((query) => [
    { measurement: nameOf(size, query, 'requests/s, ours / PostGraphile'), atLeast: 1.2 },
    { measurement: nameOf(size, query, 'p99, ours / PostGraphile'), atMost: 1 },
    ...(query === 'byId' ? [{ measurement: nameOf(size, query, 'requests/s, ours / ceiling'), atLeast: 0.5 }] : []),
  ]),
);

function nameOf(size: FleetSize, query: Query, what: string): string {
  return titled(size, `${query}, ${what}`);
}

function titled({ agents }: FleetSize, name: string): string {
  return agents === SMALL.agents ? name : `${agents} agents: ${name}`;
}

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const { fleets, queries, rounds, ms, warmUpMs } = short ? SHORT : FULL;
  await installPeers(progress);
  const measurements = new Map<string, Measurement>();
  const note = (name: string, unit: Measurement['unit'], value: number) => {
    const measurement = measurements.get(name) ?? { name, unit, samples: [] };
    measurements.set(name, { ...measurement, samples: [...measurement.samples, value] });
  };
  const postgres = await PostgresServer.create();
  try {
    for (const size of fleets) {
      await using stage = await Stage.open(await postgres.createDatabase(`reads_${size.agents}`), size);
      progress(`${size.agents} agents are there`);
      for (const query of queries) await stage.compare(query);
      for (let round = 0; round < rounds; round++) {
        for (const query of queries) {
          const loaded = await stage.measure(query, round, { ms, warmUpMs: round === 0 ? warmUpMs : WARM_UP_AGAIN_MS });
          const noteOf = (what: string, unit: Measurement['unit'], value: number) =>
            note(nameOf(size, query, what), unit, value);
          for (const contender of CONTENDERS) noteOf(`requests/s, ${contender}`, '', loaded[contender].perSecond);
          for (const contender of CONTENDERS) noteOf(`p99, ${contender}`, 'ms', loaded[contender].p99);
          for (const contender of CONTENDERS) noteOf(`CPU per request, ${contender}, µs`, '', loaded[contender].cpuUs);
          const { ours, ...others } = loaded;
          for (const [other, { perSecond, p99 }] of Object.entries(others)) {
            noteOf(`requests/s, ours / ${other}`, 'x', ours.perSecond / perSecond);
            // A second and a half says too little of the slowest hundredth.
            if (!short) noteOf(`p99, ours / ${other}`, 'x', ours.p99 / p99);
          }
        }
        progress(`round ${round + 1} of ${rounds}`);
      }
      for (const contender of CONTENDERS) note(titled(size, `memory, ${contender}, MB`), '', stage.memoryMb(contender));
    }
  } finally {
    await postgres.dispose();
  }
  return [...measurements.values()];
}

/** The contenders on one fleet, all of them running. */
class Stage {
  readonly #servers: Record<Contender, ServerProcess>;
  readonly #token: string;
  readonly #ids: string[];

  private constructor(servers: Record<Contender, ServerProcess>, token: string, ids: string[]) {
    this.#servers = servers;
    this.#token = token;
    this.#ids = ids;
  }

  static async open(databaseUrl: string, size: FleetSize): Promise<Stage> {
    const token = randomBytes(24).toString('hex');
    const settings = settingsOn(databaseUrl, token);
    const { PATH = '' } = process.env;
    const bare = { PATH, DATABASE_URL: databaseUrl, NODE_ENV: 'production', GRAPHILE_ENV: 'production' };
    const start = (contender: Contender) => startProgram(FILES[contender], contender === 'ours' ? settings : bare);
    // It makes its tables.
    await (await start('ours')).stop();
    const ids = await fillFleet(databaseUrl, size);
    const servers: Partial<Record<Contender, ServerProcess>> = {};
    for (const contender of CONTENDERS) servers[contender] = await start(contender);
    return new Stage(servers as Record<Contender, ServerProcess>, token, ids);
  }

  /** @throws AssertionError when one answers with other data than this server */
  async compare(query: Query): Promise<void> {
    const expected = await this.#answers('ours', query);
    for (const contender of CONTENDERS) {
      const answers = await this.#answers(contender, query);
      deepEqual(answers, expected, `${contender} does not answer ${query} as this server does.`);
    }
  }

  async #answers(contender: Contender, query: Query): Promise<unknown[]> {
    const { url, headers, bodies } = this.#asked(contender, query);
    const some = bodies.filter((_, index) => index % 50 === 0);
    const answers = some.map(async (body) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
      const answer = await response.text();
      const { data, errors } = JSON.parse(answer, withoutZone) as { data?: object | null; errors?: object };
      if (!data || errors || Object.values(data).includes(null)) throw new Error(`${contender}, ${query}: ${answer}`);
      return data;
    });
    return Promise.all(answers);
  }

  /** All contenders in turn; each round begins with another one. */
  async measure(query: Query, round: number, times: Pick<Load, 'ms' | 'warmUpMs'>): Promise<Record<Contender, Loaded>> {
    const loaded: Partial<Record<Contender, Loaded>> = {};
    for (let turn = 0; turn < CONTENDERS.length; turn++) {
      const contender = CONTENDERS[(round + turn) % CONTENDERS.length] as Contender;
      const { pid } = this.#servers[contender];
      loaded[contender] = await load({ ...this.#asked(contender, query), pid, connections: CONNECTIONS, ...times });
    }
    return loaded as Record<Contender, Loaded>;
  }

  #asked(contender: Contender, query: Query): Pick<Load, 'url' | 'headers' | 'bodies'> {
    const documents = documentsOf(query, contender === 'PostGraphile' ? POSTGRAPHILE_DOCUMENTS : DOCUMENTS);
    const variables = query === 'byId' ? this.#ids.map((id) => ({ id })) : [{}];
    return {
      url: `${this.#servers[contender].url}/${contender === 'ceiling' ? shapeOf(query) : 'graphql'}`,
      headers: contender === 'ours' ? { authorization: `Bearer ${this.#token}` } : {},
      bodies: documents.flatMap((document) =>
        variables.map((each) => JSON.stringify({ query: document, variables: each })),
      ),
    };
  }

  memoryMb(contender: Contender): number {
    return Math.round(memoryKb(this.#servers[contender].pid) / 1024);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const contender of CONTENDERS) await this.#servers[contender].stop();
  }
}

/** Times are written in more than one way. */
function withoutZone(_key: string, value: unknown): unknown {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).getTime() : value;
}
