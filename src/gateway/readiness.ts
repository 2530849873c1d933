import * as http from 'node:http';
import * as https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const TIMEOUT_MS = 2000;
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Asks a gateway over HTTP, on the port of its WebSocket, whether it is ready: `GET /readyz` answers `{"ready":true,…}` without
 * authentication (measured on OpenClaw 2026.9.6). Never rejects; false when anything else answers, or nothing within 2 s.
 *
 * Certificates are not verified: nothing secret is sent, and all that follows from the answer is an attempt to connect, which
 * does verify.
 */
export function isReady(gatewayUrl: string, signal: AbortSignal): Promise<boolean> {
  const url = readyUrl(gatewayUrl);
  if (url === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onResponse = (response: http.IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_BODY_BYTES) response.destroy();
      });
      response.on('error', () => resolve(false));
      response.on('close', () => resolve(response.statusCode === 200 && saysReady(body)));
    };
    const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]), agent: false } as const;
    const request =
      url.protocol === 'https:'
        ? https.get(url, { ...options, rejectUnauthorized: false }, onResponse)
        : http.get(url, options, onResponse);
    request.on('error', () => resolve(false));
  });
}

function readyUrl(gatewayUrl: string): URL | null {
  if (!URL.canParse(gatewayUrl)) return null;
  const { protocol, host } = new URL(gatewayUrl);
  return new URL('/readyz', `${protocol === 'wss:' || protocol === 'https:' ? 'https:' : 'http:'}//${host}`);
}

function saysReady(body: string): boolean {
  try {
    const answer: unknown = JSON.parse(body);
    return typeof answer === 'object' && answer !== null && 'ready' in answer && answer.ready === true;
  } catch {
    return false;
  }
}

/**
 * Asks every `pollMs` whether a gateway has become ready, and calls `onReady` when that is news: it was not ready at the time
 * before, or it was not asked since `reset`. A gateway takes 10 to 95 s to start (measured on OpenClaw 2026.9.6), in which a
 * backoff grows to 30 s. Where something answers that it is ready but takes no connection, the backoff alone counts.
 */
export class ReadinessWatch {
  readonly #url: string;
  readonly #pollMs: number;
  #isNews = true;

  constructor(url: string, pollMs: number) {
    this.#url = url;
    this.#pollMs = pollMs;
  }

  /** The connection was up: the next time that the gateway is ready is news. */
  reset(): void {
    this.#isNews = true;
  }

  /** Watches until aborted, or until it has called `onReady` once. */
  async watch(signal: AbortSignal, onReady: () => void): Promise<void> {
    while (!signal.aborted) {
      const ready = await isReady(this.#url, signal);
      if (signal.aborted) return;
      if (ready && this.#isNews) {
        this.#isNews = false;
        onReady();
        return;
      }
      if (!ready) this.#isNews = true;
      await sleep(this.#pollMs, undefined, { signal }).catch(() => {}); // aborted: the loop ends
    }
  }
}
