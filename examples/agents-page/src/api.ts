import {
  Client,
  type CombinedError,
  type ExecutionResult,
  fetchExchange,
  type SubscriptionOperation,
  subscriptionExchange,
} from '@urql/core';
import type { Client as SocketClient } from 'graphql-ws';
import { connect, goesOn, type LinkState, reasonOf } from '../../live.ts';

export interface Api {
  client: Client;
  close(): void;
}

/**
 * A client of one server, signed in: fetch for queries and mutations, one WebSocket for subscriptions. It has no cache: the
 * list of agents is kept up to date by its events.
 */
export function createApi(url: string, token: string, tell: (state: LinkState) => void): Api {
  const sockets = connect(url, token, tell);
  const client = new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers: { Authorization: `Bearer ${token}` } },
    exchanges: [
      subscriptionExchange({
        forwardSubscription: (operation) => ({
          subscribe: (sink) => ({ unsubscribe: subscribeAndResume(sockets, operation, sink) }),
        }),
      }),
      fetchExchange,
    ],
  });
  return { client, close: () => void sockets.dispose() };
}

/**
 * A subscription that goes on after the event it has seen last: graphql-ws sends the payload again when it has connected
 * again, so the cursor in it is kept up to date.
 * @returns what ends it
 */
function subscribeAndResume(
  sockets: SocketClient,
  { query = '', variables }: SubscriptionOperation,
  sink: { next(result: ExecutionResult): void; error(error: unknown): void; complete(): void },
): () => void {
  const payload = { query, variables: { ...variables } };
  let isOver = false;
  let end = () => {};
  const begin = () => {
    end = sockets.subscribe<{ agentEvents?: { cursor: string } }>(payload, {
      next: (result) => {
        const cursor = result.data?.agentEvents?.cursor;
        if (cursor) payload.variables.after = cursor;
        sink.next(result as ExecutionResult);
      },
      error: async (error) => {
        const goes = await goesOn(error);
        if (isOver) return;
        if (goes) begin();
        // urql makes GraphQL errors of an array, and a network error of anything else.
        else sink.error(Array.isArray(error) ? error : new Error(reasonOf(error)));
      },
      complete: () => sink.complete(),
    });
  };
  begin();
  return () => {
    isOver = true;
    end();
  };
}

/** Whether the log does not reach back to where the subscription was to go on: the list must be read afresh. */
export function isTooLate({ graphQLErrors }: CombinedError): boolean {
  return graphQLErrors.some(({ extensions }) => extensions.code === 'CURSOR_EXPIRED');
}

/** What went wrong, in a sentence for people. */
export function messageOf({ networkError, graphQLErrors }: CombinedError): string {
  const [refusal] = graphQLErrors;
  if (refusal) return refusal.message;
  const reason = networkError?.message ?? 'unknown';
  return reason === 'Failed to fetch' || reason.startsWith('NetworkError')
    ? 'The server cannot be reached from this page. Is its address right, and is this page’s origin in its CORS_ORIGINS?'
    : reason;
}
