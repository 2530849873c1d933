import { createPublicKey } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityProvider } from '../../src/access/identity-provider.ts';
import { createLog, type Log } from '../../src/log.ts';
import { AUDIENCE, Issuer } from '../support/issuer.ts';

const ORG = '01a202fc-6f9f-7729-b922-3bca6cdad021';

let issuer: Issuer;
let now: number;
let warnings: unknown[];
let provider: IdentityProvider;

function start(settings = { issuer: issuer.url, audience: AUDIENCE }): IdentityProvider {
  return new IdentityProvider(settings, recordingLog(), () => now);
}

/** The real log, silent, whose warnings are counted. */
function recordingLog(): Log {
  const log = createLog('silent');
  log.warn = (details: unknown) => {
    warnings.push(details);
  };
  return log;
}

beforeEach(async () => {
  issuer = await Issuer.start();
  now = Date.now();
  warnings = [];
  provider = start();
});
afterEach(() => issuer.stop());

const good = (change: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  issuer.token({ org: ORG, ...change }, header);
const seconds = (fromNow: number) => Math.floor(now / 1_000) + fromNow;

describe('a JWT of the issuer', () => {
  it('says who somebody is', async () => {
    const token = await good({
      name: 'Ada Lovelace',
      email: 'ada@example.com',
      jti: 'abcdefgh-and-more',
      role: 'Owner',
    });
    expect(await provider.identify(token)).toEqual({
      organizationId: ORG,
      role: 'OWNER',
      id: 'user-1',
      name: 'Ada Lovelace',
      credential: 'jwt:abcdefgh',
      expiresAt: new Date((seconds(3_600) + 60) * 1_000),
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['the e-mail address without a name', { email: 'ada@example.com' }, 'ada@example.com'],
    ['the subject without either', {}, 'user-1'],
    ['one line of several', { name: 'Ada\nLovelace\u0000' }, 'Ada Lovelace'],
    ['at most 80 characters', { name: 'x'.repeat(200) }, 'x'.repeat(80)],
    ['no half of a character', { name: `${'x'.repeat(79)}😀` }, `${'x'.repeat(79)}\ufffd`],
    ['the subject for a name that is no text', { name: 7, email: ['a'] }, 'user-1'],
  ])('names them: %s', async (_title, claims, name) => {
    expect(await provider.identify(await good(claims))).toMatchObject({ name });
  });

  it('is told from others by its hash when it has no usable id', async () => {
    for (const jti of [undefined, 'short', 'with spaces in it'])
      expect((await provider.identify(await good({ jti })))?.credential).toMatch(/^jwt:[0-9a-f]{8}$/);
  });

  it.each(['RS256', 'PS256', 'ES384', 'EdDSA'])('may be signed with %s', async (alg) => {
    await issuer.rotate('other', alg);
    expect(await provider.identify(await good())).not.toBeNull();
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['an audience among several', () => ({ aud: ['other', AUDIENCE] })],
    ['expired within the clock skew', () => ({ exp: seconds(-50) })],
    ['valid from a moment within the clock skew', () => ({ nbf: seconds(50) })],
    ['a role in lower case', () => ({ role: 'viewer' })],
  ])('is taken: %s', async (_title, claims) => {
    expect(await provider.identify(await good(claims()))).not.toBeNull();
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['another issuer', () => ({ iss: 'https://login.example.com' })],
    ['the issuer with a slash behind it', () => ({ iss: `${issuer.url}/` })],
    ['no issuer', () => ({ iss: undefined })],
    ['another audience', () => ({ aud: 'another-application' })],
    ['no audience', () => ({ aud: undefined })],
    ['expired', () => ({ exp: seconds(-70) })],
    ['no expiry', () => ({ exp: undefined })],
    ['an expiry that is no number', () => ({ exp: 'never' })],
    ['not valid yet', () => ({ nbf: seconds(70) })],
    ['no subject', () => ({ sub: undefined })],
    ['an empty subject', () => ({ sub: '' })],
    ['a subject with control characters', () => ({ sub: 'user\u00001' })],
    ['a subject that is too long', () => ({ sub: 'x'.repeat(256) })],
    ['no organization', () => ({ org: undefined })],
    ['an organization that is no id', () => ({ org: 'acme' })],
    ['no role', () => ({ role: undefined })],
    ['an unknown role', () => ({ role: 'ROOT' })],
    ['a role that is no text', () => ({ role: ['OWNER'] })],
  ])('is not taken: %s', async (_title, claims) => {
    expect(await provider.identify(await good(claims()))).toBeNull();
    expect(warnings).toEqual([]);
  });
});

describe('a forged JWT', () => {
  it('without a signature is not taken', async () => {
    expect(await provider.identify(new UnsecuredJWT(issuer.claims({ org: ORG })).encode())).toBeNull();
    const [, payload] = (await good()).split('.');
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await provider.identify(`${header}.${payload}.AAAA`)).toBeNull();
    expect(issuer.asked).toEqual([]);
  });

  it('signed with the public key as an HS256 secret is not taken', async () => {
    await issuer.rotate('rsa', 'RS256');
    const { publicKey } = issuer.key.pair;
    const pem = await exportSPKI(publicKey);
    const jwk = createPublicKey({ key: { ...(await exportJWK(publicKey)) }, format: 'jwk' });
    for (const secret of [pem, jwk.export({ type: 'pkcs1', format: 'pem' }).toString()])
      for (const kid of ['rsa', undefined]) {
        const forged = new SignJWT(issuer.claims({ org: ORG })).setProtectedHeader({
          alg: 'HS256',
          ...(kid && { kid }),
        });
        expect(await provider.identify(await forged.sign(Buffer.from(secret)))).toBeNull();
      }
  });

  it('signed with another key under the issuer’s key id, or with a key of its own in its header, is not taken', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    for (const header of [{ kid: 'first' }, { jwk }, { kid: 'own', jwk, jku: `${issuer.url}/keys`, x5u: issuer.url }]) {
      const forged = new SignJWT(issuer.claims({ org: ORG })).setProtectedHeader({ alg: 'ES256', ...header });
      expect(await provider.identify(await forged.sign(privateKey))).toBeNull();
    }
  });

  it('that was changed after it was signed, or is cut off, or is none at all, is not taken', async () => {
    const token = await good();
    const [header, , signature] = token.split('.');
    const payload = Buffer.from(JSON.stringify(issuer.claims({ org: ORG, role: 'OWNER' }))).toString('base64url');
    for (const wrong of [`${header}.${payload}.${signature}`, token.slice(0, -4), 'a.b.c', 'mco_x', '', `${token}.x`])
      expect(await provider.identify(wrong)).toBeNull();
    expect(warnings).toEqual([]);
  });
});

describe('the issuer’s keys', () => {
  it('are asked for once, whoever signs in, and again when a token names a new one', async () => {
    const tokens = await Promise.all([0, 1, 2, 3].map(() => good()));
    const identities = await Promise.all(tokens.map((token) => provider.identify(token)));
    expect(identities).not.toContain(null);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);

    const old = await good();
    await issuer.rotate('second');
    now += 11_000;
    expect(await provider.identify(await good())).not.toBeNull();
    expect(issuer.asked).toHaveLength(4);
    // The key that the issuer has withdrawn is gone with that.
    expect(await provider.identify(old)).toBeNull();
  });

  it('are asked for once in ten seconds at most, however many tokens name keys that there are not', async () => {
    expect(await provider.identify(await good())).not.toBeNull();
    const unknown = await Promise.all(Array.from({ length: 20 }, (_, index) => good({}, { kid: `made-up-${index}` })));
    for (const token of unknown) expect(await provider.identify(token)).toBeNull();
    expect(issuer.asked).toHaveLength(2);
    now += 11_000;
    await Promise.all(unknown.map((token) => provider.identify(token)));
    expect(issuer.asked).toHaveLength(4);
    expect(warnings).toEqual([]);
  });

  it('are asked for anew after ten minutes, beside the requests', async () => {
    const token = await good();
    await provider.identify(token);
    await issuer.rotate('second');
    now += 601_000;
    expect(await provider.identify(token)).not.toBeNull();
    await expect.poll(() => issuer.asked.length).toBe(4);
    await expect.poll(() => provider.identify(token)).toBeNull();
  });

  it.each(['error', 'silence'] as const)(
    'go on being used while the issuer is away (%s), which is logged once',
    async (trouble) => {
      const token = await good();
      await provider.identify(token);
      issuer.trouble = trouble;
      now += 601_000;
      const started = performance.now();
      expect(await provider.identify(token)).not.toBeNull();
      expect(performance.now() - started).toBeLessThan(2_000);
      // One whose key is not known has to wait, and not for long.
      const unknown = await good({}, { kid: 'new' });
      expect(await provider.identify(unknown)).toBeNull();
      expect(performance.now() - started).toBeLessThan(6_000);
      now += 11_000;
      await provider.identify(unknown);
      expect(warnings).toHaveLength(1);
      issuer.trouble = null;
      now += 11_000;
      await issuer.rotate('new');
      expect(await provider.identify(await good())).not.toBeNull();
    },
  );

  it('are had by nobody while the issuer has never answered, and one request is made in ten seconds', async () => {
    issuer.trouble = 'error';
    const token = await good();
    for (let index = 0; index < 5; index++) expect(await provider.identify(token)).toBeNull();
    expect(issuer.asked).toHaveLength(1);
    issuer.trouble = null;
    now += 11_000;
    expect(await provider.identify(token)).not.toBeNull();
  });

  it.each<[string, Record<string, unknown>]>([
    ['calls itself something else', { issuer: 'https://login.example.com' }],
    ['has its keys where anybody can change them on the way', { jwks_uri: 'http://keys.example.com/' }],
    ['has no place for its keys', { jwks_uri: undefined }],
  ])('are not taken of an issuer that %s', async (_title, configuration) => {
    issuer.configuration = configuration;
    expect(await provider.identify(await good())).toBeNull();
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration']);
    expect(warnings).toHaveLength(1);
  });
});
