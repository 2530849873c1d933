import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecretBox } from '../../src/db/secrets.ts';

describe('a secret box', () => {
  const [key, other] = [randomBytes(32), randomBytes(32)];
  const box = createSecretBox([key]);

  it('opens what it sealed, and seals the same text differently each time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const sealed = box.seal(text);
        return box.open(sealed) === text && box.seal(text) !== sealed && (text.length < 4 || !sealed.includes(text));
      }),
    );
  });

  it('opens what another key of it sealed, and seals with the first', () => {
    const old = box.seal('hush');
    const rotated = createSecretBox([other, key]);
    expect(rotated.open(old)).toBe('hush');
    expect(rotated.seal('hush').split('.')[1]).toBe(createSecretBox([other]).seal('hush').split('.')[1]);
  });

  it('says which key is missing, and neither the text nor any key', () => {
    const sealed = box.seal('hush');
    const [, id] = sealed.split('.');
    expect(() => createSecretBox([other]).open(sealed)).toThrow(
      `A stored secret was encrypted with the key ${id}, which is not in SECRET_KEY. Add that key to it.`,
    );
    expect(key.toString('base64url')).not.toContain(id);
  });

  it('refuses what was tampered with, at any place', () => {
    const sealed = box.seal('a gateway token');
    const [version, id, nonce = '', body = ''] = sealed.split('.');
    fc.assert(
      fc.property(fc.constantFrom('nonce', 'body'), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, at, change) => {
        const parts = { nonce: Buffer.from(nonce, 'base64url'), body: Buffer.from(body, 'base64url') };
        const bytes = parts[part as 'nonce' | 'body'];
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ change;
        const tampered = [version, id, parts.nonce.toString('base64url'), parts.body.toString('base64url')].join('.');
        expect(() => box.open(tampered)).toThrow();
      }),
    );
  });

  it.each(['', 'plain text', 'v2.x.y.z', `v1.${'x'.repeat(8)}`])('refuses what it did not seal: %j', (text) => {
    expect(() => box.open(text)).toThrow();
  });

  it('takes no shortened tag', () => {
    const [version, id, nonce, body = ''] = box.seal('').split('.');
    const short = Buffer.from(body, 'base64url').subarray(0, 4).toString('base64url');
    expect(() => box.open([version, id, nonce, short].join('.'))).toThrow();
  });
});
