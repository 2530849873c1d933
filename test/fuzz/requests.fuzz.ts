import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { OperationTypeNode } from 'graphql';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from '../../src/schema/index.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { brokenBodies } from './broken.ts';
import { FuzzedFleet } from './fleet.ts';
import { type Operation, validOperations } from './operations.ts';
import { readSettings } from './settings.ts';

const { seed, seconds } = readSettings(process.env);
/** Groups of requests between two looks at the fleet and at memory. */
const ROUND = 15;
/** Requests that are made at the same time: some wait for gateways that do not answer. */
const TOGETHER = 8;
/** What the heap may grow by: documents that are kept parsed take up to 80 MB, results for those who come back up to 32. */
const GROWTH_BYTES = 128 * 1024 * 1024;
/** What a request may take, in ms: the longest waits for a gateway that does not answer end after 30 s. */
const ANSWERED_WITHIN_MS = 60_000;
/** The close code for a credential that is good no more. */
const ACCESS_ENDED = 4403;
/** Rounds until everything has been used once. */
const WARM_UP = 2;

let mc: MissionControl;
let gateway: ChildProcess;
let fleet: FuzzedFleet;
/** What the server has told as errors, line by line. */
const errors: string[] = [];

beforeAll(async () => {
  process.stdout.write(`FUZZ_SEED=${seed} FUZZ_SECONDS=${seconds}\n`);
  gateway = spawn(process.execPath, [path.join(import.meta.dirname, 'gateway.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = await once(createInterface({ input: gateway.stdout ?? process.stdin }), 'line');
  const log = pino({ level: 'error' }, { write: (line: string) => errors.push(line) });
  mc = await startMissionControl({ REQUESTS_PER_MINUTE: '0', FAILED_SIGN_INS_PER_MINUTE: '0' }, { log });
  fleet = new FuzzedFleet(mc, JSON.parse(said));
});
afterAll(async () => {
  await mc?.stop();
  gateway?.stdin?.end();
});

/** Sends bytes as a body. @returns the whole answer */
async function post(
  token: string | null,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await fetch(`${mc.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }), ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  // What was made wrong may be a subscription all the same: such a stream would not end by itself.
  if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    await response.body?.cancel();
    return '';
  }
  const text = await response.text();
  expect(response.status, text).toBeLessThan(500);
  return text;
}

/** Over WebSocket, with a query behind it whose answer says that the operation has begun. */
async function say(token: string, payload: object): Promise<string> {
  const socket = await RawSocket.open(mc.url, token);
  const acknowledged = await socket.acknowledged().catch(() => null);
  // The token may have gone meanwhile.
  if (!acknowledged) return '';
  socket.subscribe('fuzz', payload);
  socket.subscribe('behind', { query: '{ __typename }' });
  try {
    await socket.first(({ id, type }) => id === 'behind' && type !== 'next', ANSWERED_WITHIN_MS);
    await socket.close();
  } catch (error) {
    // One of the requests beside it may have deleted the agent that this is, or its organization's token.
    if (socket.socket.readyState !== WebSocket.CLOSED || (await socket.closed).code !== ACCESS_ENDED) throw error;
  }
  return JSON.stringify(socket.messages);
}

function check(answer: string): void {
  if (answer.includes('INTERNAL_SERVER_ERROR') || errors.length > 0)
    throw new Error(`An internal error: ${answer.slice(0, 2_000)}\n${errors.splice(0).join('')}`);
}

function heap(): number {
  if (!globalThis.gc) throw new Error('Memory cannot be looked at without --expose-gc.');
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

it(
  'no request makes the server fail, or keep what it does not need',
  async () => {
    const deadline = performance.now() + seconds * 1_000;
    let warm: number | null = null;
    let half: number | null = null;
    let count = 0;
    for (let round = 0; performance.now() < deadline; round++) {
      await fleet.tidy();
      if (round === WARM_UP) warm = heap();
      if (half === null && performance.now() > deadline - (seconds * 1_000) / 2) half = heap();
      await fc.assert(
        fc.asyncProperty(
          fc.array(randomRequests(), { minLength: 1, maxLength: TOGETHER, size: 'max' }),
          async (group) => {
            count += group.length;
            await Promise.all(group.map(makeRequest));
            mc.statements.check();
          },
        ),
        // A request that is made smaller would meet another fleet.
        { seed: seed + round, numRuns: ROUND, endOnFailure: true },
      );
    }
    const end = heap();
    const [grown, later] = [warm, half].map((before) => (before === null ? 0 : end - before));
    process.stdout.write(
      `${count} requests; the heap has grown by ${kb(grown)} KB, ${kb(later)} of it in the second half\n`,
    );
    expect(grown).toBeLessThan(GROWTH_BYTES);
    check('');
  },
  (seconds + 300) * 1_000,
);

const kb = (bytes = 0) => Math.round(bytes / 1024);

/** Made anew for each round: fast-check's generators keep all that they have made for as long as they are there. */
function randomRequests(): fc.Arbitrary<Request> {
  const valid = validOperations(schema, () => fleet.ids);
  const who = fc.nat();
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ who, overSocket: fc.boolean(), operation: valid }) },
    { weight: 1, arbitrary: fc.record({ who, body: brokenBodies(valid) }) },
  );
}

type Request = { who: number } & ({ overSocket: boolean; operation: Operation } | { body: string | Buffer });

async function makeRequest(request: Request): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('A request was not answered.')), ANSWERED_WITHIN_MS);
  });
  await Promise.race([answered(request), late]).finally(() => clearTimeout(timer));
}

async function answered(request: Request): Promise<void> {
  const token = fleet.tokens[request.who % fleet.tokens.length] ?? null;
  if ('body' in request) return check(await post(token, request.body));
  const answer = await ask(token, request);
  check(answer);
  // Otherwise what is behind validation would not be tried.
  expect(answer).not.toMatch(/GRAPHQL_(PARSE|VALIDATION)_FAILED/);
}

async function ask(token: string | null, request: { overSocket: boolean; operation: Operation }): Promise<string> {
  const { kind, query, variables } = request.operation;
  // An event stream would not end by itself.
  const needsSocket = kind === OperationTypeNode.SUBSCRIPTION;
  if (token && (request.overSocket || needsSocket)) return say(token, { query, variables });
  return needsSocket ? '' : post(token, JSON.stringify({ query, variables }));
}
