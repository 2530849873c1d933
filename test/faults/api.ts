import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_TOKEN } from '../support/mission-control.ts';

/** A server as its clients see it. */
export interface Endpoint {
  url: string;
  isUp: boolean;
}

/** The answer did not come: what was asked may have been done or not. */
class LostAnswer extends Error {}

/** The request was refused as a whole, for example for its token. */
export class RefusedRequest extends Error {
  readonly code: string | null;

  constructor(message: string, code: string | null) {
    super(message);
    this.code = code;
  }
}

const REQUEST_TIMEOUT_MS = 20_000;
const RETRY_MS = 100;

interface Body {
  data?: unknown;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/**
 * Asks one server once.
 * @param token an agent's token; without one it is the operator who asks
 * @throws LostAnswer, RefusedRequest
 */
export async function ask<Data>(url: string, query: string, variables: object, token?: string): Promise<Data> {
  const { status, body } = await post(url, query, variables, token);
  const [problem] = body.errors ?? [];
  const code = problem?.extensions?.code ?? null;
  if (status >= 500 || code === 'INTERNAL_SERVER_ERROR') throw new LostAnswer(`${status} ${problem?.message}`);
  if (problem || body.data == null) throw new RefusedRequest(`${status} ${problem?.message}`, code);
  return body.data as Data;
}

async function post(url: string, query: string, variables: object, token?: string) {
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(token === undefined ? { Authorization: `Bearer ${ADMIN_TOKEN}` } : { 'X-Agent-Token': token }),
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    return { status: response.status, body: (await response.json()) as Body };
  } catch (error) {
    throw new LostAnswer(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

export interface AskOptions {
  /** The place of the server that is asked first, if it listens. @default 0 */
  first?: number;
  /** An agent's token. @default the operator's */
  token?: string;
  /** How long to go on asking, in milliseconds. @default 90000 */
  withinMs?: number;
}

/** A client of all servers: what one of them does not answer is asked of another, until it is answered. */
export class Api {
  readonly endpoints: readonly Endpoint[];
  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
  }

  /** Asks until there is an answer. @throws RefusedRequest; LostAnswer when there was none in time */
  async ask<Data>(query: string, variables: object = {}, options: AskOptions = {}): Promise<Data> {
    return (await this.insist<Data>(query, variables, options)).data;
  }

  /** The same, with how many answers did not come before. */
  async insist<Data>(
    query: string,
    variables: object,
    { first = 0, token, withinMs = 90_000 }: AskOptions = {},
  ): Promise<{ data: Data; lost: number }> {
    const deadline = performance.now() + withinMs;
    let lost = 0;
    let last = new LostAnswer(`no server listened for ${withinMs} ms`);
    for (let turn = first; performance.now() < deadline; turn++) {
      const endpoint = this.#listening(turn);
      try {
        if (endpoint) return { data: await ask<Data>(endpoint.url, query, variables, token), lost };
      } catch (error) {
        if (!(error instanceof LostAnswer)) throw error;
        last = error;
        lost += 1;
      }
      await sleep(RETRY_MS);
    }
    throw last;
  }

  #listening(turn: number): Endpoint | undefined {
    const { endpoints } = this;
    const inTurn = endpoints.map((_, index) => endpoints[(turn + index) % endpoints.length]);
    return inTurn.find((endpoint) => endpoint?.isUp);
  }
}
