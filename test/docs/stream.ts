import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';

/** A subscription of any text, over WebSocket, and all that it has brought. */
export class Stream {
  readonly received: unknown[] = [];
  readonly #client: Client;
  #failure: unknown = null;

  constructor(url: string, token: string, request: { query: string; variables: Record<string, unknown> }) {
    this.#client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { Authorization: `Bearer ${token}` },
    });
    this.#client.subscribe(request, {
      next: ({ data, errors }) => this.received.push(errors ?? data),
      error: (error) => {
        this.#failure = error;
      },
      complete: () => undefined,
    });
  }

  /** Resolves when a request that was sent after it is answered. @throws Error when the subscription was refused */
  async accepted(): Promise<void> {
    let answered = false;
    this.#client.subscribe(
      { query: '{ viewer { kind } }' },
      { next: () => (answered = true), error: () => (answered = true), complete: () => undefined },
    );
    await eventually(
      () => answered,
      (so) => so,
    );
    if (this.#failure !== null) throw new Error(`The subscription was refused: ${JSON.stringify(this.#failure)}`);
  }

  async stop(): Promise<void> {
    await this.#client.dispose();
  }
}
