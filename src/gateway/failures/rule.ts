import type { Fault } from '../fault.ts';

/** Where a connection stands after a failure to connect. */
export type RefusedState = 'UNREACHABLE' | 'UNAUTHORIZED' | 'PAIRING_REQUIRED' | 'INCOMPATIBLE';

/** One way in which a gateway fails. The first rule that matches a fault says what it means. */
export interface Rule {
  reason: FailureReason;
  matches: (fault: Fault) => boolean;
  /** `unavailable`: it could not be reached or cannot serve now. `rejected`: it answered, and the answer is no. */
  kind: 'unavailable' | 'rejected';
  /** Passing (true): tried again by itself. Lasting (false): somebody has to change something. */
  retryable: boolean;
  /** What the operator does next, in one sentence; null when there is nothing to do. */
  hint: string | null | ((fault: Fault) => string | null);
  /** A sentence in place of the gateway's own message, where that one is empty or misleading. */
  message?: (fault: Fault) => string;
  /** How long to wait, in milliseconds, when the gateway does not say it. */
  retryAfterMs?: number;
  /** The state of a connection that fails so; `UNREACHABLE` when absent. */
  connection?: RefusedState;
}

export type FailureReason =
  // the connection itself
  | 'closed'
  | 'disconnected'
  | 'timed-out'
  | 'nothing-listens'
  | 'unknown-host'
  | 'unreachable'
  | 'silent'
  | 'sign-in-proxy'
  | 'not-a-gateway'
  | 'plaintext-refused'
  | 'invalid-url'
  | 'fingerprint-mismatch'
  | 'untrusted-certificate'
  | 'no-tls'
  // the handshake
  | 'token-refused'
  | 'token-missing'
  | 'token-not-configured'
  | 'password-wanted'
  | 'auth-rate-limited'
  | 'device-refused'
  | 'device-token-refused'
  | 'clock-skew'
  | 'sign-in-refused'
  | 'pairing-required'
  | 'no-rights'
  | 'protocol-mismatch'
  // answers to requests
  | 'starting'
  | 'draining'
  | 'busy'
  | 'rate-limited'
  | 'session-busy'
  | 'superseded'
  | 'stale-config'
  | 'ownership'
  | 'size-drop'
  | 'roster-drop'
  | 'invalid-config'
  | 'file-conflict'
  | 'unsupported-file'
  | 'unsafe-file'
  | 'missing-scope'
  | 'not-found'
  | 'already-exists'
  | 'half-deleted'
  | 'protected-agent'
  | 'label-in-use'
  | 'message-conflict'
  | 'unknown-method'
  | 'workspace-refused'
  | 'invalid-params'
  | 'unexpected-answer'
  // what no rule knows
  | 'unavailable'
  | 'rejected';

export const passing = { kind: 'unavailable', retryable: true } as const;
export const lasting = { kind: 'rejected', retryable: false } as const;
/** The gateway answered no, and the same request may succeed later. */
export const passingRefusal = { kind: 'rejected', retryable: true } as const;

export const WAIT_FOR_IT = 'Nothing to do: it is tried again by itself.';
export const SEE_LOG = "Read the gateway's log on its machine: openclaw logs --follow.";
export const SET_TOKEN =
  "Set the gateway's token with updateGateway; on its machine it is gateway.auth.token in openclaw.json.";
/** 2026.5.9 is the first release that speaks protocol 4, by other clients' issue trackers. */
export const UPDATE_OPENCLAW =
  "Update OpenClaw on the gateway's machine to 2026.5.9 or later, the first that speaks protocol 4.";
export const VERSIONS_DIFFER =
  'Update OpenClaw on the gateway, or this server: their versions do not understand each other.';

type Test = (fault: Fault) => boolean;
/** Node's code of a socket or TLS error, or the client's own. */
export const code =
  (...codes: string[]): Test =>
  (fault) =>
    fault.systemCode !== null && codes.includes(fault.systemCode);
/** `details.code` of the gateway's answer. */
export const detail =
  (...codes: string[]): Test =>
  (fault) =>
    fault.detailCode !== null && codes.includes(fault.detailCode);
/** `details.reason` or `details.type` of the gateway's answer. */
export const because =
  (...reasons: string[]): Test =>
  (fault) =>
    fault.detailReason !== null && reasons.includes(fault.detailReason);
/** The message, for the many answers that have nothing else. */
export const says =
  (pattern: RegExp): Test =>
  (fault) =>
    pattern.test(fault.message);
export const either =
  (...tests: Test[]): Test =>
  (fault) =>
    tests.some((test) => test(fault));
