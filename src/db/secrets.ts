import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** 32 bytes each: the first encrypts, all decrypt. */
export type SecretKeys = readonly [Buffer, ...Buffer[]];

/** Encrypts secrets for the database and decrypts them again. */
export interface SecretBox {
  /** @returns `v1.<key id>.<nonce>.<ciphertext and tag>`, the parts in base64url */
  seal(plaintext: string): string;
  /** @throws when the text was sealed with a key that is not among the given ones, or was tampered with */
  open(sealed: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM with a random nonce. */
export function createSecretBox(keys: SecretKeys): SecretBox {
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  const [current] = keys;
  return {
    seal(plaintext) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current, nonce);
      const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return ['v1', keyId(current), nonce.toString('base64url'), sealed.toString('base64url')].join('.');
    },
    open(sealed) {
      const [version, id = '', nonce = '', body = ''] = sealed.split('.');
      const key = byId.get(id);
      if (version !== 'v1' || !key)
        throw new Error(
          `A stored secret was encrypted with the key ${id}, which is not in SECRET_KEY. Add that key to it.`,
        );
      const bytes = Buffer.from(body, 'base64url');
      // Without the length a forger could shorten the tag to 32 bits.
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

/** Names a key without telling anything about it. */
export function keyId(key: Buffer): string {
  return createHash('sha256').update('mission-control key id').update(key).digest('base64url').slice(0, 8);
}
