import pg from 'pg';
import type { Leases } from './leases.ts';

/** A holder that does not get an answer for this long gives up what it holds, before the server gives it away. */
const ANSWER_MS = 5_000;

/**
 * How PostgreSQL notices a holder whose machine is gone without a word: after 10 s. When a process ends, its machine
 * closes the connection, and its leases are free at once.
 */
const KEEPALIVE = 'SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3';

/** Leases as advisory locks of one session. */
export class PostgresLeases implements Leases {
  readonly #connectionString: string;
  readonly #held = new Set<string>();
  #client: pg.Client | null = null;
  #connecting: Promise<pg.Client> | null = null;
  #listener: () => void = () => undefined;

  constructor(connectionString: string) {
    this.#connectionString = connectionString;
  }

  onLost(listener: () => void): void {
    this.#listener = listener;
  }

  async acquire(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const client = await this.#connected();
    const free = keys.filter((key) => !this.#held.has(key));
    try {
      // Asked also when nothing is wanted: the answer says that what is held is held still.
      const { rows } = await client.query<{ key: string }>(
        `SELECT key FROM unnest($1::text[]) AS key WHERE pg_try_advisory_lock(hashtextextended('lease:' || key, 0))`,
        [free],
      );
      for (const { key } of rows) if (client === this.#client) this.#held.add(key);
    } catch (error) {
      this.#lose(client);
      throw error;
    }
    return new Set(keys.filter((key) => this.#held.has(key)));
  }

  async release(key: string): Promise<void> {
    if (!this.#held.delete(key)) return;
    await this.#client?.query(`SELECT pg_advisory_unlock(hashtextextended('lease:' || $1, 0))`, [key]);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    this.#held.clear();
    await client?.end();
  }

  /** One session for all who ask: the locks of a second one would be nobody's. */
  async #connected(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#connectionString,
      application_name: 'mission-control leases',
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
    });
    client.on('error', () => this.#lose(client));
    client.on('end', () => this.#lose(client));
    await client.connect();
    await client.query(KEEPALIVE);
    this.#client = client;
    return client;
  }

  #lose(client: pg.Client): void {
    if (client !== this.#client) return;
    this.#client = null;
    this.#held.clear();
    // What is left of it must not keep its locks.
    client.end().catch(() => undefined);
    this.#listener();
  }
}
