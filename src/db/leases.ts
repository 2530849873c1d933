/**
 * Who does the work of something, over all processes: at most one of them holds the lease of a key. It is free again as
 * soon as its holder ends or loses the database.
 */
export interface Leases {
  /**
   * Takes those that are free. @returns all of these keys that this process holds now
   * @throws when the database does not answer; then nothing is held any more
   */
  acquire(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Gives one up. */
  release(key: string): Promise<void>;
  /** Calls back when everything that was held has been lost with the connection. One listener. */
  onLost(listener: () => void): void;
  close(): Promise<void>;
}

/** For the embedded database, which no other process can open. */
export const EMBEDDED_LEASES: Leases = {
  acquire: async (keys) => new Set(keys),
  release: async () => undefined,
  onLost: () => undefined,
  close: async () => undefined,
};
