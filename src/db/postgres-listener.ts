import pg from 'pg';

interface Listener {
  onPayload: (payload: string) => void;
  onGap: () => void;
}

/** How often the connection is tried: a network that drops it without a word would otherwise be noticed after minutes. */
const TRY_EVERY_MS = 5_000;
/** One that does not answer for this long is given up. */
const ANSWER_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** One connection that LISTENs on any number of channels, and comes back by itself when it is lost. */
export class PostgresListener {
  readonly #connectionString: string;
  readonly #listeners = new Map<string, Set<Listener>>();
  #client: Promise<pg.Client> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(connectionString: string) {
    this.#connectionString = connectionString;
  }

  /** See Database.listen. */
  async listen(
    channel: string,
    onPayload: Listener['onPayload'],
    onGap: Listener['onGap'],
  ): Promise<() => Promise<void>> {
    const listener = { onPayload, onGap };
    const others = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, others.add(listener));
    this.#client ??= this.#connect();
    await (await this.#client).query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    return async () => {
      others.delete(listener);
      if (others.size > 0 || this.#client === null) return;
      this.#listeners.delete(channel);
      // A connection that is lost, or does not answer, tells nothing any more.
      await this.#client
        .then((client) => client.query(`UNLISTEN ${pg.escapeIdentifier(channel)}`))
        .catch(() => undefined);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = null;
    if (client) await (await client).end();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#connectionString,
      application_name: 'mission-control listener',
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
    });
    client.on('notification', ({ channel, payload }) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener.onPayload(payload ?? '');
    });
    // An error that nobody listens to would end the process; one of connecting is told by connect() itself.
    client.on('error', () => undefined);
    await client.connect();
    const tries = setInterval(() => {
      // Ended while it waits for an answer, it is broken off.
      client.query('SELECT').catch(() => client.end().catch(() => undefined));
    }, TRY_EVERY_MS);
    client.once('end', () => {
      clearInterval(tries);
      this.#reconnect(FIRST_RETRY_MS);
    });
    return client;
  }

  #reconnect(delayMs: number): void {
    if (this.#closed || this.#retry) return;
    this.#client = null;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#restore().catch(() => this.#reconnect(Math.min(delayMs * 2, LONGEST_RETRY_MS)));
    }, delayMs);
  }

  async #restore(): Promise<void> {
    const client = await this.#connect();
    try {
      for (const channel of this.#listeners.keys()) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    this.#client = Promise.resolve(client);
    if (this.#closed) await this.close();
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener.onGap();
  }
}
