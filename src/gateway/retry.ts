import type { GatewayError } from './errors.ts';

/** When a connection that failed is tried again. All in milliseconds. */
export interface RetryTimes {
  /** @default 1000 */
  firstMs: number;
  /** @default 30000 */
  maxMs: number;
  /** How often a gateway is asked whether this server's device was approved. @default 5000 */
  pairingMs: number;
  /** How often a gateway is asked that has to be updated, or to give more rights: it says nothing when it was. @default 60000 */
  updateMs: number;
  /** How often the gateway's /readyz is asked while it is away. @default 1000 */
  readyPollMs: number;
}

export const RETRY_TIMES: RetryTimes = {
  firstMs: 1000,
  maxMs: 30_000,
  pairingMs: 5000,
  updateMs: 60_000,
  readyPollMs: 1000,
};

/** An error that changes only when a person does something, so that trying again soon would be noise in the gateway's log. */
export function isForPeople(error: GatewayError): boolean {
  if (error.reason === 'auth-rate-limited') return false;
  if (error.connection === 'UNAUTHORIZED' || error.connection === 'INCOMPATIBLE') return true;
  return error.reason === 'plaintext-refused' || error.reason === 'invalid-url';
}

/**
 * How long to wait after a failed attempt; null for never: a token that is refused is not tried again, as a gateway counts them.
 * `failures` counts this one. A gateway's own wish goes first; else
 * 1, 2, 4 … 30 s, each 20 % more or less, so that many gateways that went down together are not tried together.
 */
export function retryDelayMs(
  error: GatewayError,
  failures: number,
  times: RetryTimes,
  random: () => number,
): number | null {
  if (error.connection === 'INCOMPATIBLE' || error.reason === 'no-rights') return times.updateMs;
  if (isForPeople(error)) return null;
  if (error.connection === 'PAIRING_REQUIRED') return times.pairingMs;
  if (error.retryAfterMs !== null) return error.retryAfterMs;
  const base = Math.min(times.maxMs, times.firstMs * 2 ** Math.min(failures - 1, 20));
  return Math.round(base * (0.8 + 0.4 * random()));
}
