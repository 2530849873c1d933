import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_BOARD, CREATE_GATEWAY } from '../src/demo/documents.ts';
import { Heartbeat, ReadAgent } from '../test/support/documents.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { type Measurement, quantile, type RunOptions, type Target } from './bench.ts';
import { Followers } from './followers.ts';
import { cpuMs, memoryKb } from './process-usage.ts';
import { type ServerProcess, settingsOn, startProgram } from './server-process.ts';

const PER_SECOND = 15;
const FULL = { rounds: 3, events: 150, polls: 10, many: 10_000, stalledSeconds: 300 };
const SHORT = { rounds: 1, events: 60, polls: 2, many: 0, stalledSeconds: 0 };
const SUBSCRIBERS = 1_000;
const POLL_MS = 2_000;
/** Subscribers that stop reading. */
const STALLED = 100;
/** How long the others are measured before that, and after it. */
const BESIDE_SECONDS = 60;
const QUERY = `subscription Follow($boardId: ID) {
  agentEvents(filter: {boardId: $boardId, types: [STATUS_CHANGED]}) { cursor type at agentId status previousStatus liveness message }
}`;
/** The same in longer messages, so that what is not read is more than the system's buffers hold. */
const LONG_QUERY = QUERY.replace('{ cursor', `{ ${'long'.repeat(1_000)}: cursor cursor`);

export const name = 'live';
export const about =
  `${SUBSCRIBERS} subscribers of one board’s events, ${PER_SECOND} events a second, all of them in another process: over ` +
  'WebSocket at this server; at a server with the same schema on the same log, as graphql-ws and yoga’s server-sent events ' +
  'come, which execute each event for each subscriber; and asking for the agent every 2 s. A second server of ours is asked ' +
  'for the changes, all are on one PostgreSQL. Delays are from the mutation’s answer to the last subscriber.';

export const targets: Target[] = [
  { measurement: 'CPU per delivery, ours / graphql-ws', atMost: 0.5 },
  { measurement: 'delay p99, ours', atMost: 80 },
  { measurement: 'mean delay, ours / polling', atMost: 0.02 },
  { measurement: `memory with ${FULL.many} idle subscribers, MB`, atMost: 600 },
  { measurement: `delay p99, beside ${STALLED} that do not read / without`, atMost: 1.2 },
  { measurement: `memory grown by ${STALLED} that do not read, MB`, atMost: 50 },
];

export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  const { rounds, events, polls, many, stalledSeconds } = short ? SHORT : FULL;
  const samples = new Map<string, number[]>();
  const note = (what: string, value: number) => samples.set(what, [...(samples.get(what) ?? []), value]);
  await using stage = await Stage.open();
  for (let round = 1; round <= rounds; round++) {
    const ours = await stage.measure(stage.ours, 'ws', events);
    const plain = await stage.measure(stage.plain, 'ws', events);
    // No target names it.
    const stream = short ? null : await stage.measure(stage.plain, 'sse', events);
    const polled = await stage.poll(polls);
    for (const [contender, { cpuUs, delays }] of Object.entries({
      ours,
      'graphql-ws': plain,
      ...(stream && { 'yoga SSE': stream }),
    })) {
      note(`CPU per delivery, ${contender}, µs`, cpuUs);
      note(`delay p50, ${contender}`, quantile(delays, 0.5));
      note(`delay p99, ${contender}`, quantile(delays, 0.99));
    }
    note('CPU per delivery, ours / graphql-ws', ours.cpuUs / plain.cpuUs);
    if (stream) note('CPU per delivery, ours / yoga SSE', ours.cpuUs / stream.cpuUs);
    note('mean delay, polling', mean(polled));
    note('mean delay, ours / polling', mean(ours.delays) / mean(polled));
    note('memory per subscriber, ours, kB', ours.kbPerSubscriber);
    note('memory per subscriber, graphql-ws, kB', plain.kbPerSubscriber);
    progress(`round ${round} of ${rounds}`);
  }
  if (many > 0) {
    const followers = await stage.follow(stage.ours, 'ws', many);
    note(`memory with ${many} idle subscribers, MB`, memoryKb(stage.ours.pid) / 1024);
    await followers.end();
  }
  if (stalledSeconds > 0) {
    const { without, beside, grownMb } = await stage.measureStalled(stalledSeconds);
    note(`delay p99, without any that do not read`, quantile(without, 0.99));
    note(`delay p99, beside ${STALLED} that do not read`, quantile(beside, 0.99));
    note(`delay p99, beside ${STALLED} that do not read / without`, quantile(beside, 0.99) / quantile(without, 0.99));
    // It may as well have become less.
    note(`memory grown by ${STALLED} that do not read, MB`, Math.max(grownMb, 1));
  }
  const unitOf = (what: string) => (what.includes(' / ') ? 'x' : /^(delay|mean)/.test(what) ? 'ms' : '');
  return [...samples].map(([what, values]) => ({ name: what, unit: unitOf(what), samples: values }));
}

interface Measured {
  /** Of the server that delivers, per event and subscriber. */
  cpuUs: number;
  /** Per event, from the mutation’s answer to the last subscriber, in milliseconds. */
  delays: number[];
  kbPerSubscriber: number;
}

/** The servers, and a board with an agent whose status changes. */
class Stage {
  readonly ours: ServerProcess;
  readonly plain: ServerProcess;
  readonly #postgres: PostgresServer;
  readonly #writer: ServerProcess;
  readonly #token: string;
  readonly #api: Api;
  #boardId = '';
  #agentId = '';
  #status: 'ACTIVE' | 'IDLE' = 'IDLE';

  private constructor(postgres: PostgresServer, servers: [ServerProcess, ServerProcess, ServerProcess], token: string) {
    this.#postgres = postgres;
    [this.#writer, this.ours, this.plain] = servers;
    this.#token = token;
    this.#api = new Api(`${this.#writer.url}/graphql`, token);
  }

  static async open(): Promise<Stage> {
    const postgres = await PostgresServer.create();
    const token = randomBytes(24).toString('hex');
    const env = {
      ...settingsOn(await postgres.createDatabase('live'), token),
      MAX_CONNECTIONS_PER_CREDENTIAL: '100000',
    };
    const start = (file: string) => startProgram(file, env);
    const writer = await start('src/main.ts');
    const stage = new Stage(postgres, [writer, await start('src/main.ts'), await start('bench/plain-live.ts')], token);
    await stage.#prepare();
    return stage;
  }

  async #prepare(): Promise<void> {
    // Nothing listens there: so nothing but what is asked for here changes the agent.
    const input = { name: 'Away', url: 'ws://127.0.0.1:1', token: 'none', workspaceRoot: '/w' };
    const gateway = made((await this.#api.ask(CREATE_GATEWAY, { input })).createGateway);
    const board = { gatewayId: gateway.id, name: 'Live' };
    this.#boardId = made((await this.#api.ask(CREATE_BOARD, { input: board })).createBoard).id;
    const agent = { boardId: this.#boardId, name: 'Wanda' };
    this.#agentId = made((await this.#api.ask(CREATE_AGENT, { input: agent })).createAgent).id;
  }

  /** Subscribers of the board in a process of their own. */
  async follow(server: ServerProcess, way: 'ws' | 'sse' | 'stalled', count: number): Promise<Followers> {
    const query = way === 'stalled' ? LONG_QUERY : QUERY;
    return Followers.start({ url: server.url, token: this.#token, way, count, query, boardId: this.#boardId });
  }

  /** Subscribers that read, before, while and after others do not. */
  async measureStalled(seconds: number): Promise<{ without: number[]; beside: number[]; grownMb: number }> {
    const followers = await this.follow(this.ours, 'ws', SUBSCRIBERS);
    let events = 0;
    const delaysOf = async (forSeconds: number) => {
      const count = forSeconds * PER_SECOND;
      const answered = await this.#change(count);
      const received = (await followers.got(events + count)).slice(events);
      events += count;
      return received.map((at, index) => Math.max(0, at - (answered[index] ?? at)));
    };
    await delaysOf(10);
    const before = await delaysOf(BESIDE_SECONDS);
    const memory = memoryKb(this.ours.pid);
    const stalled = await this.follow(this.ours, 'stalled', STALLED);
    const beside = await delaysOf(seconds);
    const grownMb = (memoryKb(this.ours.pid) - memory) / 1024;
    await stalled.end();
    const after = await delaysOf(BESIDE_SECONDS);
    await followers.end();
    return { without: [...before, ...after], beside, grownMb };
  }

  async measure(server: ServerProcess, way: 'ws' | 'sse', events: number): Promise<Measured> {
    const before = memoryKb(server.pid);
    const followers = await this.follow(server, way, SUBSCRIBERS);
    const kbPerSubscriber = (memoryKb(server.pid) - before) / SUBSCRIBERS;
    // The first ones make the code warm.
    await this.#change(20);
    await followers.got(20);
    const cpu = cpuMs(server.pid);
    const answered = await this.#change(events);
    const received = (await followers.got(20 + events)).slice(20);
    const cpuUs = ((cpuMs(server.pid) - cpu) * 1_000) / (events * SUBSCRIBERS);
    await followers.end();
    return { cpuUs, kbPerSubscriber, delays: received.map((at, index) => Math.max(0, at - (answered[index] ?? at))) };
  }

  /** @returns when each change was answered, in milliseconds since 1970 */
  async #change(count: number): Promise<number[]> {
    const answered: number[] = [];
    for (let index = 0; index < count; index++) {
      const next = sleep(1_000 / PER_SECOND);
      this.#status = this.#status === 'ACTIVE' ? 'IDLE' : 'ACTIVE';
      made((await this.#api.ask(Heartbeat, { input: { id: this.#agentId, status: this.#status } })).heartbeat);
      answered.push(performance.timeOrigin + performance.now());
      await next;
    }
    return answered;
  }

  /** The delays with which somebody sees a change who asks every 2 s, in milliseconds. */
  async poll(changes: number): Promise<number[]> {
    const delays: number[] = [];
    for (let index = 0; index < changes; index++) {
      // Changes come at any moment between two questions.
      const until = performance.now() + POLL_MS;
      await sleep(((index + 0.5) / changes) * POLL_MS);
      await this.#change(1);
      const changed = performance.now();
      await sleep(Math.max(0, until - performance.now()));
      const { agent } = await this.#api.ask(ReadAgent, { id: this.#agentId });
      if (agent?.status !== this.#status) throw new Error('The change is not there.');
      delays.push(performance.now() - changed);
    }
    return delays;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api.close();
    for (const server of [this.plain, this.ours, this.#writer]) await server.stop();
    await this.#postgres.dispose();
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
