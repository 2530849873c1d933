import { createLocalJWKSet, type JSONWebKeySet, type JWSHeaderParameters, errors as joseErrors } from 'jose';
import type { Log } from '../log.ts';

/** Between two requests for the keys, at least: tokens with made-up key ids must not become requests to the issuer. */
const COOLDOWN_MS = 10_000;
/** Keys that are older than this are asked for anew, beside the requests, so that one that was withdrawn goes. */
const FRESH_MS = 600_000;
/** For both requests together. A caller whose key is not known waits for this long at most. */
const TIMEOUT_MS = 3_000;

type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * The public keys of an issuer of JWTs, found by OpenID Connect Discovery. The ones that are known go on being used
 * while the issuer does not answer; a key that is not known makes them be asked for again.
 */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #log: Log;
  readonly #now: () => number;
  #keys: KeySet | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  #isAway = false;

  /** @param now milliseconds */
  constructor(issuer: string, log: Log, now: () => number) {
    this.#issuer = issuer;
    this.#log = log;
    this.#now = now;
  }

  /** The key that a token names. @throws JOSEError when there is none, or when it cannot be had now */
  async keyFor(header: JWSHeaderParameters): Promise<CryptoKey> {
    if (!this.#keys) await this.#ask();
    else if (this.#now() - this.#fetchedAt > FRESH_MS) void this.#ask();
    try {
      return await this.#known(header);
    } catch (error) {
      if (!(error instanceof joseErrors.JWKSNoMatchingKey)) throw error;
      await this.#ask();
      return this.#known(header);
    }
  }

  #known(header: JWSHeaderParameters): Promise<CryptoKey> {
    if (!this.#keys) throw new joseErrors.JWKSNoMatchingKey('The issuer’s keys are not known.');
    return this.#keys(header);
  }

  /** One request at a time for all who need it, and none within the cooldown. */
  #ask(): Promise<void> {
    if (this.#asking) return this.#asking;
    if (this.#now() - this.#askedAt < COOLDOWN_MS) return Promise.resolve();
    this.#askedAt = this.#now();
    this.#asking = this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    try {
      const keys = createLocalJWKSet(await fetchKeys(this.#issuer));
      this.#keys = keys;
      this.#fetchedAt = this.#now();
      if (this.#isAway) this.#log.info({ issuer: this.#issuer }, 'the identity provider answers again');
      this.#isAway = false;
    } catch (error) {
      // Once, however many want to sign in meanwhile.
      if (!this.#isAway)
        this.#log.warn(
          { err: error, issuer: this.#issuer },
          'cannot read the keys of OIDC_ISSUER; tries again when asked',
        );
      this.#isAway = true;
    }
  }
}

async function fetchKeys(issuer: string): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const discovery = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, signal);
  if (discovery.issuer !== issuer)
    throw new Error(`This issuer calls itself ${JSON.stringify(discovery.issuer)}. OIDC_ISSUER must be the same text.`);
  const { jwks_uri: uri } = discovery;
  // Plain http only where OIDC_ISSUER itself was allowed to have it.
  const origin = typeof uri === 'string' ? URL.parse(uri)?.origin : undefined;
  if (typeof uri !== 'string' || !(origin?.startsWith('https:') || origin === URL.parse(issuer)?.origin))
    throw new Error('The issuer’s jwks_uri must be an https URL.');
  const { keys } = await fetchJson(uri, signal);
  if (!Array.isArray(keys)) throw new Error('The issuer’s key set has no keys.');
  return { keys };
}

/** Redirects are not followed: they would lead away from where the operator has said that the keys are. */
async function fetchJson(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal, redirect: 'error', headers: { Accept: 'application/json' } });
  if (!response.ok) throw new Error(`${url} answered with the status ${response.status}.`);
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) throw new Error(`${url} did not answer with a JSON object.`);
  return { ...body };
}
