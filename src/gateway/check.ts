import * as net from 'node:net';
import * as tls from 'node:tls';
import { readConfig } from './config.ts';
import { GatewayConnection, type GatewayTarget, type Hello } from './connection.ts';
import { type GatewayError, toGatewayError } from './errors.ts';
import { SEE_LOG } from './failures/rule.ts';
import { isReady } from './readiness.ts';
import { plaintextProblem } from './url.ts';

/** What is looked at, in this order. */
export type CheckName = 'url' | 'reachable' | 'tls' | 'ready' | 'handshake' | 'signIn' | 'rights' | 'version' | 'model';

/** What one look at a gateway has found. */
export interface GatewayCheck {
  name: CheckName;
  /** `warning`: it can be worked with all the same. */
  outcome: 'ok' | 'warning' | 'failed';
  /** One sentence. Holds no secret. */
  message: string;
  /** What to do, in a sentence; null when there is nothing to do. */
  hint: string | null;
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Looks at a gateway step by step, from its URL to its model, up to the first step that fails. Each step takes at most
 * `timeoutMs`. A device that the gateway does not know asks there to be approved; nothing else is changed. Never rejects.
 */
export async function checkGateway(target: GatewayTarget, timeoutMs: number): Promise<GatewayCheck[]> {
  const checks: GatewayCheck[] = [];
  const steps = [checkUrl, checkReachable, checkTls, checkReady, checkConnection];
  for (const step of steps) {
    try {
      checks.push(...(await step(target, timeoutMs)));
    } catch (thrown) {
      checks.push(failureOf(step.checks, toGatewayError(thrown, { url: target.url, secrets: [target.token ?? ''] })));
      return checks;
    }
    if (checks.some(({ outcome }) => outcome === 'failed')) return checks;
  }
  return checks;
}

const ok = (name: CheckName, message: string): GatewayCheck => ({ name, outcome: 'ok', message, hint: null });

/** Of a handshake that failed, the step that it failed at. */
function failureOf(name: CheckName, { connection, reason, message, hint }: GatewayError): GatewayCheck {
  const failed = { outcome: 'failed', message, hint } as const;
  if (reason === 'no-rights') return { name: 'rights', ...failed };
  if (connection === 'UNAUTHORIZED' || connection === 'PAIRING_REQUIRED') return { name: 'signIn', ...failed };
  return { name, ...failed };
}

async function checkUrl({ url }: GatewayTarget): Promise<GatewayCheck[]> {
  const problem = plaintextProblem(url);
  if (problem !== null) return [{ name: 'url', outcome: 'failed', message: problem, hint: null }];
  return [ok('url', `${new URL(url).protocol}//${new URL(url).host} is an address that a token may be sent to.`)];
}
checkUrl.checks = 'url' as const;

/** Where a URL leads; wss:// has port 443 unless it says another, ws:// 80. */
function addressOf(url: string): { host: string; port: number; secure: boolean } {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'wss:' || protocol === 'https:';
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (secure ? 443 : 80), secure };
}

async function checkReachable({ url }: GatewayTarget, timeoutMs: number): Promise<GatewayCheck[]> {
  const { host, port } = addressOf(url);
  const started = performance.now();
  await opened(net.connect({ host, port }), 'connect', timeoutMs);
  return [ok('reachable', `Something listens there (${Math.round(performance.now() - started)} ms).`)];
}
checkReachable.checks = 'reachable' as const;

/** Waits for the socket's event, and ends it. */
async function opened(socket: net.Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      socket.once('error', reject);
      socket.setTimeout(timeoutMs, () => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    });
  } finally {
    socket.destroy();
  }
}

/** Looks at the certificate as the connection will, and tells the fingerprint that one has to give for it. */
async function checkTls(target: GatewayTarget, timeoutMs: number): Promise<GatewayCheck[]> {
  const { host, port, secure } = addressOf(target.url);
  if (!secure) return [];
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = tls.connect({ host, port, ...servername, rejectUnauthorized: false });
  let fingerprint = '';
  let refusal: Error | null = null;
  socket.once('secureConnect', () => {
    fingerprint = socket.getPeerCertificate().fingerprint256;
    refusal = socket.authorized ? null : socket.authorizationError;
  });
  await opened(socket, 'secureConnect', timeoutMs);
  const shown = `The SHA-256 of its certificate is ${fingerprint}.`;
  if (target.tlsFingerprint !== null) {
    if (plain(target.tlsFingerprint) !== plain(fingerprint)) throw new Error('gateway tls fingerprint mismatch');
    return [ok('tls', 'Its certificate is the one with the given fingerprint.')];
  }
  if (refusal === null) return [ok('tls', 'Its certificate is trusted.')];
  if (target.allowInsecureTls)
    return [
      { name: 'tls', outcome: 'warning', message: `Its certificate is not trusted, but allowed. ${shown}`, hint: null },
    ];
  // Node has the code as the error itself in some versions, and as its code in others.
  const { message, hint } = toGatewayError({ message: String(refusal), code: codeOf(refusal) }, { url: target.url });
  return [{ name: 'tls', outcome: 'failed', message: `${message} ${shown}`, hint }];
}
checkTls.checks = 'tls' as const;

const plain = (fingerprint: string) => fingerprint.replaceAll(':', '').toLowerCase();

function codeOf(refusal: unknown): string {
  return refusal instanceof Error && 'code' in refusal ? String(refusal.code) : String(refusal);
}

async function checkReady({ url }: GatewayTarget, timeoutMs: number): Promise<GatewayCheck[]> {
  if (await isReady(url, AbortSignal.timeout(timeoutMs))) return [ok('ready', 'GET /readyz says that it is ready.')];
  const message = 'GET /readyz does not say that it is ready: it is starting, or what listens there is no gateway.';
  return [{ name: 'ready', outcome: 'warning', message, hint: SEE_LOG }];
}
checkReady.checks = 'ready' as const;

async function checkConnection(target: GatewayTarget, timeoutMs: number): Promise<GatewayCheck[]> {
  const connection = new GatewayConnection({
    target,
    log: SILENT,
    onInfo() {},
    onEvent() {},
    connectTimeoutMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
  });
  try {
    const hello = await connection.ready();
    const { latencyMs, modelConfigured, hint } = await connection.probe();
    const { modelPrimary } = await readConfig(connection);
    return [
      ...acceptedBy(hello, target),
      ok('version', `OpenClaw ${hello.serverVersion ?? 'of an unknown version'}, round trip ${latencyMs} ms.`),
      modelConfigured === false
        ? { name: 'model', outcome: 'failed', message: 'No model is configured.', hint }
        : ok('model', modelPrimary === null ? 'A model is configured.' : `Its model is ${modelPrimary}.`),
    ];
  } finally {
    await connection.close();
  }
}
checkConnection.checks = 'handshake' as const;

function acceptedBy({ protocol, scopes }: Hello, { device }: GatewayTarget): GatewayCheck[] {
  return [
    ok('handshake', `It speaks protocol ${protocol}.`),
    ok('signIn', device === null ? 'It takes the token.' : 'It takes the token, and knows this device.'),
    ok('rights', `It gives the rights ${scopes?.join(', ') ?? 'of an operator'}.`),
  ];
}
