import { once } from 'node:events';
import WebSocket from 'ws';

export interface Message {
  id?: string;
  type: string;
  payload?: unknown;
}

/** A WebSocket that sends what it is told to, and keeps what it is told. */
export class RawSocket {
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
  #changed = Promise.withResolvers<void>();

  constructor(url: string, options: { protocol?: string | string[]; headers?: Record<string, string> } = {}) {
    const { protocol = 'graphql-transport-ws', headers = {} } = options;
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, { headers });
    this.socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as Message);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  /** Connects, and signs in when there is a token. */
  static async open(url: string, token?: string, headers: Record<string, string> = {}): Promise<RawSocket> {
    const opened = new RawSocket(url, { headers });
    await once(opened.socket, 'open');
    if (token !== undefined) opened.send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } });
    return opened;
  }

  send(message: object | string | Buffer): void {
    const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
    this.socket.send(isRaw ? message : JSON.stringify(message));
  }

  subscribe(id: string, payload: object): void {
    this.send({ id, type: 'subscribe', payload });
  }

  /** The first message that is so, among those received and those to come. */
  async first(isSo: (message: Message) => boolean, timeoutMs = 10_000): Promise<Message> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.messages.find(isSo);
      if (found) return found;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`No such message came within ${timeoutMs} ms: ${JSON.stringify(this.messages)}`);
      let timer: NodeJS.Timeout | undefined;
      const expired = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, left);
      });
      await Promise.race([this.#changed.promise, this.closed, expired]);
      clearTimeout(timer);
      if (this.socket.readyState === WebSocket.CLOSED && !this.messages.some(isSo))
        throw new Error(`It was closed (${JSON.stringify(await this.closed)}) after ${JSON.stringify(this.messages)}`);
    }
  }

  acknowledged(): Promise<Message> {
    return this.first(({ type }) => type === 'connection_ack');
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
