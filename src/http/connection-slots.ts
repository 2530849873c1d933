/** Connections that stay open, counted by the credential that they were opened with. */
export class ConnectionSlots {
  /** How many one credential may have. */
  readonly limit: number;
  readonly #taken = new Map<string, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** @returns what gives the place back, to be called once; null when there is none left */
  take(credential: string): (() => void) | null {
    const taken = this.#taken.get(credential) ?? 0;
    if (taken >= this.limit) return null;
    this.#taken.set(credential, taken + 1);
    return () => {
      const left = (this.#taken.get(credential) ?? 1) - 1;
      if (left > 0) this.#taken.set(credential, left);
      else this.#taken.delete(credential);
    };
  }
}
