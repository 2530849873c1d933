import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { GatewayClientHostDeps } from '@openclaw/gateway-client';

/**
 * Who this installation is to gateways: an Ed25519 key pair. A gateway that is reached from another host gives rights to a device
 * that was approved there and none to the shared token alone (measured on OpenClaw 2026.9.6).
 */
export interface DeviceIdentity {
  /** SHA-256 of the raw public key of 32 bytes, in hex; a gateway computes it again and refuses another. */
  readonly deviceId: string;
  /** SPKI */
  readonly publicKeyPem: string;
  /** PKCS8; a secret */
  readonly privateKeyPem: string;
}

/** A new private key, as PEM (PKCS8). One per installation: every gateway that approved it knows this server by it. */
export function newDeviceKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The identity that belongs to a private key. Throws when it is no Ed25519 key in PEM; the message does not hold the key. */
export function deviceOf(privateKeyPem: string): DeviceIdentity {
  const privateKey = createPrivateKey(privateKeyPem);
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new TypeError(`A device signs with an Ed25519 key, not with ${privateKey.asymmetricKeyType}.`);
  }
  const publicKey = createPublicKey(privateKey);
  return {
    deviceId: createHash('sha256')
      .update(Buffer.from(rawOf(publicKey), 'base64url'))
      .digest('hex'),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKeyPem,
  };
}

/**
 * What the official client leaves to its host: without these two it fails with "dependency is not configured" as soon as it has a
 * device (`DEFAULT_HOST_DEPS` in `@openclaw/gateway-client` 2026.9.1). The client composes what is signed.
 */
export const DEVICE_SIGNING = {
  signDevicePayload: (privateKeyPem, payload) =>
    sign(null, Buffer.from(payload), createPrivateKey(privateKeyPem)).toString('base64url'),
  publicKeyRawBase64UrlFromPem: (publicKeyPem) => rawOf(createPublicKey(publicKeyPem)),
} satisfies GatewayClientHostDeps;

/** The raw public key in base64url. A JWK has it as `x` (RFC 8037), and OpenClaw's wire as `device.publicKey`. */
function rawOf(publicKey: KeyObject): string {
  const { x } = publicKey.export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('A device has an Ed25519 key.');
  return x;
}
