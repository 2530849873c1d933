import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { hashToken } from '../../src/access/tokens.ts';
import { agentToken, operatorToken, UNREACHABLE } from '../support/callers.ts';
import { DeleteAgent } from '../support/documents.ts';
import { addAgent, addBoard, addGateway } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';

const SUBSCRIPTION = 'subscription { agentEvents { type } }';
/** What the product promises. */
const DEADLINE_MS = 5_000;

let mc: MissionControl;
let boardId: string;
beforeAll(async () => {
  mc = await startMissionControl();
  boardId = (await addBoard(mc.owner, (await addGateway(mc.owner, UNREACHABLE)).id)).id;
});
afterAll(() => mc.stop());

/** A credential that is good, and what makes it not good or different. */
interface Story {
  token: string;
  end: () => Promise<unknown>;
}

async function operatorStory(end: (where: { tokenHash: string }) => Promise<unknown>): Promise<Story> {
  const token = await operatorToken(mc, 'MEMBER', { expiresAt: new Date(Date.now() + 3_600_000) });
  return { token, end: () => end({ tokenHash: hashToken(token) }) };
}

async function agentStory(end: (id: string) => Promise<unknown>): Promise<Story> {
  const { id } = await addAgent(mc.owner, boardId, `Agent ${crypto.randomUUID()}`);
  return { token: await agentToken(mc, id), end: () => end(id) };
}

const stories: [string, code: string, reason: string, () => Promise<Story>][] = [
  [
    'an operator token that is revoked',
    'TOKEN_REVOKED',
    'Token revoked',
    () => operatorStory((where) => mc.prisma.apiToken.delete({ where })),
  ],
  [
    'an operator token that expires',
    'TOKEN_EXPIRED',
    'Token expired',
    () => operatorStory((where) => mc.prisma.apiToken.update({ where, data: { expiresAt: new Date() } })),
  ],
  [
    'an operator token whose role changes',
    'RIGHTS_CHANGED',
    'Rights changed',
    () => operatorStory((where) => mc.prisma.apiToken.update({ where, data: { role: 'VIEWER' } })),
  ],
  [
    'an agent that is deleted',
    'TOKEN_REVOKED',
    'Token revoked',
    () => agentStory((id) => mc.owner.run(DeleteAgent, { id })),
  ],
  [
    'an agent whose token was replaced',
    'TOKEN_REVOKED',
    'Token revoked',
    () => agentStory((id) => mc.prisma.agent.update({ where: { id }, data: { tokenHash: hashToken('another') } })),
  ],
];

/** A subscription over WebSocket: how its connection ends. */
function followOverSocket(token: string) {
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const client = createClient({
    url: `${mc.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { Authorization: `Bearer ${token}` },
    on: {
      connected: () => connected.resolve(),
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        closed.resolve({ code, reason });
      },
    },
  });
  const ignore = { next: () => undefined, error: () => undefined, complete: () => undefined };
  client.subscribe({ query: SUBSCRIPTION }, ignore);
  return { client, connected: connected.promise, closed: closed.promise };
}

/** A subscription over server-sent events: all that it has brought when it ends. */
async function followOverEvents(token: string) {
  const response = await fetch(`${mc.url}/graphql`, {
    method: 'POST',
    headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: SUBSCRIPTION }),
  });
  expect(response.status).toBe(200);
  return { text: response.text() };
}

describe.concurrent('what is open', () => {
  it.each(stories)('ends within five seconds: %s', async (_title, code, reason, begin) => {
    const { token, end } = await begin();
    const socket = followOverSocket(token);
    await socket.connected;
    const events = await followOverEvents(token);
    await end();
    const started = performance.now();
    expect(await socket.closed).toEqual({ code: 4403, reason });
    const text = await events.text;
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS);
    const results = [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, data = '']) => JSON.parse(data));
    expect(results.at(-1)).toEqual({
      errors: [{ message: expect.any(String), extensions: { code, requestId: expect.any(String) } }],
    });
    expect(text.trimEnd()).toMatch(/event: complete\ndata:$/);
    await socket.client.dispose();
  });

  it('is not used after its credential: an operation on an open connection is refused at once', async () => {
    const { token, end } = await operatorStory((where) => mc.prisma.apiToken.delete({ where }));
    const socket = followOverSocket(token);
    await socket.connected;
    const answer = (query: string) =>
      new Promise((resolve) => {
        socket.client.subscribe({ query }, { next: resolve, error: resolve, complete: () => undefined });
      });
    expect(await answer('{ viewer { role } }')).toEqual({ data: { viewer: { role: 'MEMBER' } } });
    await end();
    expect(await answer('{ viewer { role } }')).toMatchObject({ code: 4403, reason: 'Token revoked' });
    await socket.client.dispose();
  });

  it('goes on when only a name changes, and acts under the new one', async () => {
    const { token, end } = await operatorStory((where) =>
      mc.prisma.apiToken.update({ where, data: { name: 'Renamed' } }),
    );
    const socket = followOverSocket(token);
    await socket.connected;
    await end();
    const answer = await new Promise((resolve) => {
      const query = '{ viewer { actor { name } } }';
      socket.client.subscribe({ query }, { next: resolve, error: resolve, complete: () => undefined });
    });
    expect(answer).toEqual({ data: { viewer: { actor: { name: 'Renamed' } } } });
    await socket.client.dispose();
  });
});
