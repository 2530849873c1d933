import {
  GatewayClient,
  type GatewayClientHostDeps,
  type GatewayClientOptions,
  type GatewayClientRequestOptions,
} from '@openclaw/gateway-client';
import type { EventFrame } from '@openclaw/gateway-protocol/frame-guards';
import { type GatewayTarget, secretsOf } from './connection-info.ts';
import { DEVICE_SIGNING } from './device.ts';
import { hideSecrets, toGatewayError } from './errors.ts';
import { type Hello, readHello } from './hello.ts';
import type { GatewayLog } from './log.ts';

/** What an attempt and then its socket report. */
export interface AttemptEvents {
  /** The gateway tells the device its token, a new one or the same again; before the attempt succeeds. */
  onDeviceToken: (token: string) => void;
  onEvent: (event: EventFrame) => void;
  /** Some events were lost; both numbers are the gateway's event counts. */
  onGap: (gap: { expected: number; received: number }) => void;
  /** Once, after the handshake, when the connection ends by itself. The error is a `GatewayError`. */
  onLost: (error: unknown) => void;
}

/** An accepted connection. */
export interface OpenSocket {
  readonly hello: Hello;
  request<T>(method: string, params: unknown, options: GatewayClientRequestOptions): Promise<T>;
  /** Closes; requests under way are rejected. Resolves within a second. */
  close(): Promise<void>;
}

/**
 * Connects once, with an official client of its own, and gives up at the first failure: waiting and trying again is the
 * connection's business, which knows more than the client does (the client waits up to 30 s after a restart, for ever after some
 * refusals, and notices a silent peer only after 15 s).
 *
 * Rejects with a `GatewayError`, at the latest after `timeoutMs`; or with `signal.reason` when aborted.
 */
export function openSocket(
  target: GatewayTarget,
  timeoutMs: number,
  events: AttemptEvents,
  log: GatewayLog,
  signal: AbortSignal,
): Promise<OpenSocket> {
  const secrets = secretsOf(target);
  const error = (thrown: unknown) => toGatewayError(thrown, { url: target.url, secrets });
  return new Promise((resolve, reject) => {
    let phase: 'handshake' | 'open' | 'over' = 'handshake';
    const end = () => {
      phase = 'over';
      clearTimeout(deadline);
      signal.removeEventListener('abort', aborted);
    };
    const giveUp = (reason: unknown) => {
      if (phase !== 'handshake') return;
      end();
      client.stop();
      reject(reason);
    };
    const aborted = () => giveUp(signal.reason);
    const deadline = setTimeout(() => giveUp(error(new Error('no answer to the handshake'))), timeoutMs);
    const client = new GatewayClient({
      ...optionsFor(target, log, secrets, (token) => {
        secrets.push(token);
        if (phase === 'handshake') events.onDeviceToken(token);
      }),
      onHelloOk: (frame) => {
        if (phase !== 'handshake') return;
        let hello: Hello;
        try {
          hello = readHello(frame);
        } catch {
          giveUp(error(new Error('invalid connect params: the hello of the gateway is not understood')));
          return;
        }
        end();
        phase = 'open';
        resolve({
          hello,
          request: (method, params, options) => client.request(method, params, options),
          close: () => {
            phase = 'over';
            return client.stopAndWait().catch(() => {}); // late by more than a second: the socket is terminated anyway
          },
        });
      },
      onConnectError: (thrown) => giveUp(error(thrown)),
      // Reported with this option; otherwise the client retries in silence while the gateway is starting.
      notifyOnStartupRetry: true,
      onClose: (code, reason, info) => {
        const closed = info?.connectError ?? new Error(`gateway closed (${code}): ${reason || 'no reason given'}`);
        if (phase === 'open') {
          end();
          client.stop();
          events.onLost(error(closed));
        } else giveUp(error(closed));
      },
      onEvent: (event) => {
        if (phase === 'open') events.onEvent(event);
      },
      onGap: events.onGap,
    });
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    else client.start();
  });
}

function optionsFor(
  target: GatewayTarget,
  log: GatewayLog,
  secrets: readonly string[],
  onDeviceToken: (token: string) => void,
): GatewayClientOptions {
  const hide = (message: string) => hideSecrets(message, secrets);
  const hostDeps: GatewayClientHostDeps = {
    redactForLog: hide,
    logDebug: (message) => log.debug({ gatewayId: target.id }, message),
    // What the client calls an error is reported by the connection, once and in a sentence.
    logError: (message) => log.debug({ gatewayId: target.id }, message),
  };
  return {
    url: target.url,
    clientDisplayName: 'Mission Control',
    // 3 as well, so that an old gateway says hello and is known by it; 4..4 is refused without a reason there.
    minProtocol: 3,
    maxProtocol: 4,
    ...signIn(target, hostDeps, onDeviceToken),
    ...tlsOptions(target, hostDeps),
    hostDeps,
  };
}

/**
 * With the device's token when there is one, else with the shared one. Only one of them is given: the client puts the shared token
 * first and tries the other only after a refusal, which the gateway counts (ten lock this address out for 5 minutes; measured on
 * OpenClaw 2026.9.6).
 */
function signIn(
  { token, device, deviceToken }: GatewayTarget,
  hostDeps: GatewayClientHostDeps,
  onDeviceToken: (token: string) => void,
): Pick<GatewayClientOptions, 'token' | 'deviceIdentity'> {
  const shared = token === null ? {} : { token };
  if (device === null) return { ...shared, deviceIdentity: null };
  Object.assign(hostDeps, DEVICE_SIGNING);
  hostDeps.storeDeviceAuthToken = (issued) => onDeviceToken(issued.token);
  if (deviceToken === null) return { ...shared, deviceIdentity: device };
  hostDeps.loadDeviceAuthToken = () => ({ token: deviceToken });
  return { deviceIdentity: device };
}

/**
 * The client verifies certificates unless it is given a fingerprint, and has no option to accept any. What does that is a
 * fingerprint together with a reading of fingerprints under which all are equal.
 */
function tlsOptions(
  target: GatewayTarget,
  hostDeps: GatewayClientHostDeps,
): Pick<GatewayClientOptions, 'tlsFingerprint'> {
  if (target.tlsFingerprint !== null) return { tlsFingerprint: target.tlsFingerprint };
  if (!target.allowInsecureTls || !target.url.startsWith('wss:')) return {};
  hostDeps.normalizeTlsFingerprint = () => 'any';
  return { tlsFingerprint: '0'.repeat(64) };
}
