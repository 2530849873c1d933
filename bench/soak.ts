import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY } from '../src/demo/documents.ts';
import { TypedDocumentString } from '../src/generated/client/graphql.ts';
import { startSimulator } from '../src/simulator/simulator.ts';
import { DeleteAgent, Heartbeat, ReadAgent } from '../test/support/documents.ts';
import { numberIn } from '../test/support/number-in.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { type AgentWithToken, giveTokens } from './agent-tokens.ts';
import { type Measurement, median, type RunOptions, type Target } from './bench.ts';
import { Followers } from './followers.ts';
import { memoryKb } from './process-usage.ts';
import { DOCUMENTS } from './reads-documents.ts';
import { type FleetSize, fillFleet } from './reads-fleet.ts';
import { type ServerProcess, settingsOn, startProgram } from './server-process.ts';

const SIZE: FleetSize = { agents: 1_000, boards: 50, gateways: 5 };
const SECONDS = 600;
const SHORT_SECONDS = 10;
/** Between two looks at the memory; of a shorter run there are as many. */
const LOOK_SECONDS = 10;
const LOOKS = 30;
const SUBSCRIBERS = 100;
const REPORTING = 500;
/** On the simulated gateway, beside those that come and go. */
const STAYING = 4;
const COMING = 4;
/** How often, in a second, what is done is done. */
const QUERIES_PER_SECOND = 60;
const HEARTBEATS_PER_SECOND = 80;
const CHANGES_PER_SECOND = 8;
const CREATES_PER_SECOND = 0.5;

const GROWTH = 'memory, last third / middle third';

export const name = 'soak';
export const about =
  `A server on PostgreSQL under a steady load, in each second at most: ${QUERIES_PER_SECOND} queries, ${HEARTBEATS_PER_SECOND} ` +
  `heartbeats of ${REPORTING} agents with their tokens, and ${CHANGES_PER_SECOND} changes of status that ${SUBSCRIBERS} ` +
  'subscribers are told of; every other second an agent is created on a simulated gateway, and another one is deleted there. ' +
  `The memory of its process (RSS) is looked at every ${LOOK_SECONDS} s for ${SECONDS / 60} minutes, or as many seconds as ` +
  'SOAK_SECONDS says. In the short form as many looks are in less time, in which it may still grow to what it needs.';

export const targets: Target[] = [{ measurement: GROWTH, atMost: 1.1 }];

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const seconds = numberIn(process.env, 'SOAK_SECONDS') ?? (short ? SHORT_SECONDS : SECONDS);
  await using stage = await Stage.open();
  progress('the fleet is there');
  const stopping = new AbortController();
  const load = stage.load(stopping.signal);
  const memory: number[] = [];
  const everySeconds = Math.min(LOOK_SECONDS, seconds / LOOKS);
  try {
    for (let at = everySeconds; at <= seconds; at += everySeconds) {
      // When a part of the load fails, the run does.
      await Promise.race([sleep(everySeconds * 1_000), load]);
      memory.push(memoryKb(stage.pid) / 1024);
      if (memory.length % (LOOKS / 3) === 0) progress(`${Math.round(memory.at(-1) ?? 0)} MB after ${Math.round(at)} s`);
    }
  } finally {
    stopping.abort();
  }
  await load;
  const third = Math.floor(memory.length / 3);
  const thirds = [0, 1, 2].map((number) => median(memory.slice(number * third, (number + 1) * third)));
  const [first = 0, middle = 0, last = 0] = thirds.map(Math.round);
  const one = (name: string, value: number): Measurement => ({ name, unit: '', samples: [value] });
  return [
    one('seconds', seconds),
    { name: 'memory, MB', unit: '', samples: memory.map(Math.round) },
    one('memory, first third, MB', first),
    one('memory, middle third, MB', middle),
    one('memory, last third, MB', last),
    { name: GROWTH, unit: 'x', samples: [(thirds[2] ?? 0) / (thirds[1] ?? 0)] },
    ...Object.entries(stage.done).map(([what, count]) => one(`${what} in all`, count)),
  ];
}

/** The server, its fleet and those that follow it. */
class Stage {
  readonly done = { queries: 0, heartbeats: 0, changes: 0, creates: 0, deletes: 0 };
  readonly #server: ServerProcess;
  readonly #api: Api;
  readonly #boardId: string;
  readonly #agents: AgentWithToken[];
  readonly #parts: AsyncDisposableStack;

  private constructor(parts: {
    server: ServerProcess;
    api: Api;
    boardId: string;
    agents: AgentWithToken[];
    parts: AsyncDisposableStack;
  }) {
    this.#server = parts.server;
    this.#api = parts.api;
    this.#boardId = parts.boardId;
    this.#agents = parts.agents;
    this.#parts = parts.parts;
  }

  static async open(): Promise<Stage> {
    await using parts = new AsyncDisposableStack();
    const postgres = await PostgresServer.create();
    parts.defer(() => postgres.dispose());
    const databaseUrl = await postgres.createDatabase('soak');
    const gateway = await startSimulator();
    parts.defer(() => gateway.stop());
    const token = randomBytes(24).toString('hex');
    const settings = settingsOn(databaseUrl, token);
    const start = () => startProgram('src/main.ts', settings);
    // It makes its tables.
    await (await start()).stop();
    await fillFleet(databaseUrl, SIZE);
    const agents = await giveTokens(databaseUrl, REPORTING);
    const server = await start();
    parts.defer(() => server.stop());
    const api = new Api(`${server.url}/graphql`, token);
    parts.defer(() => api.close());
    const { url, token: gatewayToken, stateDir: workspaceRoot } = gateway;
    const input = { name: 'Soak', url, token: gatewayToken, workspaceRoot };
    const { id: gatewayId } = made((await api.ask(CREATE_GATEWAY, { input })).createGateway);
    const board = { gatewayId, name: 'Soak', maxAgents: 1_000 };
    const { id: boardId } = made((await api.ask(CREATE_BOARD, { input: board })).createBoard);
    const query =
      'subscription ($boardId: ID) { agentEvents(filter: {boardId: $boardId}) { type at agentId status cursor } }';
    const followers = await Followers.start({ url: server.url, token, way: 'ws', count: SUBSCRIBERS, query, boardId });
    parts.defer(() => followers.end());
    return new Stage({ server, api, boardId, agents, parts: parts.move() });
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Until told to stop. @throws Error when something is not answered as it should be */
  async load(signal: AbortSignal): Promise<void> {
    const staying: string[] = [];
    for (let count = 0; count < STAYING; count++) staying.push(await this.#create(`Staying ${count}`));
    const coming: string[] = [];
    const reporting = this.#agents.map(({ id, token }) => ({ id, api: new Api(`${this.#server.url}/graphql`, token) }));
    const all = [
      repeat(signal, QUERIES_PER_SECOND, (count) => this.#query(count)),
      repeat(signal, HEARTBEATS_PER_SECOND, async (count) => {
        const api = reporting[count % reporting.length]?.api ?? this.#api;
        made((await api.ask(Heartbeat, { input: { status: 'IDLE' } })).heartbeat);
        this.done.heartbeats++;
      }),
      repeat(signal, CHANGES_PER_SECOND, async (count) => {
        const status = Math.floor(count / STAYING) % 2 === 0 ? ('ACTIVE' as const) : ('IDLE' as const);
        const input = { id: staying[count % STAYING] ?? '', status };
        made((await this.#api.ask(Heartbeat, { input })).heartbeat);
        this.done.changes++;
      }),
      repeat(signal, CREATES_PER_SECOND, async (count) => {
        coming.push(await this.#create(`Coming ${count}`));
        this.done.creates++;
        if (coming.length <= COMING) return;
        made((await this.#api.ask(DeleteAgent, { id: coming.shift() ?? '' })).deleteAgent);
        this.done.deletes++;
      }),
    ];
    await Promise.all(all);
    for (const { api } of reporting) await api.close();
  }

  async #create(name: string): Promise<string> {
    const input = { boardId: this.#boardId, name };
    return made((await this.#api.ask(CREATE_AGENT, { input })).createAgent).id;
  }

  async #query(count: number): Promise<void> {
    const { id = '' } = this.#agents[count % this.#agents.length] ?? {};
    if (count % 3 === 0) await this.#api.ask(ReadAgent, { id });
    else await this.#api.ask(new TypedDocumentString(DOCUMENTS[count % 3 === 1 ? 'page' : 'nested']), {});
    this.done.queries++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** So many at most that are under way at the same time. */
const AT_ONCE = 8;

/** Does something so often in a second, as long as it is done in time. */
async function repeat(signal: AbortSignal, perSecond: number, work: (count: number) => Promise<void>): Promise<void> {
  let count = 0;
  const lanes = Math.min(AT_ONCE, Math.ceil(perSecond));
  const lane = async () => {
    while (!signal.aborted) {
      const paced = sleep((1_000 * lanes) / perSecond);
      await work(count++);
      await paced;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
