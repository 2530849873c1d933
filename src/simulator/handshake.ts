import { timingSafeEqual } from 'node:crypto';
import { type DeviceClaim, readDevice } from './device-proof.ts';
import type { Gateway } from './gateway.ts';
import type { WrongTokens } from './limits.ts';
import { type Dict, invalid, isDict, Refusal } from './wire.ts';

/** A client that is let in. */
export interface Admission {
  protocol: 3 | 4;
  role: string;
  scopes: string[];
  method: 'token' | 'device-token';
  /** Told to a device that was approved, at every connection; it may come with this one alone. */
  deviceToken: string | undefined;
  /** Whose rate limits these are, when not those of the connection. */
  deviceId: string | undefined;
}

const CLIENT_IDS = new Set(
  'webchat-ui openclaw-control-ui openclaw-browser-copilot openclaw-tui webchat cli gateway-client openclaw-macos openclaw-linux openclaw-ios openclaw-watchos openclaw-android node-host openclaw-worker test fingerprint openclaw-probe'.split(
    ' ',
  ),
);
const DEFAULT_SCOPES = ['operator.admin'];

/** The WebSocket close code that follows a refused connect request. */
export function closeCodeOf(refusal: Refusal): number {
  if (refusal.shape.details?.reason === 'startup-sidecars') return 1013;
  return refusal.message === 'protocol mismatch' ? 1002 : 1008;
}

/** The reason in that close frame. */
export function closeReasonOf(refusal: Refusal): string {
  const { details } = refusal.shape;
  if (details?.reason === 'startup-sidecars') return 'gateway starting';
  return details?.code === 'PAIRING_REQUIRED'
    ? `${refusal.message} (requestId: ${details.requestId})`
    : refusal.message;
}

/** Where a client comes from, and how the gateway takes it there. */
export interface Caller {
  nonce: string;
  /** Null for loopback. */
  remoteIp: string | null;
  wrongTokens: WrongTokens;
}

/** Lets a client in, or refuses it as a gateway does. @throws Refusal */
export function admit(gateway: Gateway, params: Dict, { nonce, remoteIp, wrongTokens }: Caller): Admission {
  const { settings, devices } = gateway;
  const client = isDict(params.client) ? params.client : {};
  if (!CLIENT_IDS.has(String(client.id))) {
    throw invalid('invalid connect params: at /client/id: must be equal to one of the allowed values');
  }
  checkProtocol(settings.protocol, Number(params.minProtocol), Number(params.maxProtocol));

  const lockedFor = remoteIp === null ? 0 : wrongTokens.lockedFor();
  if (lockedFor > 0) throw rateLimited(lockedFor);

  const device = readDevice(params, nonce, remoteIp);
  const auth = isDict(params.auth) ? params.auth : {};
  const given = String(auth.token ?? auth.password ?? auth.deviceToken ?? '');
  const role = String(params.role ?? 'operator');
  const asked = Array.isArray(params.scopes) ? params.scopes.map(String) : DEFAULT_SCOPES;
  if (given === '') throw noToken(device);
  if (equal(given, settings.token)) {
    const scopes = device || remoteIp === null ? asked : [];
    return admission(gateway, role, scopes, 'token', device, device && devices.tokenFor(device));
  }
  const known = device ? devices.check(device, given) : false;
  if (known === true) return admission(gateway, role, asked, 'device-token', device, given);
  if (known === 'scopes') throw scopeMismatch();
  if (remoteIp !== null) wrongTokens.note();
  throw device && auth.deviceToken ? wrongDeviceToken() : wrongToken(device);
}

function admission(
  gateway: Gateway,
  role: string,
  scopes: string[],
  method: Admission['method'],
  device: DeviceClaim | undefined,
  deviceToken: string | undefined,
): Admission {
  return { protocol: gateway.settings.protocol, role, scopes, method, deviceToken, deviceId: device?.id };
}

/**
 * A gateway of protocol 3 gives no `details.code`, which is why clients retry it for ever. The official client
 * adds the versions to the message.
 */
function checkProtocol(protocol: 3 | 4, min: number, max: number): void {
  if (min <= protocol && max >= protocol) return;
  if (protocol === 3) throw invalid('protocol mismatch', { expectedProtocol: 3 });
  throw invalid('protocol mismatch', {
    code: 'PROTOCOL_MISMATCH',
    clientMinProtocol: min,
    clientMaxProtocol: max,
    expectedProtocol: 4,
    minimumProbeProtocol: 3,
  });
}

function noToken(device: DeviceClaim | undefined): Refusal {
  if (!device) {
    return new Refusal({
      code: 'NOT_PAIRED',
      message: 'device identity required',
      details: { code: 'DEVICE_IDENTITY_REQUIRED' },
      retryable: false,
    });
  }
  return invalid('unauthorized: gateway token missing (provide gateway auth token)', {
    code: 'AUTH_TOKEN_MISSING',
    authReason: 'token_missing',
    canRetryWithDeviceToken: false,
    recommendedNextStep: 'update_auth_configuration',
  });
}

function wrongToken(device: DeviceClaim | undefined): Refusal {
  return invalid('unauthorized: gateway token mismatch (provide gateway auth token)', {
    code: 'AUTH_TOKEN_MISMATCH',
    authReason: 'token_mismatch',
    canRetryWithDeviceToken: device !== undefined,
    recommendedNextStep: device ? 'retry_with_device_token' : 'update_auth_credentials',
  });
}

function wrongDeviceToken(): Refusal {
  return invalid('unauthorized: device token mismatch (rotate/reissue device token)', {
    code: 'AUTH_DEVICE_TOKEN_MISMATCH',
    authReason: 'device_token_mismatch',
    canRetryWithDeviceToken: false,
    recommendedNextStep: 'update_auth_credentials',
  });
}

function scopeMismatch(): Refusal {
  return invalid('unauthorized: device token scope mismatch (re-pair or approve scope upgrade)', {
    code: 'AUTH_SCOPE_MISMATCH',
    authReason: 'scope_mismatch',
    canRetryWithDeviceToken: false,
    recommendedNextStep: 'review_auth_configuration',
  });
}

function rateLimited(retryAfterMs: number): Refusal {
  return new Refusal({
    code: 'INVALID_REQUEST',
    message: 'unauthorized: too many failed authentication attempts (retry later)',
    details: { code: 'AUTH_RATE_LIMITED', authReason: 'rate_limited', recommendedNextStep: 'wait_then_retry' },
    retryable: true,
    retryAfterMs,
  });
}

/** What a gateway says that accepts connections but does not serve them yet. */
export function starting(): Refusal {
  return new Refusal({
    code: 'UNAVAILABLE',
    message: 'gateway starting; retry shortly',
    details: { reason: 'startup-sidecars' },
    retryable: true,
    retryAfterMs: 500,
  });
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
