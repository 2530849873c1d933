import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../log.ts';
import { RequestSpan } from '../spans.ts';
import { VERSION } from '../version.ts';
import { isTooLarge, limitBody, tooLarge } from './body-limit.ts';
import { GRAPHQL_PATH, type Yoga } from './graphql.ts';
import type { HttpMetrics } from './metrics.ts';
import { chooseRequestId, REQUEST_ID_HEADER } from './request-id.ts';
import { pathOf } from './request-path.ts';
import { securityHeaders } from './security-headers.ts';

/** What /readyz tells: null when all is there, else what is missing. */
export type Readiness = () => Promise<string | null>;

interface Routes {
  graphql: Yoga;
  readiness: Readiness;
  metrics: HttpMetrics;
}

export interface HttpOptions {
  /** Bytes that a request may have. */
  bodyBytes: number;
  /** For a request to arrive, with its body. */
  requestTimeoutSeconds: number;
  /** Whether clients reach this server by https only. */
  overHttps: boolean;
}

/** For a request's headers, and for the first of them on a new connection. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the minute after which proxies usually give up a connection: the side that reuses it must be the first to close. */
const KEEP_ALIVE_MS = 65_000;
/** How often Node looks for requests that are late. */
const CHECK_MS = 1_000;
/** How often a server that stops looks for connections that nobody uses any more. */
const IDLE_CHECK_MS = 50;

const METRICS_PATH = '/metrics';
const ROUTES: ReadonlySet<string> = new Set(['/', '/healthz', '/readyz', METRICS_PATH, GRAPHQL_PATH]);

/** The one port. It answers probes from the start, and GraphQL once it has been given its parts. */
export class HttpServer {
  readonly server: Server;
  readonly #log: Log;
  readonly #bodyBytes: number;
  readonly #headers: ReadonlyMap<string, string>;
  #routes: Routes | null = null;
  #isStopping = false;

  constructor(log: Log, { bodyBytes, requestTimeoutSeconds, overHttps }: HttpOptions) {
    this.#log = log;
    this.#bodyBytes = bodyBytes;
    this.#headers = securityHeaders(overHttps);
    const requestTimeout = requestTimeoutSeconds * 1_000;
    // They count until a request is there as a whole: event streams, which are answers, may last.
    const timeouts = {
      requestTimeout,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout),
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
    };
    this.server = createServer(timeouts, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.#log.error({ err: error, url: request.url }, 'cannot answer a request');
        if (response.headersSent) response.destroy();
        else sendJson(response, 500, { error: 'internal' });
      });
    });
  }

  /** @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    return (this.server.address() as AddressInfo).port;
  }

  serve(routes: Routes): void {
    this.#routes = routes;
  }

  /** Answers as before, but says on /readyz that it will not for long, and has clients make a new connection for what comes next. */
  announceStop(): void {
    this.#isStopping = true;
  }

  /** Takes no new connections and lets requests under way finish, for up to `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    // One whose request was under way is kept for another request when it is answered.
    const idle = setInterval(() => this.server.closeIdleConnections(), IDLE_CHECK_MS);
    const timer = setTimeout(() => this.server.closeAllConnections(), timeoutMs);
    await closed;
    clearInterval(idle);
    clearTimeout(timer);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const requestId = chooseRequestId(request.headers[REQUEST_ID_HEADER]);
    request.headers[REQUEST_ID_HEADER] = requestId;
    // yoga builds its headers from the raw ones.
    request.rawHeaders.push(REQUEST_ID_HEADER, requestId);
    response.setHeader(REQUEST_ID_HEADER, requestId);
    response.setHeaders(new Map(this.#headers));
    if (this.#isStopping) response.setHeader('Connection', 'close');
    const pathname = pathOf(request);
    const span = pathname === GRAPHQL_PATH ? new RequestSpan(request.method ?? '', pathname, request.headers) : null;
    const within = <T>(work: () => T): T => (span === null ? work() : span.run(work));
    response.once('close', () => {
      const durationMs = performance.now() - started;
      const { statusCode: status } = response;
      const fields = { requestId, method: request.method, path: pathname, status, durationMs: Math.round(durationMs) };
      within(() => this.#log.debug(fields, 'request'));
      span?.end(status);
      this.#routes?.metrics.requestEnded(routeOf(pathname), status, isStream(response) ? null : durationMs / 1_000);
    });
    await within(() => this.#route(pathname, requestId, request, response));
  }

  async #route(pathname: string, requestId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (pathname) {
      case '/healthz':
        return sendJson(response, 200, { ok: true, version: VERSION });
      case '/readyz': {
        const missing = await this.#missing();
        return missing === null
          ? sendJson(response, 200, { ready: true })
          : sendJson(response, 503, { ready: false, missing });
      }
      case METRICS_PATH:
        if (!this.#routes) return sendJson(response, 503, { error: 'The server is starting.' });
        response.setHeader('Content-Type', this.#routes.metrics.contentType);
        response.end(await this.#routes.metrics.text());
        return;
      case GRAPHQL_PATH:
        if (!this.#routes) {
          response.setHeader('Retry-After', '1');
          return sendJson(response, 503, { errors: [{ message: 'The server is starting.' }] });
        }
        if (isTooLarge(request, this.#bodyBytes)) {
          const error = { message: tooLarge(this.#bodyBytes), extensions: { code: 'PAYLOAD_TOO_LARGE', requestId } };
          return sendJson(response, 413, { errors: [error] });
        }
        // yoga makes the request's URL of it.
        if (!URL.canParse(`http://${request.headers.host ?? 'server'}`))
          return sendJson(response, 400, { errors: [{ message: 'The Host header is none.' }] });
        // yoga puts it behind the host; a proxy's client may send the whole URL.
        if (!request.url?.startsWith('/')) request.url = `${pathname}${URL.parse(request.url ?? '')?.search ?? ''}`;
        // The same in any case; yoga compares it as it is.
        if (request.headers['content-type'] !== undefined)
          request.headers['content-type'] = request.headers['content-type'].replace(/^[^;]*/, (type) =>
            type.trim().toLowerCase(),
          );
        limitBody(request, this.#bodyBytes);
        await this.#routes.graphql(request, response);
        return;
      case '/':
        response.writeHead(302, { Location: GRAPHQL_PATH }).end();
        return;
      default:
        return sendJson(response, 404, { error: `There is nothing here. GraphQL is at ${GRAPHQL_PATH}.` });
    }
  }

  /** Null when all is there. */
  async #missing(): Promise<string | null> {
    if (this.#isStopping) return 'The server is stopping.';
    return this.#routes ? this.#routes.readiness() : 'The database is being opened.';
  }
}

/** The path as far as it is one of this server's: anybody can make up others. */
function routeOf(pathname: string): string {
  return ROUTES.has(pathname) ? pathname : 'other';
}

/** Its answer goes on for as long as its caller likes. */
function isStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
