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
const CONNECTIONS = 32;

const CONTENDERS = ['ours', 'PostGraphile', 'mercurius', 'ceiling'] as const;
type Contender = (typeof CONTENDERS)[number];

const FULL = {
  fleets: [SMALL, LARGE],
  queries: QUERIES,
  contenders: CONTENDERS,
  rounds: 3,
  // After 3 s of a query this server is not yet at the rate that it has later.
  times: { ms: 4_000, warmUpMs: 6_000, warmUpAgainMs: 1_000 },
};
/** Without the one that no target names. */
const SHORT = {
  fleets: [SMALL],
  queries: QUERIES.slice(0, 3),
  contenders: CONTENDERS.filter((contender) => contender !== 'mercurius'),
  rounds: 1,
  times: { ms: 1_300, warmUpMs: 2_000, warmUpAgainMs: 0 },
};

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
  const { fleets, queries, contenders, rounds, times } = short ? SHORT : FULL;
  await installPeers(progress);
  const measurements = new Map<string, Measurement>();
  const note = (name: string, unit: Measurement['unit'], value: number) => {
    const measurement = measurements.get(name) ?? { name, unit, samples: [] };
    measurements.set(name, { ...measurement, samples: [...measurement.samples, value] });
  };
  const postgres = await PostgresServer.create();
  try {
    for (const size of fleets) {
      await using stage = await Stage.open(await postgres.createDatabase(`reads_${size.agents}`), size, contenders);
      progress(`${size.agents} agents are there`);
      for (const query of queries) await stage.compare(query);
      for (let round = 0; round < rounds; round++) {
        for (const query of queries) {
          const loaded = await stage.measure(query, round, {
            ms: times.ms,
            // From the second round on all is compiled.
            warmUpMs: round === 0 ? times.warmUpMs : times.warmUpAgainMs,
          });
          const noteOf = (what: string, unit: Measurement['unit'], value: number) =>
            note(nameOf(size, query, what), unit, value);
          for (const [contender, { perSecond }] of loaded) noteOf(`requests/s, ${contender}`, '', perSecond);
          for (const [contender, { p99 }] of loaded) noteOf(`p99, ${contender}`, 'ms', p99);
          for (const [contender, { cpuUs }] of loaded) noteOf(`CPU per request, ${contender}, µs`, '', cpuUs);
          const ours = loaded.get('ours');
          for (const [other, { perSecond, p99 }] of loaded) {
            if (!ours || other === 'ours') continue;
            noteOf(`requests/s, ours / ${other}`, 'x', ours.perSecond / perSecond);
            // A second and a half says too little of the slowest hundredth.
            if (!short) noteOf(`p99, ours / ${other}`, 'x', ours.p99 / p99);
          }
        }
        progress(`round ${round + 1} of ${rounds}`);
      }
      for (const contender of contenders) note(titled(size, `memory, ${contender}, MB`), '', stage.memoryMb(contender));
    }
  } finally {
    await postgres.dispose();
  }
  return [...measurements.values()];
}

/** The contenders on one fleet, all of them running. */
class Stage {
  readonly #servers: ReadonlyMap<Contender, ServerProcess>;
  readonly #token: string;
  readonly #ids: string[];

  private constructor(servers: ReadonlyMap<Contender, ServerProcess>, token: string, ids: string[]) {
    this.#servers = servers;
    this.#token = token;
    this.#ids = ids;
  }

  static async open(databaseUrl: string, size: FleetSize, contenders: readonly Contender[]): Promise<Stage> {
    const token = randomBytes(24).toString('hex');
    const settings = settingsOn(databaseUrl, token);
    const { PATH = '' } = process.env;
    const bare = { PATH, DATABASE_URL: databaseUrl, NODE_ENV: 'production', GRAPHILE_ENV: 'production' };
    const start = (contender: Contender) => startProgram(FILES[contender], contender === 'ours' ? settings : bare);
    // It makes its tables.
    await (await start('ours')).stop();
    const ids = await fillFleet(databaseUrl, size);
    const servers = new Map<Contender, ServerProcess>();
    for (const contender of contenders) servers.set(contender, await start(contender));
    return new Stage(servers, token, ids);
  }

  /** @throws AssertionError when one answers with other data than this server */
  async compare(query: Query): Promise<void> {
    const expected = await this.#answers('ours', query);
    for (const contender of this.#servers.keys()) {
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
  async measure(query: Query, round: number, times: Pick<Load, 'ms' | 'warmUpMs'>): Promise<Map<Contender, Loaded>> {
    const loaded = new Map<Contender, Loaded>();
    const contenders = [...this.#servers.keys()];
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const { pid } = this.#server(contender);
      const asked = this.#asked(contender, query);
      loaded.set(contender, await load({ ...asked, pid, connections: CONNECTIONS, ...times }));
    }
    return loaded;
  }

  #asked(contender: Contender, query: Query): Pick<Load, 'url' | 'headers' | 'bodies'> {
    const documents = documentsOf(query, contender === 'PostGraphile' ? POSTGRAPHILE_DOCUMENTS : DOCUMENTS);
    const variables = query === 'byId' ? this.#ids.map((id) => ({ id })) : [{}];
    return {
      url: `${this.#server(contender).url}/${contender === 'ceiling' ? shapeOf(query) : 'graphql'}`,
      headers: contender === 'ours' ? { authorization: `Bearer ${this.#token}` } : {},
      bodies: documents.flatMap((document) =>
        variables.map((each) => JSON.stringify({ query: document, variables: each })),
      ),
    };
  }

  #server(contender: Contender): ServerProcess {
    const server = this.#servers.get(contender);
    if (!server) throw new Error(`${contender} does not run.`);
    return server;
  }

  memoryMb(contender: Contender): number {
    return Math.round(memoryKb(this.#server(contender).pid) / 1024);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) await server.stop();
  }
}

/** Times are written in more than one way. */
function withoutZone(_key: string, value: unknown): unknown {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).getTime() : value;
}
