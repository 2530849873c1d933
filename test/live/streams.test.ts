import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toCursor } from '../../src/events/cursor.ts';
import { graphql } from '../../src/generated/client/gql.ts';
import { Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { RawSocket } from '../support/raw-socket.ts';

const FollowBoard = graphql(`
  subscription FollowBoard($boardId: ID, $after: String) {
    agentEvents(filter: {boardId: $boardId, types: [CREATED, STATUS_CHANGED]}, after: $after) {
      cursor type agentId status agent { id status }
    }
  }
`);

let mc: MissionControl;
let boardId: string;
beforeAll(async () => {
  mc = await startMissionControl();
  const gateway = await addGateway(mc.owner, { url: 'ws://127.0.0.1:1', token: 'none', stateDir: '/w' }, 'Away');
  boardId = (await addBoard(mc.owner, gateway.id, { name: 'Streams' })).id;
});
afterAll(() => mc.stop());

interface Frame {
  id: string | null;
  event: string;
  data: string;
}

/** A subscription over server-sent events, as fetch gives it. */
async function stream(variables: object, headers: Record<string, string> = {}, query = FollowBoard.toString()) {
  const stopping = new AbortController();
  const response = await fetch(`${mc.url}/graphql`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
      Authorization: `Bearer ${ADMIN_TOKEN}`,
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
    signal: stopping.signal,
  });
  const frames: Frame[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) if (!part.startsWith(':')) frames.push(frameOf(part));
    }
  };
  const ended = read().catch(() => undefined);
  return {
    frames,
    ended,
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}

function frameOf(text: string): Frame {
  const lines = new Map(text.split('\n').map((line) => [line.split(':', 1)[0], line.replace(/^\w+: ?/, '')]));
  return { id: lines.get('id') ?? null, event: lines.get('event') ?? '', data: lines.get('data') ?? '' };
}

const received = (frames: Frame[], count: number) =>
  eventually(
    () => frames.filter(({ event }) => event === 'next'),
    (found) => found.length >= count,
  );

describe('agentEvents over server-sent events', () => {
  it('has each event’s cursor as its id, and goes on after Last-Event-ID', async () => {
    const { id } = await addAgent(mc.owner, boardId, 'Ida');
    const first = await stream({ boardId, after: '0000000000000' });
    const [created] = await received(first.frames, 1);
    expect(created?.id).toBe(JSON.parse(created?.data ?? '{}').data.agentEvents.cursor);
    await first.stop();
    await mc.owner.run(Heartbeat, { input: { id, status: 'ACTIVE' } });
    await mc.owner.run(Heartbeat, { input: { id, status: 'IDLE' } });
    // The variable says where the client began; the header, where it is.
    const again = await stream({ boardId, after: '0000000000000' }, { 'Last-Event-ID': created?.id ?? '' });
    const statuses = (await received(again.frames, 2)).map(({ data }) => JSON.parse(data).data.agentEvents.status);
    expect(statuses).toEqual(['ACTIVE', 'IDLE']);
    await again.stop();
  });
});

describe('a cursor from before the retention', () => {
  it('is refused with a code, over both ways, and the list’s own cursor is not', async () => {
    const organization = await mc.prisma.organization.findFirstOrThrow();
    const newest = await mc.prisma.agentEvent.findFirstOrThrow({ orderBy: { seq: 'desc' } });
    await mc.prisma.organization.update({
      where: { id: organization.id },
      data: { eventsRemovedSeq: newest.seq - 1n, eventsRemovedAt: newest.at },
    });
    const variables = { boardId, after: '0000000000001' };
    await expect(mc.owner.subscribe(FollowBoard, variables).ended).rejects.toThrow(/CURSOR_EXPIRED/);
    const { frames, ended } = await stream(variables);
    await ended;
    expect(JSON.stringify(frames)).toContain('CURSOR_EXPIRED');
    const { agents } = await mc.owner.run(graphql(`query WhereTheLogStands { agents(first: 1) { eventCursor } }`));
    const live = mc.owner.subscribe(FollowBoard, { boardId, after: agents.eventCursor });
    await live.connected;
    await addAgent(mc.owner, boardId, 'Otto');
    await live.first(({ agentEvents }) => agentEvents.type === 'CREATED');
    await live.stop();
  });
});

describe('a cursor ahead of the log, as after a backup was put back', () => {
  it.each([
    ['while somebody follows', true],
    ['while nobody follows', false],
  ])('is refused with a code, over both ways: %s', async (_title, isFollowed) => {
    const newest = await mc.prisma.agentEvent.findFirstOrThrow({ orderBy: { seq: 'desc' } });
    const follower = isFollowed ? mc.owner.subscribe(FollowBoard, { boardId }) : null;
    await follower?.connected;
    // Further ahead than the gateway, which is away, can tell of itself meanwhile.
    const variables = { boardId, after: toCursor(newest.seq + 1_000_000n) };
    await expect(mc.owner.subscribe(FollowBoard, variables).ended).rejects.toThrow(/CURSOR_EXPIRED/);
    const { frames, ended } = await stream(variables);
    await ended;
    expect(JSON.stringify(frames)).toContain('CURSOR_EXPIRED');
    await follower?.stop();
  });
});

describe('a subscription whose field a directive may leave out', () => {
  const documents = [
    ['@include with a variable', 'subscription($t: Boolean!) { agentEvents @include(if: $t) { cursor } }'],
    ['@skip with a variable', 'subscription($t: Boolean!) { agentEvents @skip(if: $t) { cursor } }'],
    ['@skip that leaves nothing', 'subscription { agentEvents @skip(if: true) { cursor } }'],
    ['@include that leaves all', 'subscription { agentEvents @include(if: true) { cursor } }'],
    [
      'a variable at a fragment of the root',
      'subscription($t: Boolean!) { ...F @include(if: $t) } fragment F on Subscription { agentEvents { cursor } }',
    ],
    [
      'a variable within a fragment of the root',
      'subscription($t: Boolean!) { ...F } fragment F on Subscription { agentEvents @include(if: $t) { cursor } }',
    ],
    [
      '@skip within a fragment of the root, that leaves nothing',
      'subscription { ... on Subscription { agentEvents @skip(if: true) { cursor } } }',
    ],
  ] as const;
  const refused = { message: expect.stringMatching(/./), extensions: { requestId: expect.any(String) } };

  it.each(documents)(
    'is an error of that operation over WebSocket, and ends no other one: %s',
    async (_title, query) => {
      const socket = await RawSocket.open(mc.url, ADMIN_TOKEN);
      await socket.acknowledged();
      socket.subscribe('other', { query: FollowBoard.toString(), variables: { boardId } });
      for (const t of [true, false]) {
        const id = String(t);
        socket.subscribe(id, { query, ...(query.includes('$t') && { variables: { t } }) });
        const { type, payload } = await socket.first((message) => message.id === id);
        expect({ type, payload }).toMatchObject({ type: 'error', payload: [refused] });
        expect(JSON.stringify(payload)).not.toContain('INTERNAL_SERVER_ERROR');
      }
      await addAgent(mc.owner, boardId, `Agent ${crypto.randomUUID()}`);
      await socket.first(({ id, type }) => id === 'other' && type === 'next');
      await socket.close();
    },
  );

  it.each(documents)('is an error over server-sent events: %s', async (_title, query) => {
    for (const t of [true, false]) {
      const { frames, ended } = await stream(query.includes('$t') ? { t } : {}, {}, query);
      await ended;
      const [first] = frames.filter(({ event }) => event === 'next');
      expect(JSON.parse(first?.data ?? '{}')).toMatchObject({ errors: [refused] });
      expect(first?.data).not.toContain('INTERNAL_SERVER_ERROR');
    }
  });
});

describe('subscriptions that ask for the same', () => {
  it('each get everything once, wherever they began, and go one by one', async () => {
    const { id } = await addAgent(mc.owner, boardId, 'Same');
    const { agents } = await mc.owner.run(graphql(`query WhereItStands { agents(first: 1) { eventCursor } }`));
    const { eventCursor } = agents;
    const subscribers = Array.from({ length: 20 }, (_, n) =>
      mc.owner.subscribe(FollowBoard, n % 2 ? { boardId, after: eventCursor } : { boardId }),
    );
    await Promise.all(subscribers.map(({ connected }) => connected));
    const beats = ['ACTIVE', 'IDLE', 'ACTIVE', 'IDLE'] as const;
    for (const [n, status] of beats.entries()) {
      await mc.owner.run(Heartbeat, { input: { id, status } });
      await Promise.all(subscribers.slice(n).map((one) => one.first(() => one.received.length > n)));
      await subscribers[n]?.stop();
    }
    for (const one of subscribers.slice(beats.length)) {
      expect(one.received.map(({ value }) => value.agentEvents.status)).toEqual(beats);
      await one.stop();
    }
  });
});
