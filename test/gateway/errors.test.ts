import { GatewayClientRequestError, GatewayClientRequestTimeoutError } from '@openclaw/gateway-client';
import { describe, expect, test } from 'vitest';
import {
  GatewayError,
  isFileConflict,
  isLabelInUse,
  isNotFound,
  isStaleConfig,
  isUnsupportedFile,
  toGatewayError,
} from '../../src/gateway/errors.ts';

const answer = (code: string, message: string, rest: object = {}) =>
  new GatewayClientRequestError({ code, message, ...rest });
const refused = (detailCode: string, message: string, rest: object = {}) =>
  answer('INVALID_REQUEST', message, { details: { code: detailCode, ...rest } });
const socketError = (code: string, message = '') => Object.assign(new Error(message), { code });
const url = 'ws://10.1.2.3:18789/path?token=abc';

// The messages are OpenClaw 2026.9.6's own (2026.2.26's for protocol 3), as they were measured.
const rows: [title: string, thrown: unknown, reason: string, retryable: boolean, connection: string, hint: RegExp][] = [
  ['nothing listens', socketError('ECONNREFUSED'), 'nothing-listens', true, 'UNREACHABLE', /Start the gateway/],
  [
    'nothing listens on either address of a name',
    new AggregateError([socketError('ECONNREFUSED')]),
    'nothing-listens',
    true,
    'UNREACHABLE',
    /Start the gateway/,
  ],
  [
    'unknown host',
    socketError('ENOTFOUND', 'getaddrinfo ENOTFOUND nowhere'),
    'unknown-host',
    true,
    'UNREACHABLE',
    /updateGateway/,
  ],
  ['silent peer', new Error('Opening handshake has timed out'), 'silent', true, 'UNREACHABLE', /URL/],
  [
    'no challenge',
    new Error('gateway connect challenge timeout (waited 15000ms, limit 15000ms)'),
    'silent',
    true,
    'UNREACHABLE',
    /URL/,
  ],
  ['not connected', new Error('gateway not connected'), 'disconnected', true, 'UNREACHABLE', /by itself/],
  ['client stopped', new Error('gateway client stopped'), 'closed', true, 'UNREACHABLE', /by itself/],
  [
    'closed for a restart',
    new Error('gateway closed (1012): service restart'),
    'disconnected',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'timeout',
    new GatewayClientRequestTimeoutError({ method: 'agents.list', timeoutMs: 30000, requestSent: true }),
    'timed-out',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'plain HTTP server',
    answer('UNAVAILABLE', 'gateway rejected websocket upgrade (HTTP 200): hello', {
      retryable: true,
      details: { reason: 'websocket-upgrade-rejected', httpStatus: 200 },
    }),
    'not-a-gateway',
    true,
    'UNREACHABLE',
    /URL/,
  ],
  [
    'sign-in proxy',
    answer('UNAVAILABLE', 'gateway rejected websocket upgrade (HTTP 302)', {
      retryable: true,
      details: { reason: 'websocket-upgrade-rejected', httpStatus: 302 },
    }),
    'sign-in-proxy',
    false,
    'UNREACHABLE',
    /proxy/,
  ],
  [
    'plaintext to a public address',
    new Error('SECURITY ERROR: Cannot connect to "example.com" over plaintext ws://. Both…'),
    'plaintext-refused',
    false,
    'UNREACHABLE',
    /wss/,
  ],
  [
    'another certificate than pinned',
    new Error('gateway tls fingerprint mismatch'),
    'fingerprint-mismatch',
    false,
    'UNREACHABLE',
    /tlsFingerprint/,
  ],
  [
    'a certificate of its own',
    socketError('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'),
    'untrusted-certificate',
    false,
    'UNREACHABLE',
    /tlsFingerprint/,
  ],
  ['no TLS', socketError('EPROTO', 'write EPROTO wrong version number'), 'no-tls', false, 'UNREACHABLE', /ws:/],
  [
    'token mismatch',
    refused('AUTH_TOKEN_MISMATCH', 'unauthorized: gateway token mismatch (provide gateway auth token)'),
    'token-refused',
    false,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'token missing',
    refused('AUTH_TOKEN_MISSING', 'unauthorized: gateway token missing'),
    'token-missing',
    false,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'neither token nor device',
    answer('NOT_PAIRED', 'device identity required', { details: { code: 'DEVICE_IDENTITY_REQUIRED' } }),
    'token-missing',
    false,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'too many wrong tokens',
    answer('INVALID_REQUEST', 'unauthorized: too many failed authentication attempts (retry later)', {
      retryable: true,
      retryAfterMs: 299989,
      details: { code: 'AUTH_RATE_LIMITED' },
    }),
    'auth-rate-limited',
    true,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'pairing required',
    answer('NOT_PAIRED', 'device pairing required (requestId: req-1)', {
      details: { code: 'PAIRING_REQUIRED', reason: 'not-paired', requestId: 'req-1' },
    }),
    'pairing-required',
    false,
    'PAIRING_REQUIRED',
    /openclaw devices approve req-1$/,
  ],
  [
    'device signature invalid',
    refused('DEVICE_AUTH_SIGNATURE_INVALID', 'device signature invalid'),
    'device-refused',
    false,
    'UNAUTHORIZED',
    /Update OpenClaw/,
  ],
  [
    'device id of another key',
    refused('DEVICE_AUTH_DEVICE_ID_MISMATCH', 'device identity mismatch'),
    'device-refused',
    false,
    'UNAUTHORIZED',
    /Update OpenClaw/,
  ],
  [
    'device token revoked',
    refused('AUTH_DEVICE_TOKEN_MISMATCH', 'unauthorized: device token mismatch (rotate/reissue device token)'),
    'device-token-refused',
    false,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'device token with fewer rights',
    refused('AUTH_SCOPE_MISMATCH', 'unauthorized: device token scope mismatch (re-pair or approve scope upgrade)'),
    'device-token-refused',
    false,
    'UNAUTHORIZED',
    /updateGateway/,
  ],
  [
    'role of a revoked token',
    answer('NOT_PAIRED', 'role upgrade pending approval (requestId: req-2)', {
      details: { code: 'PAIRING_REQUIRED', reason: 'role-upgrade', requestId: 'req-2' },
    }),
    'pairing-required',
    false,
    'PAIRING_REQUIRED',
    /openclaw devices approve req-2$/,
  ],
  [
    'protocol mismatch of protocol 4',
    refused('PROTOCOL_MISMATCH', 'protocol mismatch', { expectedProtocol: 5 }),
    'protocol-mismatch',
    false,
    'INCOMPATIBLE',
    /Update this server/,
  ],
  [
    'protocol mismatch of protocol 3',
    answer('INVALID_REQUEST', 'protocol mismatch', { details: { expectedProtocol: 3 } }),
    'protocol-mismatch',
    false,
    'INCOMPATIBLE',
    /2026\.5\.9 or later/,
  ],
  [
    'starting',
    answer('UNAVAILABLE', 'gateway starting; retry shortly', {
      retryable: true,
      retryAfterMs: 500,
      details: { reason: 'startup-sidecars' },
    }),
    'starting',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'draining',
    answer('UNAVAILABLE', 'health unavailable during gateway restart', {
      retryable: true,
      retryAfterMs: 1000,
      details: { method: 'health', reason: 'gateway-restarting' },
    }),
    'draining',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'busy',
    answer('UNAVAILABLE', 'The server is busy. Please try again in a moment.', { retryable: true }),
    'busy',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'rate limited',
    answer('UNAVAILABLE', 'rate limit exceeded for config.patch; retry after 60s', {
      retryable: true,
      retryAfterMs: 59961,
    }),
    'rate-limited',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'session busy',
    answer('UNAVAILABLE', 'Session agent:x:main has another lifecycle mutation in progress; try again.'),
    'session-busy',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'superseded',
    answer(
      'UNAVAILABLE',
      'config.patch persisted but was not applied to the active Gateway (superseded); run config.get, then use config.apply',
    ),
    'superseded',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'stale hash',
    answer('INVALID_REQUEST', 'config changed since last load; re-run config.get and retry'),
    'stale-config',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'ownership',
    answer(
      'INVALID_REQUEST',
      'invalid config: agents.ownership: multi-agent rosters require agents.ownership="explicit"',
    ),
    'ownership',
    false,
    'UNREACHABLE',
    /openclaw\.json/,
  ],
  [
    'size drop',
    answer('UNAVAILABLE', 'Config write rejected: openclaw.json (size-drop:4690->1356). code=CONFIG_WRITE_REJECTED'),
    'size-drop',
    false,
    'UNREACHABLE',
    /by hand/,
  ],
  [
    'invalid config',
    answer('INVALID_REQUEST', 'invalid config: agents.entries.x.heartbeat.every: invalid duration (use ms, s, m, h)'),
    'invalid-config',
    false,
    'UNREACHABLE',
    /updateAgent/,
  ],
  [
    'file conflict',
    answer('INVALID_REQUEST', 'agent file "SOUL.md" changed since it was read', {
      details: { type: 'agent_file_conflict', name: 'SOUL.md' },
    }),
    'file-conflict',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'unsupported file',
    answer('INVALID_REQUEST', 'unsupported file "TOOLS.md"'),
    'unsupported-file',
    false,
    'UNREACHABLE',
    /Update OpenClaw/,
  ],
  [
    'missing scope',
    answer('FORBIDDEN', 'missing scope: operator.write', {
      details: { code: 'MISSING_SCOPE', missingScope: 'operator.write' },
    }),
    'missing-scope',
    false,
    'UNAUTHORIZED',
    /operator\.admin/,
  ],
  [
    'agent not found',
    answer('INVALID_REQUEST', 'agent "nope" not found'),
    'not-found',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'agent gone from the configuration',
    answer('INVALID_REQUEST', 'Agent "nope" no longer exists in configuration'),
    'not-found',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'session of no agent',
    answer('INVALID_REQUEST', 'unknown session key "agent:nope:main"'),
    'not-found',
    true,
    'UNREACHABLE',
    /by itself/,
  ],
  [
    'label in use',
    answer('INVALID_REQUEST', 'label already in use: DevOps Engineer 2'),
    'label-in-use',
    false,
    'UNREACHABLE',
    /another name/,
  ],
  [
    'message key used for another message',
    answer('INVALID_REQUEST', 'This message ID was already used for different input', {
      details: { reason: 'chat-request-conflict' },
    }),
    'message-conflict',
    false,
    'UNREACHABLE',
    /idempotency key/,
  ],
  [
    'unknown method',
    answer('INVALID_REQUEST', 'unknown method: x'),
    'unknown-method',
    false,
    'UNREACHABLE',
    /Update OpenClaw/,
  ],
  [
    'invalid params',
    answer('INVALID_REQUEST', "invalid agents.create params: at root: unexpected property 'heartbeat'"),
    'invalid-params',
    false,
    'UNREACHABLE',
    /Update/,
  ],
  [
    'unknown and passing by the gateway’s word',
    answer('WHATEVER', 'hm', { retryable: true }),
    'unavailable',
    true,
    'UNREACHABLE',
    /openclaw logs/,
  ],
  ['unknown refusal', answer('INVALID_REQUEST', 'something new'), 'rejected', false, 'UNREACHABLE', /openclaw logs/],
  ['anything else', 'a string', 'unreachable', true, 'UNREACHABLE', /network/],
];

describe('a failure becomes an error that says whether it passes and what to do', () => {
  test.each(rows)('%s', (_title, thrown, reason, retryable, connection, hint) => {
    const error = toGatewayError(thrown, { url });
    expect(error).toMatchObject({ name: 'GatewayError', reason, retryable, connection });
    expect(error.hint).toMatch(hint);
    expect(error.message).not.toBe('');
    expect(error.hint?.trim()).toMatch(/^[A-Z].*[^ ]$/);
  });
});

test('the gateway’s own code and its wish to wait are kept', () => {
  const limited = answer('UNAVAILABLE', 'rate limit exceeded for config.patch', { retryAfterMs: 59961 });
  expect(toGatewayError(limited)).toMatchObject({ gatewayCode: 'UNAVAILABLE', retryAfterMs: 59961, kind: 'rejected' });
  const pairing = answer('NOT_PAIRED', 'x', { details: { code: 'PAIRING_REQUIRED' } });
  expect(toGatewayError(pairing)).toMatchObject({ gatewayCode: 'PAIRING_REQUIRED', retryAfterMs: null });
  expect(toGatewayError(socketError('ECONNREFUSED'))).toMatchObject({ gatewayCode: null, kind: 'unavailable' });
});

test('an error that is one already stays as it is', () => {
  const error = toGatewayError(new Error('gateway not connected'));
  expect(toGatewayError(error)).toBe(error);
});

test('no secret gets into a message, and no address is shown with its query', () => {
  const secret = 's3cret-token-value';
  const thrown = answer('INVALID_REQUEST', `bad ${secret}, Bearer abc.def, wss://user:pw@host/?token=xyz`);
  const { message } = toGatewayError(thrown, { url, secrets: [secret] });
  for (const hidden of [secret, 'abc.def', 'pw', 'xyz']) expect(message).not.toContain(hidden);
  expect(toGatewayError(socketError('ECONNREFUSED'), { url }).message).toBe('Nothing listens at ws://10.1.2.3:18789.');
  expect(JSON.stringify({ ...toGatewayError(thrown) })).not.toContain(secret);
  expect(toGatewayError(answer('X', 'y'.repeat(5000))).message.length).toBeLessThanOrEqual(500);
});

test('callers ask for the answers that they handle themselves', () => {
  const error = (message: string, details: object = {}) =>
    toGatewayError(answer('INVALID_REQUEST', message, { details }));
  expect(isNotFound(error('agent "x" not found'))).toBe(true);
  expect(isStaleConfig(error('config changed since last load; re-run config.get and retry'))).toBe(true);
  expect(isLabelInUse(error('label already in use: X'))).toBe(true);
  expect(isUnsupportedFile(error('unsupported file "BOARD.md"'))).toBe(true);
  expect(isFileConflict(error('changed', { type: 'agent_file_conflict' }))).toBe(true);
  expect(isNotFound(error('label already in use: X'))).toBe(false);
  expect(isNotFound(new Error('agent "x" not found'))).toBe(false);
  expect(error('x')).toBeInstanceOf(GatewayError);
});
