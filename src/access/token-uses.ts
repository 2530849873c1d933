import type { Db } from '../db/database.ts';
import type { Log } from '../log.ts';

/** How exact lastUsedAt is. */
const EXACTNESS_MS = 60_000;
/** Uses of several tokens are written together. */
const GATHER_MS = 250;

/**
 * Keeps when operator tokens were last used: written beside the requests, never waited for by one, and at most once a
 * minute for each token.
 */
export class TokenUses {
  readonly #db: Db;
  readonly #log: Log;
  readonly #used = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(db: Db, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** @param lastUsedAt as the row had it when the token was looked up */
  note(tokenId: string, lastUsedAt: Date | null): void {
    if (lastUsedAt && Date.now() - lastUsedAt.getTime() < EXACTNESS_MS) return;
    this.#used.add(tokenId);
    this.#timer ??= setTimeout(() => this.#write(), GATHER_MS);
  }

  /** Writes what was noted; nothing is written from then on. */
  async stop(): Promise<void> {
    if (this.#timer) this.#write();
    await this.#writing;
  }

  #write(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const ids = [...this.#used];
    this.#used.clear();
    this.#writing = this.#writing.then(() => this.#store(ids));
  }

  async #store(ids: string[]): Promise<void> {
    try {
      // Another process may have been first.
      await this.#db.$executeRaw`
        UPDATE "ApiToken" SET "lastUsedAt" = now()
        WHERE id = ANY(${ids}::uuid[])
          AND ("lastUsedAt" IS NULL OR "lastUsedAt" < now() - ${EXACTNESS_MS} * interval '1 millisecond')`;
    } catch (error) {
      this.#log.warn({ err: error }, 'cannot keep when operator tokens were used; their next use tries again');
    }
  }
}
