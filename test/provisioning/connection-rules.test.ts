import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { cert, fingerprint, key } from '../gateway/certificate.ts';
import { CreateGateway, ReadAgent, ReadConnection, UpdateGateway } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { addAgent, addBoard, provisioned } from '../support/fleet.ts';
import { type MissionControl, startMissionControl } from '../support/mission-control.ts';
import { randomFrom } from '../support/random.ts';
import { storedFleet } from '../support/stored.ts';

const TOKEN = 'the-token-of-the-gateway-that-is-there';
const OTHER_TOKEN = 'another-token-of-another-gateway';
const OTHER_FINGERPRINT = 'ab'.repeat(32);

let mc: MissionControl;
beforeAll(async () => {
  mc = await startMissionControl();
});
afterAll(() => mc.stop());

const connectionOf = async (id: string) => (await mc.owner.run(ReadConnection, { id })).gateway?.connection;
const isIn = (state: string, id: string) =>
  eventually(
    () => connectionOf(id),
    (now) => now?.state === state,
  );

async function create(input: { name: string; url: string } & Record<string, unknown>) {
  const { createGateway } = await mc.owner.run(CreateGateway, { input: { workspaceRoot: '/srv/agents', ...input } });
  return createGateway;
}
async function created(input: Parameters<typeof create>[0]): Promise<string> {
  const gateway = await create(input);
  return gateway.__typename === 'Gateway' ? gateway.id : expect.fail(JSON.stringify(gateway));
}
async function update(input: { id: string } & Record<string, unknown>) {
  return (await mc.owner.run(UpdateGateway, { input })).updateGateway;
}

/** What is stored of gateways, with what no answer shows. */
const stored = async () => ({
  ...(await storedFleet(mc)),
  secrets: await mc.prisma.gateway.findMany({
    orderBy: { id: 'asc' },
    select: { id: true, tokenSealed: true, deviceTokenSealed: true, tlsFingerprint: true, allowInsecureTls: true },
  }),
});

type Row = [title: string, change: Record<string, unknown>, path: string, problem: RegExp];

const PLAIN = /may be public and is not encrypted.*use a wss:\/\/ URL, a tunnel to localhost/;
const ELSEWHERE = /give the token anew in input\.token \(null for none\)/;

/** A URL that neither a new gateway nor a changed one may have. The token is given, so that it is about the URL alone. */
const badUrls: Row[] = [
  [
    'credentials in the URL',
    { url: 'wss://me:pw@gateway.example.com' },
    'input.url',
    /must not contain credentials.*input\.token/,
  ],
  ['a user in the URL', { url: 'ws://me@127.0.0.1:1' }, 'input.url', /must not contain credentials/],
  ['a fragment', { url: 'wss://gateway.example.com/#token=x' }, 'input.url', /must not have a fragment/],
  ['http://', { url: 'http://127.0.0.1:1' }, 'input.url', /must be a ws:\/\/ or wss:\/\/ URL/],
  ['https://', { url: 'https://gateway.example.com' }, 'input.url', /must be a ws:\/\/ or wss:\/\/ URL/],
  ['ws:// to a public name', { url: 'ws://gateway.example.com:18789' }, 'input.url', PLAIN],
  ['ws:// to a name of one label', { url: 'ws://gateway:18789' }, 'input.url', PLAIN],
  ['ws:// to a public address', { url: 'ws://203.0.113.7:18789' }, 'input.url', PLAIN],
  ['ws:// to a public address of IPv6', { url: 'ws://[2001:db8::1]:18789' }, 'input.url', PLAIN],
  ['a blank in the URL', { url: 'wss://gateway.example.com/a b' }, 'input.url', /must not have spaces/],
].map(([title, change, path, problem]) => [title, { token: OTHER_TOKEN, ...(change as object) }, path, problem] as Row);

function refuses(result: { __typename: string }, path: string, problem: RegExp): void {
  expect(result).toMatchObject({
    __typename: 'ValidationError',
    code: 'VALIDATION',
    fields: [{ path, message: expect.stringMatching(problem) }],
  });
  expect(JSON.stringify(result)).not.toMatch(new RegExp(`${TOKEN}|${OTHER_TOKEN}`));
}

describe('createGateway refuses', () => {
  let before: Awaited<ReturnType<typeof stored>>;
  beforeAll(async () => {
    before = await stored();
  });

  const rows: Row[] = [
    ...badUrls,
    [
      'a fingerprint beside ws://',
      { url: 'ws://127.0.0.1:1', tlsFingerprint: fingerprint },
      'input.tlsFingerprint',
      /needs a wss:\/\/ URL: without TLS there is no certificate/,
    ],
  ];
  it.each(rows)('%s', async (_title, change, path, problem) => {
    refuses(await create({ name: 'Fine', url: 'wss://127.0.0.1:1', token: TOKEN, ...change }), path, problem);
  });

  it('and has stored nothing', async () => {
    expect(await stored()).toEqual(before);
  });
});

describe('updateGateway', () => {
  /** Away, so that nobody is told the token. */
  const PLAIN_URL = 'ws://127.0.0.1:1/gateway';
  const TLS_URL = 'wss://127.0.0.1:1/gateway';
  const ids = { plain: '', tls: '', open: '' };
  beforeAll(async () => {
    ids.plain = await created({ name: 'Plain', url: PLAIN_URL, token: TOKEN });
    ids.tls = await created({ name: 'Encrypted', url: TLS_URL, token: TOKEN, tlsFingerprint: fingerprint });
    ids.open = await created({ name: 'Open', url: PLAIN_URL });
  });

  describe('refuses', () => {
    let before: Awaited<ReturnType<typeof stored>>;
    beforeAll(async () => {
      before = await stored();
    });

    const ofEncrypted: Row[] = [
      ...badUrls,
      ['another host without the token', { url: 'wss://127.0.0.2:1' }, 'input.url', ELSEWHERE],
      ['another port without the token', { url: 'wss://127.0.0.1:2/gateway' }, 'input.url', ELSEWHERE],
      ['a name for the same host without the token', { url: 'wss://localhost:1/gateway' }, 'input.url', ELSEWHERE],
      ['to give up TLS without the token', { url: PLAIN_URL, tlsFingerprint: null }, 'input.url', ELSEWHERE],
      [
        'to give up TLS and keep the fingerprint',
        { url: PLAIN_URL, token: TOKEN },
        'input.tlsFingerprint',
        /needs a wss:\/\/ URL/,
      ],
      ['a fingerprint that is none', { tlsFingerprint: 'ab:cd' }, 'input.tlsFingerprint', /64 hex digits/],
      ['a token that is empty', { token: '' }, 'input.token', /must not be empty/],
    ];
    it.each(ofEncrypted)('%s', async (_title, change, path, problem) => {
      refuses(await update({ id: ids.tls, ...change }), path, problem);
    });

    const ofPlain: Row[] = [
      ['a fingerprint without TLS', { tlsFingerprint: fingerprint }, 'input.tlsFingerprint', /needs a wss:\/\/ URL/],
      ['another host without the token', { url: 'ws://127.0.0.2:1' }, 'input.url', ELSEWHERE],
      ['another host with TLS without the token', { url: 'wss://gateway.example.com' }, 'input.url', ELSEWHERE],
    ];
    it.each(ofPlain)('of one without TLS %s', async (_title, change, path, problem) => {
      refuses(await update({ id: ids.plain, ...change }), path, problem);
    });

    it('and has changed nothing', async () => {
      expect(await stored()).toEqual(before);
    });
  });

  describe('accepts', () => {
    type Accepted = [title: string, of: keyof typeof ids, change: Record<string, unknown>, result: object];
    const rows: Accepted[] = [
      ['another host with the token anew', 'plain', { url: 'ws://127.0.0.2:1', token: TOKEN }, { hasToken: true }],
      ['another host with another token', 'plain', { url: 'ws://127.0.0.3:1', token: OTHER_TOKEN }, { hasToken: true }],
      ['another path on the same host', 'plain', { url: 'ws://127.0.0.3:1/elsewhere' }, { hasToken: true }],
      ['TLS on the same host and port', 'plain', { url: 'wss://127.0.0.3:1/elsewhere' }, { hasToken: true }],
      ['a null token with another host', 'plain', { url: 'ws://127.0.0.4:1', token: null }, { hasToken: false }],
      ['another host where no token is stored', 'open', { url: 'ws://127.0.0.5:1' }, { hasToken: false }],
      [
        'to give up TLS with the token',
        'tls',
        { url: PLAIN_URL, token: TOKEN, tlsFingerprint: null },
        { tlsFingerprint: null },
      ],
    ];
    it.each(rows)('%s', async (_title, of, change, result) => {
      const { token: _, ...shown } = change;
      const answer = await update({ id: ids[of], ...change });
      expect(answer).toMatchObject({ __typename: 'Gateway', id: ids[of], ...shown, ...result });
      expect(JSON.stringify(answer)).not.toMatch(new RegExp(`${TOKEN}|${OTHER_TOKEN}`));
    });
  });
});

describe('a token that is put right', () => {
  it('counts, at whatever moment of connecting that comes', { timeout: 60_000 }, async () => {
    const gateway = await startSimulator();
    const random = randomFrom(7);
    const { url } = gateway;
    const ids = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        await sleep(index * 100);
        const id = await created({ name: `Put right ${index}`, url, token: OTHER_TOKEN });
        await sleep(random() * 300);
        expect(await update({ id, token: gateway.token })).toMatchObject({ __typename: 'Gateway' });
        return id;
      }),
    );
    for (const id of ids) await isIn('CONNECTED', id);
    await gateway.stop();
  });
});

/** TLS before a gateway, with a certificate that nobody vouches for. */
class TlsFront {
  readonly #port: number;
  readonly #open = new Set<Socket>();
  readonly #server = createServer({ key, cert }, (client) => this.#join(client));

  constructor(gateway: Simulator) {
    this.#port = gateway.port;
  }

  get url(): string {
    return `wss://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: TLSSocket): void {
    const gateway = connect(this.#port, '127.0.0.1');
    for (const [socket, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      this.#open.add(socket);
      socket.on('error', () => undefined); // Its end is passed on.
      socket.on('close', () => {
        this.#open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}

describe('a certificate that nobody vouches for', () => {
  let gateway: Simulator;
  let front: TlsFront;
  beforeAll(async () => {
    gateway = await startSimulator();
    front = await new TlsFront(gateway).start();
  });
  afterAll(async () => {
    await front.stop();
    await gateway.stop();
  });

  const add = (name: string, settings: object) => {
    const { token, stateDir: workspaceRoot } = gateway;
    return created({ name, url: front.url, token, workspaceRoot, ...settings });
  };
  const mainOf = async (gatewayId: string) =>
    (await mc.prisma.agent.findFirstOrThrow({ where: { gatewayId, kind: 'GATEWAY_MAIN' } })).id;

  it('is accepted by its fingerprint, and its agents are provisioned', async () => {
    const id = await add('Pinned', { tlsFingerprint: fingerprint });
    await isIn('CONNECTED', id);
    await provisioned(mc.owner, await mainOf(id));
  });

  it('is refused with another fingerprint, until the right one is set', async () => {
    const before = gateway.requests.length;
    const id = await add('Wrongly pinned', { tlsFingerprint: OTHER_FINGERPRINT });
    expect(await isIn('UNREACHABLE', id)).toMatchObject({
      lastError: expect.stringMatching(
        /^The certificate of wss:\/\/127\.0\.0\.1:\d+ is not the one whose fingerprint is stored\.$/,
      ),
      hint: expect.stringMatching(/only if that was renewed set the new tlsFingerprint with updateGateway/),
    });
    // Nothing was told to whom it may be.
    const connects = gateway.requests.slice(before).filter(({ method }) => method === 'connect');
    expect(connects).toEqual([]);
    expect(await update({ id, tlsFingerprint: fingerprint })).toMatchObject({ __typename: 'Gateway' });
    await isIn('CONNECTED', id);
    await provisioned(mc.owner, await mainOf(id));
  });

  it('is refused without a fingerprint; allowInsecureTls lets it pass, at that gateway alone', async () => {
    const [strict, lenient] = await Promise.all([add('Strict', {}), add('Lenient', { allowInsecureTls: true })]);
    const refused = { hint: expect.stringMatching(/^Set tlsFingerprint to the SHA-256 of the gateway's certificate/) };
    expect(await isIn('UNREACHABLE', strict)).toMatchObject(refused);
    await isIn('CONNECTED', lenient);
    await provisioned(mc.owner, await mainOf(lenient));
    expect(await connectionOf(strict)).toMatchObject({ state: 'UNREACHABLE', ...refused });

    expect(await update({ id: strict, allowInsecureTls: true })).toMatchObject({ allowInsecureTls: true });
    await isIn('CONNECTED', strict);
    expect(await update({ id: lenient, allowInsecureTls: false })).toMatchObject({ allowInsecureTls: false });
    expect(await isIn('UNREACHABLE', lenient)).toMatchObject(refused);
    expect(await connectionOf(strict)).toMatchObject({ state: 'CONNECTED' });
  });

  it('is refused where any would do but another fingerprint is stored', async () => {
    const id = await add('Both', { tlsFingerprint: OTHER_FINGERPRINT, allowInsecureTls: true });
    expect(await isIn('UNREACHABLE', id)).toMatchObject({ lastError: expect.stringContaining('fingerprint') });
  });

  it('is waited for while no TLS is spoken at all, and then what failed meanwhile goes on', async () => {
    const id = await add('Mended', { allowInsecureTls: true });
    await isIn('CONNECTED', id);
    await provisioned(mc.owner, await mainOf(id));
    const port = Number(new URL(front.url).port);
    await front.stop();
    // Something that speaks no TLS.
    const other = createHttpServer().listen(port, '127.0.0.1');
    await isIn('UNREACHABLE', id);
    await eventually(
      () => connectionOf(id),
      (now) => now?.lastError?.includes('does not speak TLS') === true,
    );
    const board = await addBoard(mc.owner, id, { name: 'Mended' });
    const agent = await addAgent(mc.owner, board.id, 'Patient');
    const read = async () => (await mc.owner.run(ReadAgent, { id: agent.id })).agent?.provisioning;
    await eventually(read, (now) => now?.phase === 'FAILED');
    await new Promise((resolve) => other.close(resolve));
    front = await new TlsFront(gateway).start(port);
    await isIn('CONNECTED', id);
    await eventually(read, (now) => now?.phase === 'SUCCEEDED');
  });
});
