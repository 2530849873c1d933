import { createHash, createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import type { Gateway } from './gateway.ts';
import { checkParams, text } from './params.ts';
import { type Dict, invalid, isDict, Refusal } from './wire.ts';

export interface DeviceClaim {
  id: string;
  publicKey: string;
  role: string;
  scopes: string[];
}

interface Pairing extends DeviceClaim {
  requestId: string;
  ts: number;
}

interface Paired extends DeviceClaim {
  token: string;
  approvedAtMs: number;
}

/** Devices (key pairs of clients) that asked to be let in from another host, and those an operator approved. */
export class Devices {
  readonly #gateway: Gateway;
  readonly #pending = new Map<string, Pairing>();
  readonly #paired = new Map<string, Paired>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  pending(): { requestId: string; deviceId: string; scopes: string[] }[] {
    return [...this.#pending.values()].map(({ requestId, id, scopes }) => ({ requestId, deviceId: id, scopes }));
  }

  find(deviceId: string): { token: string; scopes: string[] } | undefined {
    return this.#paired.get(deviceId);
  }

  /** Notes that an unknown device asks; asked again, it keeps its request id. */
  ask(claim: DeviceClaim): Refusal {
    const known = [...this.#pending.values()].find((pairing) => pairing.id === claim.id);
    const pairing = known ?? { ...claim, requestId: randomUUID(), ts: Date.now() };
    if (!known) {
      this.#pending.set(pairing.requestId, pairing);
      this.#gateway.broadcast('device.pair.requested', shown(pairing), 'admins');
    }
    return new Refusal({
      code: 'NOT_PAIRED',
      message: `device pairing required (requestId: ${pairing.requestId})`,
      details: {
        code: 'PAIRING_REQUIRED',
        reason: 'not-paired',
        requestId: pairing.requestId,
        remediationHint: 'Approve this device on the gateway, then reconnect.',
        deviceId: claim.id,
        requestedRole: claim.role,
        requestedScopes: claim.scopes,
      },
      retryable: false,
    });
  }

  /** Approves a request, or the oldest that waits. Returns the device's token. */
  approve(requestId = [...this.#pending.keys()][0]): string {
    const pairing = requestId === undefined ? undefined : this.#pending.get(requestId);
    if (!pairing) throw invalid('unknown requestId');
    this.#pending.delete(pairing.requestId);
    const token = randomBytes(32).toString('base64url');
    this.#paired.set(pairing.id, { ...pairing, token, approvedAtMs: Date.now() });
    this.#resolved(pairing, 'approved');
    return token;
  }

  listMethod(params: Dict): Dict {
    checkParams('device.pair.list', params, {});
    const paired = [...this.#paired.values()].map(({ token: _, ...device }) => ({ ...shown(device), ...device }));
    return { pending: [...this.#pending.values()].map(shown), paired };
  }

  approveMethod(params: Dict): Dict {
    checkParams('device.pair.approve', params, { required: ['requestId'] });
    const requestId = text('device.pair.approve', params, 'requestId');
    const pairing = this.#pending.get(requestId);
    this.approve(requestId);
    return { requestId, device: pairing ? shown(pairing) : {} };
  }

  rejectMethod(params: Dict): Dict {
    checkParams('device.pair.reject', params, { required: ['requestId'] });
    const requestId = text('device.pair.reject', params, 'requestId');
    const pairing = this.#pending.get(requestId);
    if (!pairing) throw invalid('unknown requestId');
    this.#pending.delete(requestId);
    this.#resolved(pairing, 'rejected');
    return { requestId, deviceId: pairing.id };
  }

  removeMethod(params: Dict): Dict {
    checkParams('device.pair.remove', params, { required: ['deviceId'] });
    const deviceId = text('device.pair.remove', params, 'deviceId');
    if (!this.#paired.delete(deviceId)) throw invalid('unknown deviceId');
    return { deviceId };
  }

  #resolved(pairing: Pairing, decision: string): void {
    const payload = { requestId: pairing.requestId, deviceId: pairing.id, decision, ts: Date.now() };
    this.#gateway.broadcast('device.pair.resolved', payload, 'admins');
  }
}

function shown(device: DeviceClaim & { requestId?: string; ts?: number }): Dict {
  const { id, publicKey, role, scopes, requestId, ts } = device;
  return { ...(requestId ? { requestId, ts } : {}), deviceId: id, publicKey, role, roles: [role], scopes };
}

/**
 * The device of a connect request, with its signature checked: Ed25519 over
 * `v3|device id|client id|mode|role|scopes|signed at|token|nonce|platform|device family`,
 * where the device id is the SHA-256 of the raw public key.
 */
export function readDevice(params: Dict, nonce: string): DeviceClaim | undefined {
  const { device, client, auth } = params;
  if (!isDict(device) || !isDict(client)) return undefined;
  const id = String(device.id);
  const publicKey = String(device.publicKey);
  const raw = Buffer.from(publicKey, 'base64url');
  if (createHash('sha256').update(raw).digest('hex') !== id) {
    throw invalid('device identity mismatch', { code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH' });
  }
  const role = String(params.role ?? 'operator');
  const scopes = Array.isArray(params.scopes) ? params.scopes.map(String) : [];
  const given = isDict(auth) ? (auth.token ?? auth.bootstrapToken ?? '') : '';
  const payload = [
    'v3',
    id,
    client.id,
    client.mode,
    role,
    scopes.join(','),
    device.signedAt,
    given,
    nonce,
    String(client.platform ?? '').toLowerCase(),
    String(client.deviceFamily ?? '').toLowerCase(),
  ].join('|');
  if (!isSigned(payload, publicKey, String(device.signature))) {
    throw invalid('device signature invalid', { code: 'DEVICE_AUTH_SIGNATURE_INVALID' });
  }
  return { id, publicKey, role, scopes };
}

function isSigned(payload: string, publicKey: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(payload), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
