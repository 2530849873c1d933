import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Fault } from './faults.ts';
import type { Audience } from './gateway.ts';
import { type Admission, admit, closeCodeOf, closeReasonOf, starting } from './handshake.ts';
import { helloOk } from './hello.ts';
import { findMethod, METHODS } from './methods.ts';
import type { Server } from './server.ts';
import { health } from './status.ts';
import {
  answerFrame,
  type Dict,
  errorFrame,
  eventFrame,
  invalid,
  pause,
  Refusal,
  type RequestFrame,
  readRequest,
  unavailable,
} from './wire.ts';

/** A client that never sends its connect request is closed after this long. */
const CONNECT_WITHIN_MS = 15_000;
/** A close frame's reason has room for this many bytes. */
const REASON_LENGTH = 120;

/** One client: its handshake, then its requests and the events that it gets. */
export class Connection {
  readonly id = randomUUID();
  readonly #server: Server;
  readonly #socket: WebSocket;
  readonly #nonce = randomUUID();
  readonly #remoteIp: string | null;
  readonly #deadline: NodeJS.Timeout;
  #admission: Admission | undefined;
  #seq = 0;
  #subscribed = false;

  constructor(server: Server, socket: WebSocket, remoteIp: string | null) {
    this.#server = server;
    this.#remoteIp = remoteIp;
    this.#socket = socket;
    this.#deadline = setTimeout(() => this.close(1000, ''), CONNECT_WITHIN_MS);
    this.#deadline.unref();
    socket.on('close', () => clearTimeout(this.#deadline));
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      this.#receive(String(data)).catch(() => this.break());
    });
    socket.send(eventFrame('connect.challenge', { nonce: this.#nonce, ts: Date.now() }));
  }

  /** Sends an event, numbered per connection, when this client is of its audience. */
  tell(event: string, payload: Dict, audience: Audience): void {
    if (!this.#admission || this.#socket.readyState !== this.#socket.OPEN) return;
    if (audience === 'session-subscribers' && !this.#subscribed) return;
    const { scopes } = this.#admission;
    if (scopes.length === 0) return;
    if (audience === 'admins' && !scopes.includes('operator.admin') && !scopes.includes('operator.pairing')) return;
    this.#seq += 1;
    this.#socket.send(eventFrame(event, payload, this.#seq));
  }

  /** The device that was let in, if the client has one. */
  get deviceId(): string | undefined {
    return this.#admission?.deviceId;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, REASON_LENGTH));
  }

  /** Ends the connection without a word. */
  break(): void {
    this.#socket.terminate();
  }

  async #receive(data: string): Promise<void> {
    const request = readRequest(data);
    if (!this.#admission) {
      if (request?.method !== 'connect') {
        this.close(1008, 'invalid handshake: first request must be connect');
        return;
      }
      await this.#connect(request);
      return;
    }
    if (request) await this.#serve(request, this.#admission);
  }

  async #connect(request: RequestFrame): Promise<void> {
    const { gateway, faults, wrongTokens } = this.#server;
    this.#server.note(request, this.id);
    clearTimeout(this.#deadline);
    const fault = faults.strike('connect', request.params);
    try {
      if (fault && !(await this.#survive(fault))) return;
      if (this.#server.starting) throw starting();
      const caller = { nonce: this.#nonce, remoteIp: this.#remoteIp, wrongTokens };
      const admission = admit(gateway, request.params, caller);
      this.#admission = admission;
      this.#send(answerFrame(request.id, helloOk(gateway, admission, this.id, Object.keys(METHODS))));
      this.tell('health', health(gateway), 'operators');
    } catch (error) {
      const refusal = asRefusal(error);
      this.#send(errorFrame(request.id, refusal.shape));
      this.close(closeCodeOf(refusal), closeReasonOf(refusal));
    }
  }

  async #serve(request: RequestFrame, admission: Admission): Promise<void> {
    const { faults, inFlight } = this.#server;
    const logged = this.#server.note(request, this.id);
    const fault = faults.strike(request.method, request.params);
    try {
      inFlight.enter();
    } catch (error) {
      this.#send(errorFrame(request.id, asRefusal(error).shape));
      return;
    }
    try {
      if (fault && !(await this.#survive(fault))) return;
      const answer = fault?.kind === 'answer' ? fault.payload : await this.#perform(request, admission);
      if (fault?.kind === 'perform-then-drop') return this.break();
      if (fault?.kind === 'perform-then-refuse') throw new Refusal(fault.error);
      this.#send(answerFrame(request.id, answer));
    } catch (error) {
      this.#send(errorFrame(request.id, asRefusal(error).shape));
    } finally {
      logged.endedAt = Date.now();
      inFlight.leave();
    }
  }

  /** Whether the request goes on after the first part of a fault. */
  async #survive(fault: Fault): Promise<boolean> {
    if (fault.kind === 'refuse') throw new Refusal(fault.error);
    if (fault.kind === 'drop') this.break();
    if (fault.kind === 'late') await pause(fault.ms);
    return fault.kind !== 'stall' && fault.kind !== 'drop';
  }

  async #perform(request: RequestFrame, admission: Admission): Promise<unknown> {
    const { gateway, draining, patches } = this.#server;
    const { method, params } = request;
    if (draining) {
      throw unavailable(`${method} unavailable during gateway restart`, {
        details: { method, reason: 'gateway-restarting', phase: 'accepting' },
        retryable: true,
        retryAfterMs: 1000,
      });
    }
    const found = findMethod(method, admission.scopes);
    if (method === 'config.patch') patches.take(admission.deviceId ?? this.id);
    await pause(gateway.settings.delays.request);
    if (method === 'sessions.subscribe') this.#subscribed = true;
    if (method === 'sessions.unsubscribe') this.#subscribed = false;
    return found.run(gateway, params);
  }

  #send(frame: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame);
  }
}

function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : invalid(String(error));
}
