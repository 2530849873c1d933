import { type Client, createClient } from 'graphql-ws';

/** How the connection stands, for people. */
export type LinkState = 'connecting' | 'live' | 'broken';

const PING_MS = 10_000;
const PONG_MS = 5_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * A connection that comes again by itself whatever happens, but for a token that is refused (close code 4401).
 * @param url for example http://127.0.0.1:8000/graphql
 * @param tell is told when the connection is there and when it breaks
 */
export function connect(url: string, token: string, tell: (state: LinkState) => void): Client {
  let overdue: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: Infinity,
    // By default an error of the network is taken for a mistake, and the subscription ends with it.
    shouldRetry: () => true,
    retryWait: (retries) => pause(Math.min(LONGEST_PAUSE_MS, 500 * 2 ** retries) * (0.5 + Math.random() / 2)),
    // A network that swallows everything breaks no connection: only an answer that does not come tells.
    keepAlive: PING_MS,
    // So that it stays between one subscription and the next.
    lazyCloseTimeout: 500,
    on: {
      connecting: () => tell('connecting'),
      connected: () => tell('live'),
      closed: () => {
        clearTimeout(overdue);
        tell('broken');
      },
      ping: (received) => {
        if (!received) overdue = setTimeout(() => client.terminate(), PONG_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(overdue);
      },
    },
  });
  return client;
}

const SHORT_PAUSE_MS = 10_000;
/** Close codes of this server. */
const UNAUTHENTICATED = 4401;
const TOO_MANY = 4429;

/**
 * Whether a subscription that has ended with this error is to be sent again, with its latest cursor: its reader was too slow,
 * or the server has asked for patience. Resolves when it is time.
 */
export async function goesOn(error: unknown): Promise<boolean> {
  if (Array.isArray(error)) {
    const { code, retryAfterSeconds } = error[0]?.extensions ?? {};
    if (code === 'TOO_MANY_REQUESTS') await pause(retryAfterSeconds * 1_000);
    return code === 'TOO_MANY_REQUESTS' || code === 'SUBSCRIPTION_OVERFLOW';
  }
  if (!isCloseEvent(error) || error.code !== TOO_MANY) return false;
  await pause(SHORT_PAUSE_MS);
  return true;
}

/** What went wrong, in a sentence: the server refused the operation, or closed the connection for good. */
export function reasonOf(error: unknown): string {
  if (Array.isArray(error)) return error.map(({ message }) => message).join('; ');
  if (error instanceof Error) return error.message;
  if (!isCloseEvent(error)) return String(error);
  return error.code === UNAUTHENTICATED
    ? 'The server does not take this token.'
    : `The connection was closed (${error.code}).`;
}

function isCloseEvent(error: unknown): error is { code: number } {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
