import { createHash, createPublicKey, verify } from 'node:crypto';
import { type Dict, invalid, isDict } from './wire.ts';

/** What a client says of its device when it connects. */
export interface DeviceClaim {
  id: string;
  publicKey: string;
  role: string;
  scopes: string[];
  /** Of the client that uses it. */
  platform: string;
  clientId: string;
  clientMode: string;
  /** The host that it comes from; null for loopback. */
  remoteIp: string | null;
}

/**
 * The device of a connect request, with its signature checked: Ed25519 over
 * `v3|device id|client id|mode|role|scopes|signed at|token|nonce|platform|device family`,
 * where the device id is the SHA-256 of the raw public key.
 */
export function readDevice(params: Dict, nonce: string, remoteIp: string | null): DeviceClaim | undefined {
  const { device, client, auth } = params;
  if (!isDict(device) || !isDict(client)) return undefined;
  const id = String(device.id);
  const publicKey = String(device.publicKey);
  const raw = Buffer.from(publicKey, 'base64url');
  if (createHash('sha256').update(raw).digest('hex') !== id) {
    throw invalid('device identity mismatch', {
      code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH',
      reason: 'device-id-mismatch',
    });
  }
  const role = String(params.role ?? 'operator');
  const scopes = Array.isArray(params.scopes) ? params.scopes.map(String) : [];
  const platform = String(client.platform ?? '');
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
    platform.toLowerCase(),
    String(client.deviceFamily ?? '').toLowerCase(),
  ].join('|');
  if (!isSigned(payload, publicKey, String(device.signature))) {
    throw invalid('device signature invalid', { code: 'DEVICE_AUTH_SIGNATURE_INVALID', reason: 'device-signature' });
  }
  const { id: clientId, mode } = client;
  return { id, publicKey, role, scopes, platform, clientId: String(clientId), clientMode: String(mode), remoteIp };
}

function isSigned(payload: string, publicKey: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(payload), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
