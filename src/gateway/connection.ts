import type { EventFrame } from '@openclaw/gateway-protocol/frame-guards';
import { inSpan } from '../spans.ts';
import { type OpenSocket, openSocket } from './attempt.ts';
import { usableModel } from './config.ts';
import {
  type ConnectionInfo,
  connected,
  connecting,
  failed,
  type GatewayTarget,
  NEVER_CONNECTED,
  sameInfo,
  secretsOf,
  withModel,
} from './connection-info.ts';
import { type GatewayError, hasReason, toGatewayError } from './errors.ts';
import { type Hello, refusalOf } from './hello.ts';
import { InFlight } from './in-flight.ts';
import type { GatewayLog } from './log.ts';
import { ReadinessWatch } from './readiness.ts';
import type { GatewayRequests, RequestOptions } from './requests.ts';
import { isForPeople, RETRY_TIMES, type RetryTimes, retryDelayMs } from './retry.ts';
import { Waiting } from './waiting.ts';

export type { ConnectionInfo, GatewayTarget } from './connection-info.ts';
export type { Hello } from './hello.ts';
export type { RequestOptions } from './requests.ts';

export interface ConnectionOptions {
  target: GatewayTarget;
  log: GatewayLog;
  /** Called for every change, and only then. */
  onInfo: (info: ConnectionInfo, previous: ConnectionInfo) => void;
  onEvent: (event: EventFrame) => void;
  /** Events were lost: what they told has to be read afresh. */
  onGap?: () => void;
  /**
   * The gateway has given this device a token, to be put into the target of later connections; null when it refuses the one that
   * it gave. Called for every change, and only then. The token is a secret.
   */
  onDeviceToken?: (token: string | null) => void;
  /** A request has ended. Methods are those that this room calls. */
  onRequest?: (method: string, outcome: 'ok' | 'error', seconds: number) => void;
  /** @default 10000 */
  connectTimeoutMs?: number;
  /** @default 30000 */
  requestTimeoutMs?: number;
  /** Requests under way at once; the others wait. @default 32 */
  maxInFlight?: number;
  retry?: Partial<RetryTimes>;
  now?: () => number;
  random?: () => number;
}

/** A connection that does not last this long counts as a failed attempt. */
const EARLY_LOSS_MS = 5_000;

/**
 * The lasting connection to one gateway. It connects again by itself, for ever: with backoff, and at once when the gateway's
 * /readyz says ready. After a refusal that only a person can change it waits for `reconnect()`; while the gateway waits for this
 * server's device to be approved it asks every 5 s, which also keeps the request there from lapsing (it does 5 minutes after it
 * was last made). Attempts in the background leave the state as it is: it is CONNECTING only before the first outcome and after
 * `reconnect()`.
 *
 * It signs in with the token that the gateway gave its device, once there is one. When that is refused, because it was revoked or
 * the device removed, the shared token is tried at once, which leads to a new approval or to a new token.
 */
export class GatewayConnection implements GatewayRequests {
  readonly target: GatewayTarget;
  readonly #options: ConnectionOptions;
  readonly #retry: RetryTimes;
  readonly #inFlight: InFlight;
  readonly #now: () => number;
  readonly #connectTimeoutMs: number;
  readonly #waiting = new Waiting<Hello>();
  readonly #readiness: ReadinessWatch;
  #info: ConnectionInfo = NEVER_CONNECTED;
  #hello: Hello | null = null;
  #socket: OpenSocket | null = null;
  /** Aborted when what it stands for is over: an attempt, or a wait between attempts. */
  #attempt: AbortController | null = null;
  #wait: AbortController | null = null;
  #failures = 0;
  #openedAtMs = 0;
  /** Connections in a row that were lost soon after they had been opened. */
  #earlyLosses = 0;
  #lastFailure: GatewayError | null = null;
  #closed = false;
  /** The newest one; the target has the one of the beginning. */
  #deviceToken: string | null;
  readonly #secrets: string[];

  constructor(options: ConnectionOptions) {
    this.target = options.target;
    this.#options = options;
    this.#deviceToken = options.target.device && options.target.deviceToken;
    this.#secrets = secretsOf(options.target);
    this.#retry = { ...RETRY_TIMES, ...options.retry };
    this.#readiness = new ReadinessWatch(options.target.url, this.#retry.readyPollMs);
    this.#inFlight = new InFlight(options.maxInFlight ?? 32);
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#now = options.now ?? Date.now;
  }

  get info(): ConnectionInfo {
    return this.#info;
  }

  /** Opens the connection, if that was not done yet. */
  start(): void {
    if (this.#info.state === 'UNKNOWN' && !this.#closed) this.reconnect();
  }

  /** Drops the connection and connects afresh, now, whatever happened before. */
  reconnect(): void {
    if (this.#closed) return;
    this.#drop();
    this.#failures = 0;
    this.#earlyLosses = 0;
    this.#readiness.reset();
    this.#setInfo(connecting(this.#info));
    this.#connect();
  }

  /**
   * Resolves when connected. Rejects with a `GatewayError` as soon as connecting has failed, at the latest after the connect
   * timeout; at once when it waits for a person. A connection that waits for its next attempt makes it now. Rejects with
   * `signal.reason` when aborted.
   */
  async ready(signal?: AbortSignal): Promise<Hello> {
    signal?.throwIfAborted();
    if (this.#closed) throw this.#error('gateway client stopped');
    if (this.#socket && this.#hello) return this.#hello;
    this.start();
    if (!this.#attempt) {
      const last = this.#lastFailure;
      if (
        last &&
        (isForPeople(last) || last.connection === 'PAIRING_REQUIRED' || last.reason === 'auth-rate-limited')
      ) {
        throw last;
      }
      this.#connect();
    }
    const tooLate = () => this.#lastFailure ?? this.#error('no answer to the handshake');
    return await this.#waiting.wait(this.#connectTimeoutMs, tooLate, signal);
  }

  /**
   * Calls a method. Throws a `GatewayError` (at once when there is no connection), or `signal.reason` when aborted. A request that
   * timed out or was aborted may have been done all the same.
   */
  request<T = unknown>(method: string, params: object, options: RequestOptions = {}): Promise<T> {
    const attributes = { 'rpc.system': 'openclaw', 'rpc.method': method, 'gateway.id': this.target.id };
    return inSpan(method, { attributes, isCall: true }, () => this.#request(method, params, options));
  }

  async #request<T>(method: string, params: object, options: RequestOptions): Promise<T> {
    const { signal } = options;
    const started = performance.now();
    let outcome: 'ok' | 'error' = 'error';
    try {
      const answer = await this.#inFlight.run(async () => {
        if (!this.#socket) throw this.#error('gateway not connected');
        const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ?? 30_000;
        return await this.#socket.request<T>(method, params, signal ? { timeoutMs, signal } : { timeoutMs });
      }, signal);
      outcome = 'ok';
      return answer;
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      throw this.#error(thrown);
    } finally {
      this.#options.onRequest?.(method, outcome, (performance.now() - started) / 1_000);
    }
  }

  /**
   * Measures the round trip and returns the connection as it is then. Connects first if need be. Throws a `GatewayError`: a gateway
   * that does not answer counts as lost and is connected to afresh.
   */
  async probe(): Promise<ConnectionInfo> {
    try {
      await this.ready();
      const started = performance.now();
      await this.request('health', {}, { timeoutMs: this.#connectTimeoutMs });
      const latencyMs = Math.round((performance.now() - started) * 10) / 10;
      this.#setInfo({ ...this.#info, latencyMs });
      if (this.#info.modelConfigured === false) await this.#lookForModel();
    } catch (thrown) {
      const error = this.#error(thrown);
      if (this.#socket && hasReason(error, 'timed-out', 'silent')) this.#lost(error);
      throw error;
    }
    return this.#info;
  }

  /** Ends the connection for good. Nothing is announced any more; whoever waits gets a `GatewayError`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const socket = this.#socket;
    this.#drop();
    this.#waiting.reject(this.#error('gateway client stopped'));
    await socket?.close();
  }

  #connect(): void {
    this.#wait?.abort();
    this.#wait = null;
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#setInfo({ ...this.#info, nextAttemptAt: null });
    const current = () => this.#attempt === attempt;
    const events = {
      onDeviceToken: (token: string) => this.#setDeviceToken(token),
      onEvent: (event: EventFrame) => this.#onEvent(event),
      onGap: (gap: { expected: number; received: number }) => {
        this.#options.log.warn({ gatewayId: this.target.id, ...gap }, 'gateway events were lost');
        this.#options.onGap?.();
      },
      onLost: (error: unknown) => {
        if (!attempt.signal.aborted) this.#lost(this.#error(error));
      },
    };
    const target = { ...this.target, deviceToken: this.#deviceToken };
    openSocket(target, this.#connectTimeoutMs, events, this.#options.log, attempt.signal).then(
      (socket) => (current() ? this.#onOpen(socket) : void socket.close()),
      (error: unknown) => current() && this.#onAttemptFailed(this.#error(error)),
    );
  }

  #onAttemptFailed(error: GatewayError): void {
    // An attempt with the device's token holds no other that could be meant.
    if (this.#deviceToken === null || !hasReason(error, 'device-token-refused', 'token-refused')) {
      this.#onFailure(error, null);
      return;
    }
    this.#options.log.warn({ gatewayId: this.target.id, error: error.message }, 'gateway refuses the device token');
    this.#setDeviceToken(null);
    this.#connect();
  }

  #setDeviceToken(token: string | null): void {
    if (token === this.#deviceToken) return;
    this.#deviceToken = token;
    if (token !== null) this.#secrets.push(token);
    this.#tell(() => this.#options.onDeviceToken?.(token));
  }

  #onOpen(socket: OpenSocket): void {
    const refusal = refusalOf(socket.hello);
    if (refusal) {
      void socket.close();
      this.#onFailure(refusal, socket.hello);
      return;
    }
    this.#attempt = null;
    this.#socket = socket;
    this.#hello = socket.hello;
    this.#failures = 0;
    this.#openedAtMs = this.#now();
    this.#readiness.reset();
    this.#lastFailure = null;
    const { serverVersion, bootId } = socket.hello;
    this.#options.log.info({ gatewayId: this.target.id, serverVersion, bootId }, 'gateway connected');
    this.#setInfo(connected(socket.hello, new Date(this.#now())));
    this.#waiting.resolve(socket.hello);
  }

  #lost(error: GatewayError): void {
    this.#drop();
    // One that is lost again and again right after the handshake is given more time each time, too.
    this.#earlyLosses = this.#now() - this.#openedAtMs < EARLY_LOSS_MS ? this.#earlyLosses + 1 : 0;
    this.#failures = Math.max(0, this.#earlyLosses - 1);
    this.#onFailure(error, null);
  }

  #onFailure(error: GatewayError, hello: Hello | null): void {
    this.#attempt = null;
    this.#failures += 1;
    this.#lastFailure = error;
    const delayMs = retryDelayMs(error, this.#failures, this.#retry, this.#options.random ?? Math.random);
    const nextAttemptAt = delayMs === null ? null : new Date(this.#now() + delayMs);
    const before = this.#info.state;
    this.#setInfo({ ...failed(this.#info, error, hello), nextAttemptAt });
    const { state } = this.#info;
    const fields = { gatewayId: this.target.id, state, reason: error.reason, error: error.message, delayMs };
    if (before !== state) this.#options.log.warn(fields, 'gateway not connected');
    else this.#options.log.debug(fields, 'gateway still not connected');
    // It says itself that it will be there soon, so whoever waits may go on waiting.
    if (error.reason !== 'starting') this.#waiting.reject(error);
    if (delayMs !== null && !this.#closed && !this.#socket && !this.#attempt) this.#connectLater(delayMs, error);
  }

  /** After the delay, or earlier when a gateway that was away has become ready. */
  #connectLater(delayMs: number, error: GatewayError): void {
    const wait = new AbortController();
    this.#wait = wait;
    const timer = setTimeout(() => this.#connect(), delayMs);
    wait.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    if (error.connection === 'UNREACHABLE' && this.#earlyLosses <= 1)
      void this.#readiness.watch(wait.signal, () => this.#connect());
  }

  #onEvent(event: EventFrame): void {
    if (event.event === 'config.changed' && this.#info.modelConfigured === false) {
      this.#lookForModel().catch((thrown: unknown) => {
        this.#options.log.debug({ gatewayId: this.target.id, error: this.#error(thrown).message }, 'config not read');
      });
    }
    this.#options.onEvent(event);
  }

  // hello tells it once; a model that is configured later shows only in the configuration.
  async #lookForModel(): Promise<void> {
    const usable = usableModel(await this.request('config.get', {}));
    if (usable && this.#info.state === 'CONNECTED') this.#setInfo(withModel(this.#info, true));
  }

  /** Ends whatever is under way: socket, attempt, wait. */
  #drop(): void {
    this.#wait?.abort();
    this.#attempt?.abort();
    void this.#socket?.close();
    this.#wait = null;
    this.#attempt = null;
    this.#socket = null;
    this.#hello = null;
  }

  #error(thrown: unknown): GatewayError {
    const error = typeof thrown === 'string' ? new Error(thrown) : thrown;
    return toGatewayError(error, { url: this.target.url, secrets: this.#secrets });
  }

  #setInfo(info: ConnectionInfo): void {
    const previous = this.#info;
    if (sameInfo(info, previous)) return;
    this.#info = info;
    if (!this.#closed) this.#tell(() => this.#options.onInfo(info, previous));
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.log.error({ gatewayId: this.target.id, error }, 'a listener of the gateway connection failed');
    }
  }
}
