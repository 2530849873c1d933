import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { operatorToken } from '../support/callers.ts';
import { CreateTask, DeleteGateway, ReadConnection } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, addGateway, provisioned } from '../support/fleet.ts';
import { ADMIN_TOKEN, type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { workspaceToken } from '../support/workspace.ts';
import { callers } from './attacks/callers.ts';
import { documents } from './attacks/documents.ts';
import { inputs } from './attacks/inputs.ts';
import type { Attack, Stage } from './attacks/stage.ts';
import { traffic } from './attacks/traffic.ts';

/** What all of them together may leave in use; it is 16 MB, of what is compiled and kept. */
const MEMORY_BYTES = 50 * 1024 * 1024;
/**
 * How long anything else in the process may have to wait. Rendering a template that does not end takes the second that it is
 * given; the rest is for machines that are busy.
 */
const LONGEST_DELAY_MS = 3_000;

/** Answers everything with a redirect, and counts what follows it. */
interface Trap {
  url: string;
  /** Paths that were asked for. */
  asked: string[];
  /** What came to the place that the redirects lead to. */
  followed: string[];
  close(): void;
}

let gateway: Simulator;
let stage: Stage;
let before: Record<string, string>;
let memoryBefore: number;
let delays: ReturnType<typeof monitorEventLoopDelay>;

beforeAll(async () => {
  gateway = await startSimulator();
  // Nobody is woken again while the table runs.
  const mc = await startMissionControl({ CHECKIN_TIMEOUT_SECONDS: '3600' });
  const { owner } = mc;
  const { id: gatewayId } = await addGateway(owner, gateway);
  const board = await addBoard(owner, gatewayId, { lead: 'Lena' });
  const { id: otherBoard } = await addBoard(owner, gatewayId, { name: 'Other' });
  const worker = await addAgent(owner, board.id);
  const lead = board.lead?.id ?? expect.fail('The board has no lead');
  const { createTask } = await owner.run(CreateTask, {
    input: { boardId: board.id, title: 'Work', description: 'x'.repeat(10_000) },
  });
  if (createTask.__typename !== 'Task') expect.fail(JSON.stringify(createTask));
  const agents = await mc.prisma.agent.findMany({ select: { id: true } });
  for (const { id } of agents) await provisioned(owner, id);
  const { workspacePath } = await mc.prisma.agent.findUniqueOrThrow({ where: { id: worker.id } });
  const { id: organizationId } = await mc.prisma.organization.create({ data: { name: 'Strangers' } });
  stage = {
    mc,
    ids: { gateway: gatewayId, board: board.id, otherBoard, lead, worker: worker.id, task: createTask.id },
    tokens: {
      owner: ADMIN_TOKEN,
      viewer: await operatorToken(mc, 'VIEWER'),
      worker: (await workspaceToken(workspacePath)) ?? expect.fail('The worker has no token'),
      stranger: await operatorToken(mc, 'OWNER', { organizationId }),
      expired: await operatorToken(mc, 'OWNER', { expiresAt: new Date(0) }),
    },
  };
  before = await digest(mc);
  memoryBefore = memory();
  delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
});
afterAll(async () => {
  await stage.mc.stop();
  await gateway.stop();
});

/** A digest of each table, without what tells how gateways are doing and when tokens were used. */
async function digest({ prisma }: MissionControl): Promise<Record<string, string>> {
  const tables = await prisma.$queryRawUnsafe<{ name: string }[]>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
  );
  const digests: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await prisma.$queryRawUnsafe<{ digest: string }[]>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(content, ',' ORDER BY content)), '') AS digest
       FROM (SELECT (to_jsonb(t) - '{latencyMs,lastUsedAt}'::text[])::text AS content FROM "${name}" t) AS rows`,
    );
    digests[name] = row?.digest ?? '';
  }
  return digests;
}

/** Bytes in use, without garbage: the size of the process tells of other files' tests, too. */
function memory(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const tables: Record<string, Attack[]> = { documents, traffic, callers, inputs };

describe.each(Object.entries(tables))('%s', (_title, attacks) => {
  it.each(attacks)('%s', async (_name, attempt, answer) => {
    expect(await attempt(stage)).toBe(answer);
  });
});

describe('afterwards', () => {
  it('the database is as it was', async () => {
    expect(await digest(stage.mc)).toEqual(before);
  });

  it('the server has held nobody up and has grown no fatter', () => {
    delays.disable();
    expect(delays.max / 1e6).toBeLessThan(LONGEST_DELAY_MS);
    expect(memory() - memoryBefore).toBeLessThan(MEMORY_BYTES);
  });

  it('no prototype was changed', () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect({}).not.toHaveProperty('isAdmin');
  });
});

describe('a gateway that answers with redirects', () => {
  async function listening(server: Server): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function setTrap(): Promise<Trap> {
    const asked: string[] = [];
    const followed: string[] = [];
    const inner = createServer((request, response) => {
      followed.push(`${request.url}`);
      response.end('{"ready":true}');
    });
    inner.on('upgrade', (request, socket) => {
      followed.push(`upgrade ${request.url}`);
      socket.destroy();
    });
    const target = await listening(inner);
    const outer = createServer((request, response) => {
      asked.push(`${request.url}`);
      response.writeHead(302, { Location: `http://${target}/inner` }).end();
    });
    outer.on('upgrade', (_request, socket) => {
      asked.push('upgrade');
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ws://${target}/inner\r\nContent-Length: 0\r\n\r\n`);
    });
    const url = `ws://${await listening(outer)}`;
    const close = () => {
      inner.close();
      outer.close();
    };
    return { url, asked, followed, close };
  }

  it('leads nobody anywhere: neither the client nor the watch for readiness', async () => {
    const trap = await setTrap();
    const { owner } = stage.mc;
    const { id } = await addGateway(owner, { url: trap.url, token: 'secret', stateDir: '/srv' }, 'Trap');
    // It has been asked for a connection, and then whether it is ready.
    await eventually(
      () => trap.asked,
      (asked) => asked.includes('upgrade') && asked.filter((url) => url === '/readyz').length >= 2,
    );
    const { gateway } = await owner.run(ReadConnection, { id });
    expect(gateway?.connection.state).toBe('UNREACHABLE');
    expect(trap.followed).toEqual([]);
    await owner.run(DeleteGateway, { id, force: true });
    trap.close();
  });
});

it('a client that asks over WebSocket and does not read is cut off', async () => {
  const { mc, tokens, ids } = stage;
  const deaf = await RawSocket.open(mc.url, tokens.viewer);
  await deaf.acknowledged();
  const { socket } = deaf;
  socket.pause();
  // A megabyte each; 64 may wait.
  const values = Array.from({ length: 100 }, (_, index) => `a${index}: description`).join(' ');
  const query = `{ task(id: "${ids.task}") { ${values} } }`;
  for (let index = 0; index < 90; index++) deaf.subscribe(String(index), { query });
  // As it reads nothing, it only hears of it when it says something more.
  await eventually(
    () => {
      if (socket.readyState === socket.OPEN) socket.send('{"type":"ping"}');
      return socket.readyState;
    },
    (state) => state === socket.CLOSED,
  );
});
