import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { type Authenticator, type SignedIn, tokenOf } from '../access/authenticate.ts';
import { hashToken } from '../access/tokens.ts';
import { clientAddress } from './client-address.ts';
import { tooManyRequests, unauthenticated } from './errors.ts';
import { RateLimit } from './rate-limit.ts';

export interface SignInLimits {
  /** Of one credential. 0: no limit. */
  requestsPerMinute: number;
  /** Of one address. 0: no limit. */
  failedSignInsPerMinute: number;
  /** Proxies before this server, whose X-Forwarded-For counts. */
  trustedProxies: number;
}

/** Who is asking. */
export interface Caller extends SignedIn {
  /** Tells credentials apart, and nothing else of them. */
  key: string;
}

const REMEMBERED_CREDENTIALS = 10_000;

/** Finds out who is asking, over HTTP and WebSocket alike, and stops who asks too often. */
export class SignIn {
  readonly #authenticator: Authenticator;
  readonly #trustedProxies: number;
  readonly #requests: RateLimit;
  readonly #failures: RateLimit;
  /** Credentials that were good when they were last used. */
  readonly #known = new LRUCache<string, true>({ max: REMEMBERED_CREDENTIALS });

  constructor(authenticator: Authenticator, limits: SignInLimits) {
    this.#authenticator = authenticator;
    this.#trustedProxies = limits.trustedProxies;
    this.#requests = new RateLimit(limits.requestsPerMinute);
    this.#failures = new RateLimit(limits.failedSignInsPerMinute);
  }

  /**
   * An address that has tried too many wrong tokens gets no further answer about tokens that are new here. Whoever is known
   * goes on: the agents of a gateway share its address, and one of them with an old token must not silence the others.
   *
   * @throws GraphQLError UNAUTHENTICATED or TOO_MANY_REQUESTS
   */
  async signIn(credentials: Parameters<typeof tokenOf>[0], request: IncomingMessage): Promise<Caller> {
    const token = tokenOf(credentials);
    if (token === null) throw unauthenticated();
    const key = hashToken(token);
    const address = clientAddress(request, this.#trustedProxies);
    const isKnown = this.#known.has(key);
    if (isKnown) this.count(key);
    else this.#checkFailures(address);
    const signedIn = await this.#authenticator.signIn(token, key);
    if (!signedIn) {
      this.#known.delete(key);
      this.#failures.take(address);
      throw unauthenticated();
    }
    this.#known.set(key, true);
    if (!isKnown) this.count(key);
    return { ...signedIn, key };
  }

  #checkFailures(address: string): void {
    const wait = this.#failures.wait(address);
    if (wait > 0) throw tooManyRequests('This address has sent too many wrong tokens.', wait);
  }

  /** Counts a request beside the one that signed in. @throws GraphQLError TOO_MANY_REQUESTS */
  count(key: string): void {
    const wait = this.#requests.take(key);
    if (wait > 0) throw tooManyRequests('This token has sent too many requests.', wait);
  }
}
