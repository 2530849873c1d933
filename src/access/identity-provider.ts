import { createHash } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Role } from '../generated/prisma/client.ts';
import type { Log } from '../log.ts';
import { IssuerKeys } from './issuer-keys.ts';

/** Somebody whom the identity provider vouches for, as its token says. */
export interface Identity {
  organizationId: string;
  role: Role;
  /** The subject at the provider. */
  id: string;
  name: string;
  /** Tells this token from others; nothing that it could be used with. */
  credential: string;
  /** From then on the token is not taken any more. */
  expiresAt: Date;
}

/** How far clocks may be apart. */
const CLOCK_SKEW_S = 60;

/** Public keys only: with `none` and HS*, whoever knows the public key could sign. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

const ROLES: ReadonlySet<string> = new Set<Role>(['OWNER', 'ADMIN', 'MEMBER', 'VIEWER']);

/** Takes the JWTs of one OpenID Connect issuer. */
export class IdentityProvider {
  readonly #issuer: string;
  readonly #audience: string;
  readonly #keys: IssuerKeys;
  readonly #log: Log;
  readonly #now: () => number;

  /**
   * @param audience whom a token must be for: an issuer has tokens for many applications, and one for another of them must
   *   not open this one
   * @param now milliseconds
   */
  constructor(settings: { issuer: string; audience: string }, log: Log, now = Date.now) {
    this.#issuer = settings.issuer;
    this.#audience = settings.audience;
    this.#keys = new IssuerKeys(settings.issuer, log, now);
    this.#log = log;
    this.#now = now;
  }

  /** Who this token is for; null when it is no valid JWT of this issuer, whatever is wrong with it. */
  async identify(token: string): Promise<Identity | null> {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return null;
    try {
      const { payload } = await jwtVerify(token, (header) => this.#keys.keyFor(header), {
        issuer: this.#issuer,
        audience: this.#audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_SKEW_S,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#now()),
      });
      return identityOf(payload, token);
    } catch (error) {
      // What is wrong with a token, or that the keys cannot be had, which is in the log already. Anything else is wrong
      // with the issuer's key, for example that it is too short.
      if (!(error instanceof errors.JOSEError)) this.#log.warn({ err: error }, 'cannot verify a JWT');
      return null;
    }
  }
}

function identityOf(claims: JWTPayload, token: string): Identity | null {
  const { sub, exp, org, jti } = claims;
  const role = typeof claims.role === 'string' ? claims.role.toUpperCase() : '';
  if (typeof org !== 'string' || !isUuid(org) || !isRole(role)) return null;
  if (!sub || exp === undefined || sub !== plainLine(sub, LONGEST_SUBJECT)) return null;
  const name = [claims.name, claims.email, sub].map((text) => plainLine(text, LONGEST_NAME)).find(Boolean) ?? '';
  const mark =
    typeof jti === 'string' && /^[\w-]{8,}$/.test(jti) ? jti : createHash('sha256').update(token).digest('hex');
  return {
    organizationId: org,
    role,
    id: sub,
    name,
    credential: `jwt:${mark.slice(0, 8)}`,
    expiresAt: new Date(Math.min((exp + CLOCK_SKEW_S) * 1_000, LAST_INSTANT_MS)),
  };
}

const LAST_INSTANT_MS = 8.64e15;

/** OpenID Connect Core, section 2. */
const LONGEST_SUBJECT = 255;
const LONGEST_NAME = 80;

/** A text as one line without control characters, cut to its longest; empty when it is no text. */
function plainLine(text: unknown, longest: number): string {
  if (typeof text !== 'string') return '';
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.slice(0, longest).toWellFormed().trim();
}

function isRole(text: string): text is Role {
  return ROLES.has(text);
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
