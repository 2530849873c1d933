import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { hashToken, newToken } from '../../src/access/tokens.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import type { AgentEventFilter, AgentEventType } from '../../src/generated/client/graphql.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { connect } from '../gateway-contract/client.ts';
import { AgentEvents, Heartbeat, ReadAgent } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';

const FeedFrom = graphql(`
  subscription FeedFrom($filter: AgentEventFilter, $after: String, $since: DateTime) {
    agentEvents(filter: $filter, after: $after, since: $since) { cursor type agentId at status liveness }
  }
`);

const LogPage = graphql(`
  query LogPage($id: ID!, $after: String) {
    agent(id: $id) {
      events(first: 100, after: $after) { nodes { cursor type } pageInfo { hasNextPage endCursor } }
    }
  }
`);

interface Seen {
  cursor: string;
  type: string;
  agentId: string;
  at: string;
}

let mc: MissionControl;
beforeAll(async () => {
  mc = await startMissionControl();
});
afterAll(() => mc.stop());

/** What only the test brings about on a quiet board; that its gateway is away is told as PROVISIONING, in its own time. */
const DONE_HERE: AgentEventType[] = ['CREATED', 'STATUS_CHANGED', 'LIVENESS_CHANGED', 'HEARTBEAT'];

/** A board whose gateway is away. */
async function quietBoard(name: string) {
  const gateway = await addGateway(mc.owner, { url: 'ws://127.0.0.1:1', token: 'none', stateDir: '/w' }, name);
  const board = await addBoard(mc.owner, gateway.id, { name, maxAgents: 1_000 });
  return { gatewayId: gateway.id, boardId: board.id, mainId: gateway.mainAgent?.id ?? '' };
}

const beat = (id: string, status: 'ACTIVE' | 'IDLE') => mc.owner.run(Heartbeat, { input: { id, status } });

/** The cursors of the agents' logged events but PROVISIONING, in the order of the log. */
async function logOf(agentIds: string[]): Promise<string[]> {
  const cursors: string[] = [];
  for (const id of agentIds) {
    for (let after: string | null = null, more = true; more; ) {
      const { agent }: Awaited<ReturnType<typeof page>> = await page(id, after);
      cursors.push(
        ...(agent?.events.nodes.filter(({ type }) => type !== 'PROVISIONING').map(({ cursor }) => cursor) ?? []),
      );
      after = agent?.events.pageInfo.endCursor ?? null;
      more = agent?.events.pageInfo.hasNextPage ?? false;
    }
  }
  return cursors.sort();
}
const page = (id: string, after: string | null) => mc.owner.run(LogPage, { id, after });

/**
 * What of a reader's events is in the log. Heartbeats that change nothing are live only: they have the cursor of the
 * event before them, which may be one that the reader did not ask for.
 */
function loggedOf(events: Seen[], log: string[]): string[] {
  const known = new Set(log);
  const cursors: string[] = [];
  let last = '';
  for (const { cursor, type } of events) {
    // In order, always: so that whoever resumes after the cursor seen last gets nothing twice.
    expect(cursor >= last, `${cursor} after ${last} (${type})`).toBe(true);
    if (cursor === last || !known.has(cursor)) expect(type).toBe('HEARTBEAT');
    else cursors.push(cursor);
    last = cursor;
  }
  return cursors;
}

describe('agentEvents', () => {
  it('gives every reader the whole log in its order, whoever writes and however often readers come again', {
    timeout: 60_000,
  }, async () => {
    const { boardId } = await quietBoard('Busy');
    const begun = new Date(Date.now() - 1).toISOString();
    const ids = await Promise.all(
      Array.from({ length: 6 }, async (_, n) => (await addAgent(mc.owner, boardId, `A${n}`)).id),
    );
    let writing = true;

    async function write(id: string): Promise<void> {
      for (let count = 0; count < 40; count++) await beat(id, Math.random() < 0.6 ? 'ACTIVE' : 'IDLE');
    }
    async function create(): Promise<void> {
      for (let count = 0; count < 10; count++) ids.push((await addAgent(mc.owner, boardId, `B${count}`)).id);
    }
    /** Reads some events, goes, and comes again after the last one that it has seen, until it has seen the end. */
    async function readOn(from: { after?: string; since?: string }): Promise<Seen[]> {
      const events: Seen[] = [];
      for (;;) {
        const last = events.at(-1)?.cursor;
        const filter: AgentEventFilter = { boardId, types: DONE_HERE };
        const reader = mc.owner.subscribe(FeedFrom, { filter, ...(last === undefined ? from : { after: last }) });
        await reader.connected;
        const wanted = 1 + Math.floor(Math.random() * 80);
        await eventually(
          async () => reader.received.length >= wanted || (!writing && (await isAtEnd(last, reader.received))),
          (enough) => enough,
        );
        const isLast = !writing && (await isAtEnd(last, reader.received));
        await reader.stop();
        events.push(...reader.received.map(({ value }) => value.agentEvents));
        if (isLast) return events;
      }
    }
    let end: string | undefined;
    /** Also whoever had seen the end before it came again. */
    const isAtEnd = async (before: string | undefined, received: { value: { agentEvents: Seen } }[]) => {
      end ??= (await logOf(ids)).at(-1);
      return before === end || received.some(({ value }) => value.agentEvents.cursor === end);
    };
    /** One that stays. */
    const steady = mc.owner.subscribe(FeedFrom, { filter: { boardId, types: DONE_HERE }, since: begun });
    await steady.connected;

    const readers = [readOn({ since: begun }), readOn({ since: begun }), readOn({ after: '0'.repeat(13) })];
    await Promise.all([...ids.map(write), create()]);
    writing = false;
    const log = await logOf(ids);
    expect(log.length).toBeGreaterThan(100);
    for (const events of await Promise.all(readers)) expect(loggedOf(events, log)).toEqual(log);
    await steady.first(({ agentEvents: { cursor } }) => cursor === log.at(-1));
    expect(
      loggedOf(
        steady.received.map(({ value }) => value.agentEvents),
        log,
      ),
    ).toEqual(log);
    await steady.stop();
  });

  it('begins at an instant, or where the client was, or now', async () => {
    const { boardId } = await quietBoard('Beginnings');
    const { id } = await addAgent(mc.owner, boardId, 'Ada');
    await beat(id, 'ACTIVE');
    const [created, ...later] = await logOf([id]);
    const filter = { boardId, types: DONE_HERE };
    const all = mc.owner.subscribe(FeedFrom, { filter, since: new Date(0).toISOString() });
    // PostgreSQL has no year 0.
    const ever = mc.owner.subscribe(FeedFrom, { filter, since: '0000-01-01T00:00:00Z' });
    const rest = mc.owner.subscribe(FeedFrom, { filter, after: created ?? '' });
    const none = mc.owner.subscribe(FeedFrom, { filter });
    const future = mc.owner.subscribe(FeedFrom, { filter, since: new Date(Date.now() + 60_000).toISOString() });
    await all.first(({ agentEvents: { cursor } }) => cursor === later.at(-1));
    await ever.first(({ agentEvents: { cursor } }) => cursor === later.at(-1));
    await rest.first(({ agentEvents: { cursor } }) => cursor === later.at(-1));
    expect(ever.received.map(({ value }) => value.agentEvents.cursor)).toEqual([created, ...later]);
    expect(all.received.map(({ value }) => value.agentEvents.cursor)).toEqual([created, ...later]);
    expect(rest.received.map(({ value }) => value.agentEvents.cursor)).toEqual(later);
    await Promise.all([none.connected, future.connected]);
    expect(none.received).toEqual([]);
    await Promise.all([all, ever, rest, none, future].map((reader) => reader.stop()));

    const wrong = mc.owner.subscribe(FeedFrom, { after: 'not a cursor' });
    await expect(wrong.ended).rejects.toThrow('after is not a cursor of this API.');
  });

  it('brings what the filter wants and nothing else', async () => {
    const [one, two] = [await quietBoard('Filter one'), await quietBoard('Filter two')];
    const [a, b, c] = [
      await addAgent(mc.owner, one.boardId, 'A'),
      await addAgent(mc.owner, one.boardId, 'B'),
      await addAgent(mc.owner, two.boardId, 'C'),
    ];
    const filters: [AgentEventFilter, (event: Seen) => boolean][] = [
      [{ agentId: a.id }, (event) => event.agentId === a.id],
      [{ agentId: a.id.toUpperCase() }, (event) => event.agentId === a.id],
      [{ boardId: one.boardId }, (event) => [a.id, b.id].includes(event.agentId)],
      [{ gatewayId: two.gatewayId, types: ['CREATED', 'HEARTBEAT'] }, (event) => event.type !== 'STATUS_CHANGED'],
      [{ types: ['STATUS_CHANGED'] }, (event) => event.type === 'STATUS_CHANGED'],
      [{ agentId: c.id, boardId: one.boardId }, () => false],
      [{ types: [] }, () => false],
    ];
    const since = new Date(0).toISOString();
    const readers = filters.map(([filter]) => mc.owner.subscribe(FeedFrom, { filter, since }));
    for (const { id } of [a, b, c]) await beat(id, 'ACTIVE');
    const last = mc.owner.subscribe(FeedFrom, { since });
    const end = (await logOf([a.id, b.id, c.id])).at(-1);
    await last.first(({ agentEvents: { cursor } }) => cursor === end);
    const all = last.received.map(({ value }) => value.agentEvents);
    for (const [index, reader] of readers.entries()) {
      const [filter, isWanted] = filters[index] ?? [];
      const wanted = all.filter((event) => isWanted?.(event) && fits(event, filter)).map(({ cursor }) => cursor);
      await eventually(
        () => reader.received.length,
        (count) => count >= wanted.length,
      );
      expect(reader.received.map(({ value }) => value.agentEvents.cursor)).toEqual(wanted);
      await reader.stop();
    }
    await last.stop();

    function fits(event: Seen, filter: AgentEventFilter | undefined): boolean {
      const onGateway = filter?.gatewayId == null || [c.id, two.mainId].includes(event.agentId);
      return onGateway && (!filter?.types || filter.types.includes(event.type as 'CREATED'));
    }
  });

  it('shows an agent its own board and nothing else', async () => {
    const [own, other] = [await quietBoard('Own board'), await quietBoard('Other board')];
    const mine = await addAgent(mc.owner, own.boardId, 'Mine');
    const theirs = await addAgent(mc.owner, other.boardId, 'Theirs');
    const token = newToken('mca_');
    await mc.prisma.agent.update({ where: { id: mine.id }, data: { tokenHash: hashToken(token) } });
    const since = new Date(0).toISOString();
    const reader = mc.as(token).subscribe(FeedFrom, { since });
    const curious = mc.as(token).subscribe(FeedFrom, { since, filter: { boardId: other.boardId } });
    await Promise.all([reader.connected, curious.connected]);
    await beat(theirs.id, 'ACTIVE');
    await beat(mine.id, 'ACTIVE');
    await reader.first(({ agentEvents: { type } }) => type === 'HEARTBEAT');
    expect(new Set(reader.received.map(({ value }) => value.agentEvents.agentId))).toEqual(new Set([mine.id]));
    expect(curious.received).toEqual([]);
    await Promise.all([reader.stop(), curious.stop()]);
  });

  it('is with its subscribers within 100 ms of the heartbeat’s answer', async () => {
    const { boardId } = await quietBoard('Quick');
    const { id } = await addAgent(mc.owner, boardId, 'Quinn');
    const live = mc.owner.subscribe(FeedFrom, { filter: { agentId: id, types: ['HEARTBEAT'] } });
    await live.connected;
    await beat(id, 'IDLE');
    await live.first(() => true);
    const delays: number[] = [];
    for (let count = 1; count <= 20; count++) {
      // Every other one changes the status and is logged; the others are live only.
      await beat(id, count % 4 < 2 ? 'ACTIVE' : 'IDLE');
      const answered = performance.now();
      await eventually(
        () => live.received.length,
        (received) => received > count,
      );
      delays.push((live.received[count]?.at ?? 0) - answered);
    }
    delays.sort((a, b) => a - b);
    expect(delays[10]).toBeLessThan(100);
    await live.stop();
  });

  it('does not suffer from a subscriber that stops reading', { timeout: 60_000 }, async () => {
    const { boardId } = await quietBoard('Stuck');
    const ids = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => (await addAgent(mc.owner, boardId, `S${n}`)).id),
    );
    const begun = (await logOf(ids)).at(-1) ?? '';
    const stuck = await Stuck.open(mc.url, ADMIN_TOKEN, { filter: { boardId, types: DONE_HERE }, after: begun }, 60);
    stuck.pause();
    const quick = mc.owner.subscribe(FeedFrom, { filter: { boardId, types: DONE_HERE }, after: begun });
    await quick.connected;
    for (let round = 0; round < 25; round++)
      await Promise.all(ids.map((id) => beat(id, round % 2 === 0 ? 'ACTIVE' : 'IDLE')));
    const log = (await logOf(ids)).filter((cursor) => cursor > begun);
    await quick.first(({ agentEvents: { cursor } }) => cursor === log.at(-1));
    expect(
      loggedOf(
        quick.received.map(({ value }) => value.agentEvents),
        log,
      ),
    ).toEqual(log);
    await quick.stop();
    // When it reads again, each of its subscriptions has no gap up to where it is, or was ended and can resume.
    stuck.resume();
    await eventually(
      () => stuck.isClosed || stuck.subscriptions.every(({ ended, cursors }) => ended || cursors.at(-1) === log.at(-1)),
      (settled) => settled,
    );
    for (const { cursors } of stuck.subscriptions) {
      const kept = cursors.filter((cursor, index) => cursor !== cursors[index - 1]);
      expect(kept).toEqual(log.slice(0, kept.length));
    }
    stuck.close();
    expect((await fetch(`${mc.url}/readyz`)).status).toBe(200);
  });
});

describe('a sign of life that is seen at the gateway', () => {
  let gateway: Simulator;
  beforeAll(async () => {
    gateway = await startSimulator();
  });
  afterAll(() => gateway.stop());

  it('makes an agent ACTIVE that somebody else has given work, and IDLE when it has done it', async () => {
    const { id } = await addGateway(mc.owner, gateway, 'Watched');
    const board = await addBoard(mc.owner, id, { name: 'Watched' });
    const worker = await addAgent(mc.owner, board.id, 'Willow');
    await provisioned(mc.owner, worker.id);
    await eventually(
      () => mc.owner.run(ReadAgent, { id: worker.id }),
      ({ agent }) => agent?.status === 'IDLE',
    );
    const live = mc.owner.subscribe(AgentEvents, { filter: { agentId: worker.id, types: ['STATUS_CHANGED'] } });
    await live.connected;
    const before = (await mc.owner.run(ReadAgent, { id: worker.id })).agent;
    gateway.delays.model = 400;
    const somebody = await connect(gateway);
    await somebody.call('chat.send', { sessionKey: worker.sessionKey, message: 'Hello', idempotencyKey: 'hello-1' });
    await live.first(({ agentEvents: event }) => event.status === 'ACTIVE' && event.previousStatus === 'IDLE');
    await live.first(({ agentEvents: event }) => event.status === 'IDLE' && event.previousStatus === 'ACTIVE');
    const { agent } = await mc.owner.run(ReadAgent, { id: worker.id });
    expect(agent).toMatchObject({ status: 'IDLE', liveness: 'ONLINE', lastHeartbeatAt: null });
    expect(Date.parse(agent?.lastSeenAt ?? '')).toBeGreaterThan(Date.parse(before?.lastSeenAt ?? ''));
    await somebody.stop();
    await live.stop();
  });
});

/** A client of many subscriptions whose socket can be left unread, so that the server’s writes wait. */
class Stuck {
  readonly subscriptions: { cursors: string[]; ended: boolean }[];
  isClosed = false;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket, count: number) {
    this.#socket = socket;
    this.subscriptions = Array.from({ length: count }, () => ({ cursors: [], ended: false }));
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async open(url: string, token: string, variables: object, count: number): Promise<Stuck> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const stuck = new Stuck(socket, count);
    const ready = new Promise<void>((resolve, reject) => {
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } })),
      );
      socket.on('error', reject);
      socket.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.type === 'connection_ack') resolve();
        else if (message.type === 'pong') stuck.#answered?.();
        else if (message.type === 'ping') socket.send('{"type":"pong"}');
        else stuck.#take(message);
      });
    });
    await ready;
    const query = FeedFrom.toString();
    for (let id = 0; id < count; id++)
      socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload: { query, variables } }));
    // Messages are taken in order, so all subscriptions are asked for when this is answered.
    await new Promise<void>((resolve) => {
      stuck.#answered = resolve;
      socket.send('{"type":"ping"}');
    });
    return stuck;
  }
  #answered: (() => void) | undefined;

  #take({ id, type, payload }: { id: string; type: string; payload?: { data?: { agentEvents: Seen } } }): void {
    const subscription = this.subscriptions[Number(id)];
    if (!subscription) return;
    if (payload?.data) subscription.cursors.push(payload.data.agentEvents.cursor);
    if (type === 'complete' || type === 'error') subscription.ended = true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.terminate();
  }
}
