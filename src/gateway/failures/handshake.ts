import {
  readConnectPairingRequiredMessage,
  readPairingConnectErrorDetails,
} from '@openclaw/gateway-protocol/connect-error-details';
import type { Fault } from '../fault.ts';
import {
  detail,
  either,
  lasting,
  passing,
  passingRefusal,
  type Rule,
  SET_TOKEN,
  says,
  UPDATE_OPENCLAW,
  VERSIONS_DIFFER,
  WAIT_FOR_IT,
} from './rule.ts';

const unauthorized = { ...lasting, connection: 'UNAUTHORIZED' } as const;

// Read by OpenClaw's own functions, which take only ids that are safe to show.
const pendingPairing = (fault: Fault) =>
  readPairingConnectErrorDetails(fault.details) ?? readConnectPairingRequiredMessage(fault.message);

/** What to do about a pending device; the command is from OpenClaw's page on `openclaw devices`. */
function approveHint(requestId: string | null): string {
  return requestId === null
    ? "On the gateway's machine run openclaw devices list, then openclaw devices approve <requestId>."
    : `On the gateway's machine run: openclaw devices approve ${requestId}`;
}

/** Of "gateway closed (1012): service restart", the reason; nothing when there is none. */
function reasonOf({ message }: Fault): string {
  const reason = /^gateway closed \(\d+\): (.+)$/.exec(message)?.[1];
  return reason === undefined || reason === 'no reason given' ? '' : `: ${reason}`;
}

/**
 * Refused handshakes: reported with `details.code`, then close 1008 (1002 for the protocol). Measured on OpenClaw 2026.9.6 and,
 * for protocol 3, on 2026.2.26.
 */
export const HANDSHAKE_FAILURES: readonly Rule[] = [
  // From the eleventh wrong token within 60 s the right one is refused too, for 5 minutes; loopback is exempt.
  {
    reason: 'auth-rate-limited',
    matches: either(detail('AUTH_RATE_LIMITED'), says(/too many failed authentication attempts/i)),
    ...passingRefusal,
    connection: 'UNAUTHORIZED',
    retryAfterMs: 300_000,
    hint: 'Make sure that the stored token is right, else set it with updateGateway; the gateway refuses every token for some minutes now.',
    message: () => 'The gateway has seen too many wrong tokens from this address.',
  },
  {
    reason: 'token-refused',
    matches: detail('AUTH_TOKEN_MISMATCH'),
    ...unauthorized,
    hint: SET_TOKEN,
    message: () => 'The gateway refuses the token.',
  },
  {
    reason: 'token-missing',
    matches: detail('AUTH_TOKEN_MISSING', 'AUTH_REQUIRED'),
    ...unauthorized,
    hint: SET_TOKEN,
    message: () => 'The gateway wants a token, and none is stored.',
  },
  // The answer to neither a token nor a device, with the code NOT_PAIRED.
  {
    reason: 'token-missing',
    matches: either(
      detail('DEVICE_IDENTITY_REQUIRED', 'CONTROL_UI_DEVICE_IDENTITY_REQUIRED'),
      says(/device identity required/),
    ),
    ...unauthorized,
    hint: SET_TOKEN,
    message: () => 'The gateway wants a token or a paired device, and it was given neither.',
  },
  {
    reason: 'token-not-configured',
    matches: detail('AUTH_TOKEN_NOT_CONFIGURED'),
    ...unauthorized,
    hint: "Set gateway.auth.token in openclaw.json on the gateway's machine, then the same token with updateGateway.",
  },
  // From OpenClaw's protocol package; not met.
  {
    reason: 'password-wanted',
    matches: (fault) => fault.detailCode?.startsWith('AUTH_PASSWORD_') === true,
    ...unauthorized,
    hint: "Set gateway.auth.mode to token on the gateway's machine: this server signs in with a token.",
  },
  {
    reason: 'pairing-required',
    matches: either(detail('PAIRING_REQUIRED'), (fault) => pendingPairing(fault)?.requestId !== undefined),
    ...lasting,
    connection: 'PAIRING_REQUIRED',
    hint: (fault) => approveHint(pendingPairing(fault)?.requestId ?? null),
    message: () => "The gateway waits for this server's device to be approved.",
  },
  // From OpenClaw's protocol package; not met.
  {
    reason: 'clock-skew',
    matches: detail('DEVICE_AUTH_SIGNATURE_EXPIRED'),
    ...unauthorized,
    hint: "Set the clocks of this server and of the gateway's machine: they differ too much.",
  },
  // Revoked, rotated, or its device removed: all the same answer; a token with fewer rights gives AUTH_SCOPE_MISMATCH. The
  // connection goes on with the shared token by itself, so nobody sees this one.
  {
    reason: 'device-token-refused',
    matches: either(
      detail('AUTH_DEVICE_TOKEN_MISMATCH', 'AUTH_SCOPE_MISMATCH'),
      says(/device token (scope )?mismatch/i),
    ),
    ...unauthorized,
    hint: SET_TOKEN,
    message: () => "The gateway refuses the token that it gave to this server's device.",
  },
  // The client would retry these for ever, though nothing changes by itself. Id and signature are made from one key, so what can
  // differ is the text that is signed; the client has two versions of it.
  {
    reason: 'device-refused',
    matches: (fault) => fault.detailCode?.startsWith('DEVICE_AUTH_') === true,
    ...unauthorized,
    hint: VERSIONS_DIFFER,
    message: (fault) => `The gateway does not accept how this server's device signs in: ${fault.message}.`,
  },
  // Protocol 4 sends the code, protocol 3 only the message and details.expectedProtocol.
  {
    reason: 'protocol-mismatch',
    matches: either(detail('PROTOCOL_MISMATCH'), says(/protocol mismatch/i)),
    ...lasting,
    connection: 'INCOMPATIBLE',
    hint: (fault) =>
      Number(fault.details.expectedProtocol) > 4
        ? "Update this server: it does not know the gateway's protocol yet."
        : UPDATE_OPENCLAW,
    message: (fault) =>
      `The gateway speaks protocol ${fault.details.expectedProtocol ?? 'of another version'}; this server speaks protocol 4.`,
  },
  {
    reason: 'protocol-mismatch',
    matches: either(detail('CLIENT_VERSION_MISMATCH'), says(/^invalid connect params/)),
    ...lasting,
    connection: 'INCOMPATIBLE',
    hint: VERSIONS_DIFFER,
  },
  // The other ways to sign in that OpenClaw's protocol package names; not met.
  {
    reason: 'sign-in-refused',
    matches: (fault) => /^(AUTH_|AUTHENTICATED_|CONTROL_UI_)/.test(fault.detailCode ?? ''),
    ...unauthorized,
    hint: "Set gateway.auth.mode to token on the gateway's machine, and its token with updateGateway.",
  },
  // 1012 "service restart" closes a connection for a stop and for a restart alike. After the rules above, since a gateway that
  // gives its reason for a refusal only in the close frame is known by it.
  {
    reason: 'disconnected',
    matches: says(/^gateway (closed \(\d+\)|transient pre-hello clean close)/),
    ...passing,
    hint: WAIT_FOR_IT,
    message: (fault) => `The connection to ${fault.address} ended${reasonOf(fault)}.`,
  },
];
