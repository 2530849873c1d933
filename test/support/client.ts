import { createClient, type Client as SocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { TypedDocumentString } from '../../src/generated/client/graphql.ts';

type Document<Result, Variables> = TypedDocumentString<Result, Variables>;

export interface Answer<Result> {
  status: number;
  data: Result | null;
  errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[];
}

/** A GraphQL client as a frontend would have it: fetch for queries and mutations, graphql-ws for subscriptions. */
export class Client {
  readonly url: string;
  readonly #token: string | null;

  constructor(url: string, token: string | null) {
    this.url = url;
    this.#token = token;
  }

  /** The whole answer, errors and all. */
  async ask<Result, Variables>(document: Document<Result, Variables>, variables?: Variables): Promise<Answer<Result>> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(this.#token !== null && { Authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    const body = (await response.json()) as Omit<Answer<Result>, 'status'>;
    return { ...body, data: body.data ?? null, status: response.status };
  }

  /** The data; any top-level error fails the test. */
  async run<Result, Variables>(document: Document<Result, Variables>, variables?: Variables): Promise<Result> {
    const { data, errors } = await this.ask(document, variables);
    if (errors || data === null) throw new Error(`The operation failed: ${JSON.stringify(errors)}`);
    return data;
  }

  /** Everything that the subscription has brought so far, growing. */
  subscribe<Result, Variables>(document: Document<Result, Variables>, variables?: Variables): Subscription<Result> {
    return new Subscription(this.url, this.#token, document.toString(), variables);
  }
}

/** A subscription over WebSocket that collects what comes. */
export class Subscription<Result> {
  readonly received: { value: Result; at: number }[] = [];
  readonly connected: Promise<void>;
  readonly ended: Promise<void>;
  /** The code with which the socket was closed. */
  closeCode: number | null = null;
  readonly #client: SocketClient;
  #changed = Promise.withResolvers<void>();

  constructor(url: string, token: string | null, query: string, variables: unknown) {
    const connected = Promise.withResolvers<void>();
    this.connected = connected.promise;
    this.#client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      ...(token !== null && { connectionParams: { Authorization: `Bearer ${token}` } }),
      on: {
        connected: () => connected.resolve(),
        closed: (event) => {
          this.closeCode = (event as { code: number }).code;
        },
      },
    });
    this.ended = new Promise((resolve, reject) => {
      this.#client.subscribe<Result>(
        { query, variables: variables as Record<string, unknown> },
        {
          next: ({ data, errors }) => {
            if (errors) reject(new Error(JSON.stringify(errors)));
            if (!data) return;
            this.received.push({ value: data, at: performance.now() });
            this.#changed.resolve();
            this.#changed = Promise.withResolvers();
          },
          error: (error) => reject(error),
          complete: () => resolve(),
        },
      );
    });
    this.ended.catch((error: unknown) => connected.reject(error));
    this.connected.catch(() => undefined);
  }

  /** The first value that is so, among those received and those to come. */
  async first(isSo: (value: Result) => boolean, timeoutMs = 10_000): Promise<Result> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const expired = new Promise<never>((_resolve, reject) => {
      deadline.addEventListener('abort', () =>
        reject(new Error(`Nothing of the kind came within ${timeoutMs} ms, but: ${JSON.stringify(this.received)}`)),
      );
    });
    expired.catch(() => undefined);
    for (let index = 0; ; ) {
      for (; index < this.received.length; index++) {
        const value = this.received[index]?.value;
        if (value !== undefined && isSo(value)) return value;
      }
      await Promise.race([this.#changed.promise, expired]);
    }
  }

  async stop(): Promise<void> {
    await this.#client.dispose();
  }
}
