import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

/** An OpenID Connect issuer on loopback, as far as a server that takes its tokens can tell. */
export class Issuer {
  readonly url: string;
  /** What it was asked, by path. */
  readonly asked: string[] = [];
  /** What it does instead of answering: refuse with an error, or not answer at all. */
  trouble: 'error' | 'silence' | null = null;
  /** What its configuration says, beside what it needs. */
  configuration: Record<string, unknown> = {};
  #keys: { kid: string; alg: string; pair: GenerateKeyPairResult }[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      this.asked.push(request.url ?? '');
      if (this.trouble === 'silence') return;
      if (this.trouble === 'error') return response.writeHead(500).end();
      this.#bodyOf(request.url ?? '').then(
        (body) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body)),
        (error: Error) => response.destroy(error),
      );
    });
  }

  static async start(): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new Issuer(server);
    await issuer.rotate('first');
    return issuer;
  }

  /** From then on it signs with a new key and publishes that one alone. */
  async rotate(kid: string, alg = 'ES256'): Promise<void> {
    this.#keys = [{ kid, alg, pair: await generateKeyPair(alg, { extractable: true }) }];
  }

  get key() {
    const [key] = this.#keys;
    if (!key) throw new Error('This issuer has no key.');
    return key;
  }

  /** Claims that are good, for an hour, with these beside or instead of them; undefined leaves one out. */
  claims(change: Record<string, unknown> = {}): JWTPayload {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: this.url,
      aud: AUDIENCE,
      sub: 'user-1',
      iat: now,
      exp: now + 3_600,
      role: 'ADMIN',
      ...change,
    };
    return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  }

  token(change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const { alg, kid, pair } = this.key;
    return new SignJWT(this.claims(change)).setProtectedHeader({ alg, kid, ...header }).sign(pair.privateKey);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #bodyOf(path: string): Promise<object> {
    if (path === '/.well-known/openid-configuration')
      return { issuer: this.url, jwks_uri: `${this.url}/keys`, ...this.configuration };
    const publicKeys = this.#keys.map(async ({ kid, alg, pair }) => ({
      ...(await exportJWK(pair.publicKey)),
      kid,
      alg,
      use: 'sig',
    }));
    return { keys: await Promise.all(publicKeys) };
  }
}

export const AUDIENCE = 'mission-control';
