import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { TypedDocumentString } from '../generated/client/graphql.ts';

interface GraphQLAnswer<Result> {
  data?: Result | null;
  errors?: readonly { message: string; extensions?: { code?: string } }[];
}

/** What the server answers instead of data. */
export class ApiError extends Error {
  override name = 'ApiError';
  /** For example UNAUTHENTICATED; null when it gave none. */
  readonly code: string | null;

  constructor(message: string, code: string | null) {
    super(message);
    this.code = code;
  }
}

/** A client of the API as anybody could write it: fetch for queries and mutations, graphql-ws for subscriptions. */
export class Api {
  readonly #url: string;
  readonly #token: string;
  readonly #sockets: Client;

  constructor(graphqlUrl: string, token: string) {
    this.#url = graphqlUrl;
    this.#token = token;
    this.#sockets = createClient({
      url: graphqlUrl.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
    });
  }

  /** @throws ApiError with what the server says, when it answers with errors */
  async ask<Result, Variables>(document: TypedDocumentString<Result, Variables>, variables: Variables) {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    // The schema that the document's types are made from is what the server answers by.
    return resultOf((await response.json()) as GraphQLAnswer<Result>);
  }

  /** Ends with `close`. @throws ApiError with what the server says, when it answers with errors */
  async *follow<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): AsyncGenerator<Result> {
    const answers = this.#sockets.iterate<Result & Record<string, unknown>>({ query: document.toString(), variables });
    for await (const answer of answers) yield resultOf<Result>(answer as GraphQLAnswer<Result>);
  }

  async close(): Promise<void> {
    await this.#sockets.dispose();
  }
}

function resultOf<Result>({ data, errors }: GraphQLAnswer<Result>): Result {
  if (errors?.[0]) throw new ApiError(errors[0].message, errors[0].extensions?.code ?? null);
  if (!data) throw new Error('The server answered with neither data nor errors.');
  return data;
}

/** What was made, of a mutation's result. @throws Error with the message of the failure that it is instead */
export function made<Result extends { __typename: string }>(result: Result): Exclude<Result, { message: string }> {
  if ('message' in result) throw new Error(String(result.message));
  return result as Exclude<Result, { message: string }>;
}
