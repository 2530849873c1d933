import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface AnswerError {
  code: string;
  message: string;
  details?: object;
  retryable?: boolean;
  retryAfterMs?: number;
}

/** What a scripted method throws to answer with an error. */
export class Refusal extends Error {
  readonly shape: AnswerError;
  constructor(shape: AnswerError) {
    super(shape.message);
    this.shape = shape;
  }
}

export const invalid = (message: string, details?: object) =>
  new Refusal({ code: 'INVALID_REQUEST', message, ...(details ? { details } : {}) });

type Method = (params: Record<string, unknown>) => unknown;

interface Frame {
  id: string;
  method: string;
  params?: Record<string, unknown>;
}

const isFrame = (value: unknown): value is Frame =>
  typeof value === 'object' && value !== null && 'id' in value && 'method' in value;

/** A gateway that does what a test tells it: enough of the protocol for a handshake, requests and events. */
export class ScriptedGateway {
  readonly methods = new Map<string, Method>();
  readonly calls: { method: string; params: Record<string, unknown> }[] = [];
  /** Why connections are refused; null to accept them. */
  refusal: AnswerError | null = null;
  closeCode = 1008;
  hello: Record<string, unknown> = {};
  ready = true;
  connects = 0;
  /** How often /readyz was asked. */
  polls = 0;
  #server: Server | null = null;
  #sockets: WebSocketServer | null = null;
  #port = 0;
  readonly #tls: { key: string; cert: string } | null;

  constructor(tls: { key: string; cert: string } | null = null) {
    this.#tls = tls;
  }

  get url(): string {
    return `${this.#tls ? 'wss' : 'ws'}://127.0.0.1:${this.#port}`;
  }

  /** Listens, the second time on the same port as before. */
  async start(): Promise<this> {
    const answer: Parameters<typeof createServer>[1] = (request, response) => {
      if (request.url === '/readyz') this.polls += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/readyz' ? { ready: this.ready } : {}));
    };
    this.#server = this.#tls ? createTlsServer(this.#tls, answer) : createServer(answer);
    this.#sockets = new WebSocketServer({ server: this.#server });
    this.#sockets.on('connection', (socket) => this.#accept(socket));
    await new Promise<void>((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve));
    this.#port = portOf(this.#server);
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets?.clients ?? []) socket.close(1012, 'service restart');
    const server = this.#server;
    this.#sockets?.close();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  emit(event: string, payload: object): void {
    for (const socket of this.#sockets?.clients ?? []) socket.send(JSON.stringify({ type: 'event', event, payload }));
  }

  called(method: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.method === method).map((call) => call.params);
  }

  #accept(socket: WebSocket): void {
    socket.send(
      JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: 'nonce', ts: Date.now() } }),
    );
    socket.on('message', (data) => {
      const frame: unknown = JSON.parse(String(data));
      if (isFrame(frame)) void this.#answer(socket, frame);
    });
  }

  async #answer(socket: WebSocket, frame: Frame): Promise<void> {
    const respond = (rest: object) => socket.send(JSON.stringify({ type: 'res', id: frame.id, ...rest }));
    if (frame.method === 'connect') {
      this.connects += 1;
      if (this.refusal) {
        respond({ ok: false, error: this.refusal });
        socket.close(this.closeCode, this.refusal.message);
      } else respond({ ok: true, payload: this.#helloFrame() });
      return;
    }
    const params = frame.params ?? {};
    this.calls.push({ method: frame.method, params });
    try {
      const method = this.methods.get(frame.method);
      if (!method) throw invalid(`unknown method: ${frame.method}`);
      respond({ ok: true, payload: await method(params) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      respond({ ok: false, error: error.shape });
    }
  }

  #helloFrame(): object {
    return {
      type: 'hello-ok',
      protocol: 4,
      server: { version: '2026.9.6', bootId: 'boot-1', connId: 'conn' },
      features: { methods: [...this.methods.keys()], events: [] },
      snapshot: {
        presence: [],
        health: {},
        stateVersion: { presence: 1, health: 1 },
        uptimeMs: 1,
        stateDir: '/state',
        sessionDefaults: { modelConfigured: true },
      },
      auth: { method: 'token', role: 'operator', scopes: ['operator.admin'] },
      policy: { maxPayload: 26214400, maxBufferedBytes: 52428800, tickIntervalMs: 30000 },
      ...this.hello,
    };
  }
}

function portOf(server: Server | null): number {
  const address: AddressInfo | string | null | undefined = server?.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = portOf(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export const silentLog = { debug() {}, info() {}, warn() {}, error() {} };
