import { code, either, lasting, passing, type Rule, says, WAIT_FOR_IT } from './rule.ts';

// Nothing was reached, and nothing will be until somebody changes something.
const misconfigured = { kind: 'unavailable', retryable: false } as const;

const SIGN_IN_STATUSES = [301, 302, 303, 307, 308, 401, 403];

/**
 * What goes wrong before a handshake is answered: errors of Node's sockets and of the client, most of them with nothing but a
 * message. Measured with `@openclaw/gateway-client` 2026.9.1.
 */
export const TRANSPORT_FAILURES: readonly Rule[] = [
  // The client's own stop(); requests under way are rejected with it.
  {
    reason: 'closed',
    matches: says(/^gateway client stopped$/),
    ...passing,
    hint: WAIT_FOR_IT,
    message: () => 'The connection to the gateway was closed.',
  },
  // A request before hello or while down fails at once, without a code.
  {
    reason: 'disconnected',
    matches: says(/^gateway not connected$/),
    ...passing,
    hint: WAIT_FOR_IT,
    message: (fault) => `There is no connection to ${fault.address} now.`,
  },
  // The request may have been done all the same: whatever is sent again has to be idempotent.
  {
    reason: 'timed-out',
    matches: code('CLIENT_TIMEOUT'),
    ...passing,
    hint: WAIT_FOR_IT,
    message: (fault) =>
      `The gateway did not answer ${fault.method ?? 'a request'} within ${(fault.timeoutMs ?? 0) / 1000} s.`,
  },
  {
    reason: 'nothing-listens',
    matches: code('ECONNREFUSED'),
    ...passing,
    hint: 'Start the gateway, or correct its URL with updateGateway.',
    message: (fault) => `Nothing listens at ${fault.address}.`,
  },
  {
    reason: 'unknown-host',
    matches: code('ENOTFOUND', 'EAI_AGAIN'),
    ...passing,
    hint: "Correct the host name in the gateway's URL with updateGateway, or repair this server's name resolution.",
    message: (fault) => `The host name of ${fault.address} is not known.`,
  },
  {
    reason: 'unreachable',
    matches: code('ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'ECONNABORTED', 'EPIPE'),
    ...passing,
    hint: "Check the network between this server and the gateway's machine.",
    message: (fault) => `${fault.address} cannot be reached (${fault.systemCode}).`,
  },
  // A peer that accepts TCP and says nothing: the client notices after 15 s; our own deadline is earlier.
  {
    reason: 'silent',
    matches: says(/opening handshake has timed out|connect challenge timeout|no answer to the handshake/i),
    ...passing,
    hint: "Check that the URL is the gateway's, and restart the gateway if it is.",
    message: (fault) => `${fault.address} accepts connections but does not answer.`,
  },
  // OpenClaw's own client takes these statuses for a proxy that wants a sign-in.
  {
    reason: 'sign-in-proxy',
    matches: (fault) =>
      fault.detailReason === 'websocket-upgrade-rejected' &&
      SIGN_IN_STATUSES.includes(Number(fault.details.httpStatus)),
    ...lasting,
    hint: 'Let this server past the proxy that stands before the gateway, or give the gateway an address without it.',
    message: (fault) => `A proxy at ${fault.address} refuses the connection (HTTP ${fault.details.httpStatus}).`,
    connection: 'UNREACHABLE',
  },
  // Also what a proxy answers while the gateway behind it is down, so it may pass.
  {
    reason: 'not-a-gateway',
    matches: (fault) => fault.detailReason === 'websocket-upgrade-rejected',
    ...passing,
    hint: "Correct the gateway's URL with updateGateway if this lasts: what answers there is no gateway.",
    message: (fault) => `${fault.address} answers with HTTP ${fault.details.httpStatus} in place of a WebSocket.`,
  },
  // The client refuses ws:// to a public address before anything is sent.
  {
    reason: 'plaintext-refused',
    matches: says(/over plaintext ws:\/\//),
    ...misconfigured,
    hint: "Use a wss:// URL, a tunnel to localhost, or the gateway's private IP address, .local or .ts.net name.",
    message: (fault) => `${fault.address} may be public and is not encrypted: the token could be read on the way.`,
  },
  {
    reason: 'invalid-url',
    matches: says(/fingerprint requires wss/),
    ...misconfigured,
    hint: 'Use a wss:// URL, or remove tlsFingerprint with updateGateway.',
    message: () => 'A TLS fingerprint is stored for the gateway, but its URL is not encrypted.',
  },
  {
    reason: 'invalid-url',
    matches: either(says(/invalid url|url's protocol|must be a SHA-256 fingerprint/i), code('ERR_INVALID_URL')),
    ...misconfigured,
    hint: "Correct the gateway's URL or tlsFingerprint with updateGateway.",
  },
  {
    reason: 'fingerprint-mismatch',
    matches: says(/tls fingerprint (mismatch|unavailable)/),
    ...misconfigured,
    hint: "Compare it with the certificate on the gateway's machine, and only if that was renewed set the new tlsFingerprint with updateGateway.",
    message: (fault) => `The certificate of ${fault.address} is not the one whose fingerprint is stored.`,
  },
  // Node's codes for certificates that it cannot verify.
  {
    reason: 'untrusted-certificate',
    matches: code(
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'CERT_UNTRUSTED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ),
    ...misconfigured,
    hint: "Set tlsFingerprint to the SHA-256 of the gateway's certificate with updateGateway, or give it a certificate that this server trusts.",
    message: (fault) => `The certificate of ${fault.address} is not trusted (${fault.systemCode}).`,
  },
  {
    reason: 'no-tls',
    matches: either(code('EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'), says(/wrong version number/i)),
    ...misconfigured,
    hint: 'Use a ws:// URL, or turn on TLS at the gateway.',
    message: (fault) => `${fault.address} does not speak TLS.`,
  },
];
