import type { DeviceIdentity } from './device.ts';
import type { GatewayError } from './errors.ts';
import type { RefusedState } from './failures/rule.ts';
import type { Hello } from './hello.ts';

/** A gateway and how to reach it. */
export interface GatewayTarget {
  id: string;
  /** ws:// or wss:// */
  url: string;
  token: string | null;
  /** SHA-256 of the gateway's certificate, in hex with or without colons. When set, the certificate need not be trusted otherwise. */
  tlsFingerprint: string | null;
  /** Accept any certificate. A fingerprint, when set, is checked all the same. */
  allowInsecureTls: boolean;
  /** Who this installation is. Null: the shared token alone, which gives no rights from another host. */
  device: DeviceIdentity | null;
  /** The token that this gateway gave to the device earlier; null when there is none. Used in place of the shared token. */
  deviceToken: string | null;
}

export type ConnectionState = 'UNKNOWN' | 'CONNECTING' | 'CONNECTED' | RefusedState;

/** A connection at one moment. Never changed in place. */
export interface ConnectionInfo {
  readonly state: ConnectionState;
  /** The facts of the gateway are kept, as last seen, while it is away. */
  readonly serverVersion: string | null;
  readonly protocolVersion: number | null;
  readonly bootId: string | null;
  readonly stateDir: string | null;
  readonly modelConfigured: boolean | null;
  /** Null when there is no connection. */
  readonly connectedAt: Date | null;
  readonly lastError: string | null;
  /** What the operator should do next, in one sentence; null when nothing is wrong. */
  readonly hint: string | null;
  /** Null while connected, while an attempt is under way, and when only a person can change something. */
  readonly nextAttemptAt: Date | null;
  /** Round trip of the latest probe, in milliseconds. */
  readonly latencyMs: number | null;
}

export const NEVER_CONNECTED: ConnectionInfo = {
  state: 'UNKNOWN',
  serverVersion: null,
  protocolVersion: null,
  bootId: null,
  stateDir: null,
  modelConfigured: null,
  connectedAt: null,
  lastError: null,
  hint: null,
  nextAttemptAt: null,
  latencyMs: null,
};

/** Accepted runs fail after some seconds on such a gateway, without any call to a model (measured on OpenClaw 2026.9.6). */
const NO_MODEL_HINT =
  'The gateway has no usable model, so its agents cannot run: on its machine run openclaw configure, or openclaw models set <model>.';

/** While it is being connected, on demand or for the first time. */
export function connecting(info: ConnectionInfo): ConnectionInfo {
  return { ...info, state: 'CONNECTING', connectedAt: null, nextAttemptAt: null, latencyMs: null };
}

export function connected(hello: Hello, at: Date): ConnectionInfo {
  return {
    ...NEVER_CONNECTED,
    state: 'CONNECTED',
    ...factsOf(hello),
    connectedAt: at,
    hint: hello.modelConfigured === false ? NO_MODEL_HINT : null,
  };
}

export function withModel(info: ConnectionInfo, modelConfigured: boolean): ConnectionInfo {
  return { ...info, modelConfigured, hint: modelConfigured ? null : NO_MODEL_HINT };
}

export function failed(info: ConnectionInfo, error: GatewayError, hello: Hello | null): ConnectionInfo {
  return {
    ...info,
    ...(hello ? factsOf(hello) : {}),
    state: error.connection,
    connectedAt: null,
    lastError: error.message,
    hint: error.hint,
    nextAttemptAt: null,
    latencyMs: null,
  };
}

function factsOf(hello: Hello) {
  return {
    serverVersion: hello.serverVersion,
    protocolVersion: hello.protocol,
    bootId: hello.bootId,
    stateDir: hello.stateDir,
    modelConfigured: hello.modelConfigured,
  };
}

/** Whether two infos say the same. */
export function sameInfo(a: ConnectionInfo, b: ConnectionInfo): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What of a target must not appear in a message. */
export function secretsOf({ token, deviceToken, device }: GatewayTarget): string[] {
  return [token, deviceToken, device?.privateKeyPem].filter((secret) => typeof secret === 'string');
}

/**
 * Whether a connection to one is good for the other. The device and its token are no difference: a connection has the newest
 * token itself, before anybody stores it.
 */
export function sameTarget(a: GatewayTarget, b: GatewayTarget): boolean {
  return (
    a.id === b.id &&
    a.url === b.url &&
    a.token === b.token &&
    a.tlsFingerprint === b.tlsFingerprint &&
    a.allowInsecureTls === b.allowInsecureTls
  );
}
