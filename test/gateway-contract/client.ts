import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { GatewayClient, type GatewayClientOptions } from '@openclaw/gateway-client';

export type Dict = Record<string, unknown>;

interface Event {
  event: string;
  payload: Dict;
}

/** The official client, with its events kept so that a test can wait for those that have come already. */
export interface Client {
  hello: Dict;
  events: Event[];
  closes: { code: number; reason: string }[];
  /** The raw answer, untyped: what it must be is what the cases say. */
  call<Answer = Dict>(method: string, params?: Dict): Promise<Answer>;
  /** The error that a request is answered with. Throws when it is not refused. */
  refusal(method: string, params?: Dict): Promise<Refused>;
  /** The first event, come already or to come, that matches. */
  event(name: string, matches?: (payload: Dict) => boolean): Promise<Dict>;
  stop(): Promise<void>;
}

interface Refused {
  code: string;
  message: string;
  details?: Dict;
  retryable?: boolean;
  retryAfterMs?: number;
}

export interface Refusal {
  error: Refused;
  close: number | undefined;
  paused: boolean;
}

const DEADLINE_MS = 20_000;

export async function connect(
  subject: { url: string; token: string },
  options: Partial<GatewayClientOptions> = {},
): Promise<Client> {
  const events: Event[] = [];
  const closes: Client['closes'] = [];
  let failure: Error | undefined;
  let hello: Dict | undefined;
  const client = new GatewayClient({
    url: subject.url,
    token: subject.token,
    minProtocol: 4,
    maxProtocol: 4,
    deviceIdentity: null,
    requestTimeoutMs: 120_000,
    onHelloOk: (frame) => {
      hello = frame as unknown as Dict;
    },
    onConnectError: (error) => {
      failure = error;
    },
    onEvent: (frame) => events.push({ event: frame.event, payload: frame.payload as Dict }),
    onClose: (code, reason) => closes.push({ code, reason }),
    ...options,
  });
  client.start();
  await until(() => hello || failure, 'the gateway to answer the handshake');
  if (!hello) {
    await client.stopAndWait();
    throw failure;
  }
  const made: Client = {
    get hello() {
      return hello ?? {};
    },
    events,
    closes,
    call: (method, params = {}) => client.request(method, params),
    refusal: (method, params = {}) =>
      client.request(method, params).then(
        (answer) => {
          throw new Error(`${method} was not refused: ${JSON.stringify(answer).slice(0, 300)}`);
        },
        (error: unknown) => asRefused(error),
      ),
    event: (name, matches = () => true) =>
      until(
        () => events.find(({ event, payload }) => event === name && matches(payload))?.payload,
        `the event ${name} among ${[...new Set(events.map(({ event }) => event))].join(', ')}`,
      ),
    stop: () => client.stopAndWait().catch(() => undefined),
  };
  return made;
}

/** What happens to a client that is not let in. */
export async function refusedConnect(url: string, options: Partial<GatewayClientOptions>): Promise<Refusal> {
  let error: Error | undefined;
  let close: number | undefined;
  let paused = false;
  const client = new GatewayClient({
    url,
    minProtocol: 4,
    maxProtocol: 4,
    deviceIdentity: null,
    onConnectError: (failure) => {
      error = failure;
    },
    onReconnectPaused: () => {
      paused = true;
    },
    onClose: (code) => {
      close ??= code;
    },
    ...options,
  });
  client.start();
  try {
    await until(() => error && close !== undefined, 'the gateway to refuse the handshake');
  } finally {
    await client.stopAndWait().catch(() => undefined);
  }
  return { error: asRefused(error), close, paused };
}

/** A device identity as the client wants it, with the functions that sign for it. */
export function makeDevice(): Pick<GatewayClientOptions, 'deviceIdentity' | 'hostDeps'> & { tokens: string[] } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const x = publicKey.export({ format: 'jwk' }).x ?? '';
  const tokens: string[] = [];
  return {
    tokens,
    deviceIdentity: {
      deviceId: createHash('sha256').update(Buffer.from(x, 'base64url')).digest('hex'),
      publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
    hostDeps: {
      signDevicePayload: (pem, payload) =>
        sign(null, Buffer.from(payload), createPrivateKey(pem)).toString('base64url'),
      publicKeyRawBase64UrlFromPem: () => x,
      loadDeviceAuthToken: () => {
        const token = tokens.at(-1);
        return token === undefined ? null : { token, role: 'operator', scopes: ['operator.admin'] };
      },
      storeDeviceAuthToken: ({ token }) => {
        tokens.push(token);
      },
      clearDeviceAuthToken: () => {
        tokens.length = 0;
      },
    },
  };
}

/** Waits for a condition, with a deadline. */
export async function until<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<Value> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function asRefused(error: unknown): Refused {
  if (!(error instanceof Error)) throw new Error(`not an error: ${String(error)}`);
  const { code, details, retryable, retryAfterMs } = error as Error & Refused;
  return { code, message: error.message, ...(details ? { details } : {}), retryable, retryAfterMs } as Refused;
}
