import type { Log } from '../log.ts';
import type { Authenticator, SignedIn } from './authenticate.ts';
import { rightsOf } from './visibility.ts';

/** Why somebody who had signed in is that no longer. */
export type EndOfAccess = 'Token revoked' | 'Token expired' | 'Rights changed';

/** How long a connection may outlive its credential, at most, plus the time that the database takes. */
const LOOK_MS = 1_000;

/**
 * The credentials of this process's open connections and streams. All of them are looked at again every second,
 * together; nothing is asked while nobody is connected.
 */
export class LiveCredentials {
  readonly #authenticator: Authenticator;
  readonly #log: Log;
  readonly #followed = new Map<SignedIn, (why: EndOfAccess) => void>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;

  constructor(authenticator: Authenticator, log: Log) {
    this.#authenticator = authenticator;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#followed.size === 0) return;
      this.#looking ??= this.#look().finally(() => {
        this.#looking = null;
      });
    }, LOOK_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#followed.clear();
    await this.#looking;
  }

  /** How many are followed. */
  get size(): number {
    return this.#followed.size;
  }

  /**
   * Follows somebody who stays: their viewer is kept as it is now, and `end` is called once when their credential is not
   * good any more, or lets them do or see other things than before.
   * @returns what ends the following
   */
  follow(signedIn: SignedIn, end: (why: EndOfAccess) => void): () => void {
    this.#followed.set(signedIn, end);
    return () => this.#followed.delete(signedIn);
  }

  /** Looks at one of them now. @returns null when they may go on */
  async endOf(signedIn: SignedIn): Promise<EndOfAccess | null> {
    return judge(signedIn, (await this.#authenticator.lookAgain([signedIn])).get(signedIn));
  }

  async #look(): Promise<void> {
    try {
      const followed = [...this.#followed];
      const now = await this.#authenticator.lookAgain(followed.map(([signedIn]) => signedIn));
      for (const [signedIn, end] of followed) {
        const why = judge(signedIn, now.get(signedIn));
        if (why !== null && this.#followed.delete(signedIn)) end(why);
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'cannot look at the credentials of open connections; tries again');
    }
  }
}

/** @param now how it is now; undefined when its credential is gone */
function judge(signedIn: SignedIn, now: SignedIn | undefined): EndOfAccess | null {
  if (!now) return 'Token revoked';
  const { expiresAt } = now.credential;
  if (expiresAt !== null && expiresAt <= new Date()) return 'Token expired';
  if (rightsOf(now.viewer) !== rightsOf(signedIn.viewer)) return 'Rights changed';
  // A name may have changed.
  signedIn.viewer = now.viewer;
  return null;
}
