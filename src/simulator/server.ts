import { randomUUID } from 'node:crypto';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { Connection } from './connection.ts';
import { Faults } from './faults.ts';
import type { Audience, Gateway } from './gateway.ts';
import { InFlight, RateLimit, WrongTokens } from './limits.ts';
import { health } from './status.ts';
import { type Dict, pause, type RequestFrame } from './wire.ts';

/** A request as it came in, also those of handshakes (`connect`). */
export interface LoggedRequest {
  method: string;
  params: Dict;
  at: number;
  /** When it was done with, answered or not; null while it is under way. */
  endedAt: number | null;
  /** Which connection brought it. */
  connectionId: string;
}

const TICK_MS = 30_000;
const HEALTH_MS = 60_000;

/** The port: HTTP probes and WebSocket connections, and how they end and begin. */
export class Server {
  readonly gateway: Gateway;
  readonly faults = new Faults();
  readonly requests: LoggedRequest[] = [];
  readonly inFlight = new InFlight();
  readonly wrongTokens = new WrongTokens();
  readonly patches: RateLimit;
  /** Connections are accepted, but not served yet. */
  starting = false;
  /** New requests are refused; running ones finish. */
  draining = false;
  readonly #connections = new Set<Connection>();
  #http: HttpServer | undefined;
  #timers: NodeJS.Timeout[] = [];
  #readyAt = 0;

  constructor(gateway: Gateway) {
    this.gateway = gateway;
    this.patches = new RateLimit('config.patch', gateway.settings.patchesPerMinute);
    gateway.broadcast = (event, payload, audience: Audience = 'operators') => {
      for (const connection of this.#connections) connection.tell(event, payload, audience);
    };
    gateway.isConnected = (deviceId) => this.#of(deviceId).length > 0;
    gateway.dismiss = (deviceId) => {
      for (const connection of this.#of(deviceId)) connection.close(4001, 'device removed');
    };
  }

  note({ method, params }: RequestFrame, connectionId: string): LoggedRequest {
    const logged: LoggedRequest = { method, params, at: Date.now(), endedAt: null, connectionId };
    this.requests.push(logged);
    return logged;
  }

  /** Listens, and serves after the start-up time, of which it does not wait for the end. */
  async listen(port: number): Promise<void> {
    const http = createServer((req, res) => this.#probe(req.url ?? '/', res));
    const sockets = new WebSocketServer({ server: http, maxPayload: 26_214_400 });
    sockets.on('connection', (socket, request) => {
      const connection = new Connection(this, socket, this.#remoteIpOf(request));
      this.#connections.add(connection);
      socket.on('close', () => this.#connections.delete(connection));
    });
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject);
      http.listen(port, '127.0.0.1', resolve);
    });
    this.#http = http;
    this.gateway.bootId = randomUUID();
    this.draining = false;
    this.#readyAt = Date.now() + this.gateway.settings.delays.start;
    this.starting = this.gateway.settings.delays.start > 0;
    this.#every(TICK_MS, () => this.gateway.broadcast('tick', { ts: Date.now() }));
    this.#every(HEALTH_MS, () => this.gateway.broadcast('health', health(this.gateway)));
    if (this.starting) {
      const ready = setTimeout(() => {
        this.starting = false;
      }, this.gateway.settings.delays.start);
      ready.unref();
      this.#timers.push(ready);
    }
  }

  get port(): number {
    const address = this.#http?.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** As after SIGTERM: refuses new requests, ends turns, says goodbye, closes with 1012. */
  async shutDown(goodbye: Dict): Promise<void> {
    this.draining = true;
    this.gateway.runs.drain();
    await pause(this.gateway.settings.delays.drain);
    this.gateway.broadcast('shutdown', goodbye);
    for (const connection of this.#connections) connection.close(1012, 'service restart');
    await this.#close();
  }

  /** As after SIGKILL: connections break. */
  async break(): Promise<void> {
    this.gateway.runs.drain();
    for (const connection of this.#connections) connection.break();
    await this.#close();
  }

  /** Breaks all connections and goes on: a network that failed for a moment. */
  dropConnections(): void {
    for (const connection of this.#connections) connection.break();
  }

  #of(deviceId: string): Connection[] {
    return [...this.#connections].filter((connection) => connection.deviceId === deviceId);
  }

  /** As with loopback among `gateway.trustedProxies`: a proxy there tells where a client comes from. */
  #remoteIpOf(request: IncomingMessage): string | null {
    const forwarded = request.headers['x-forwarded-for'];
    return forwarded === undefined ? (this.gateway.settings.remote ? '203.0.113.9' : null) : String(forwarded);
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    const http = this.#http;
    this.#http = undefined;
    if (!http) return;
    // Clients answer a close frame at once; those that do not are not waited for.
    const stragglers = setTimeout(() => {
      for (const connection of this.#connections) connection.break();
    }, 200);
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeIdleConnections();
    });
    clearTimeout(stragglers);
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #probe(url: string, res: ServerResponse): void {
    const path = new URL(url, 'http://gateway').pathname;
    const send = (status: number, body: Dict) => {
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(JSON.stringify(body));
    };
    if (path === '/healthz' || path === '/health') send(200, { ok: true, status: 'live' });
    else if (path === '/readyz' || path === '/ready') {
      const failing = this.starting ? ['startup-sidecars'] : [];
      send(this.starting ? 503 : 200, {
        ready: !this.starting,
        failing,
        uptimeMs: Math.max(0, Date.now() - this.#readyAt),
      });
    } else send(404, { error: 'Not Found' });
  }
}
