/** An error of the client, a socket or the gateway, read once, so that rules can match on it. */
export interface Fault {
  message: string;
  /** The gateway's code of an answer, for example `INVALID_REQUEST`; null for errors of sockets. */
  gatewayCode: string | null;
  /** `details.code`, for example `AUTH_TOKEN_MISMATCH`. */
  detailCode: string | null;
  /** `details.reason` or `details.type`, for example `startup-sidecars` or `agent_file_conflict`. */
  detailReason: string | null;
  /** Node's code of a socket or TLS error, for example `ECONNREFUSED`, or the client's `CLIENT_TIMEOUT`. */
  systemCode: string | null;
  retryable: boolean;
  retryAfterMs: number | null;
  details: Readonly<Record<string, unknown>>;
  /** The method that timed out, where the client tells it. */
  method: string | null;
  timeoutMs: number | null;
  /** Host and port of the gateway, never credentials. */
  address: string;
}

/**
 * Reads what the official client throws: answers of the gateway have `gatewayCode` and `details`, errors of sockets only
 * Node's `code`, a deadline has `CLIENT_TIMEOUT`, and many have nothing but a message (measured on
 * `@openclaw/gateway-client` 2026.9.1).
 */
export function faultOf(thrown: unknown, url: string | null): Fault {
  const error = isRecord(thrown) ? thrown : {};
  const first = firstOfAggregate(thrown);
  const details = isRecord(error.details) ? error.details : {};
  const gatewayCode = text(error.gatewayCode);
  const systemCode = gatewayCode ? null : (text(error.code) ?? text(first.code));
  return {
    message: text(error.message) ?? text(first.message) ?? systemCode ?? String(thrown),
    gatewayCode,
    detailCode: text(details.code),
    detailReason: text(details.reason) ?? text(details.type),
    systemCode,
    retryable: error.retryable === true,
    retryAfterMs: positive(error.retryAfterMs),
    details,
    method: text(error.method),
    timeoutMs: positive(error.timeoutMs),
    address: addressOf(url),
  };
}

// A host name with several addresses fails with an AggregateError whose own message is empty.
function firstOfAggregate(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof AggregateError)) return {};
  const first: unknown = thrown.errors[0];
  return isRecord(first) ? first : {};
}

function addressOf(url: string | null): string {
  if (url === null || !URL.canParse(url)) return 'the gateway';
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;
}
