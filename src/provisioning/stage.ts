/** How long those that are through wait while no other one comes through. */
const PATIENCE_MS = 15_000;

/**
 * A part of the work that some do side by side, and that nobody leaves before all are through. One that stalls keeps the others
 * waiting for so long only.
 */
export class Stage {
  readonly #over = Promise.withResolvers<void>();
  readonly #patienceMs: number;
  #left: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param size how many there are */
  constructor(size: number, patienceMs = PATIENCE_MS) {
    this.#left = size;
    this.#patienceMs = patienceMs;
  }

  /** Does one's part and waits for the others. One for whom it went wrong waits as well. @throws what `work` throws */
  async pass<Result>(work: Promise<Result> | Result): Promise<Result> {
    try {
      return await work;
    } finally {
      this.#left -= 1;
      clearTimeout(this.#timer);
      if (this.#left <= 0) this.#over.resolve();
      else this.#timer = setTimeout(() => this.#over.resolve(), this.#patienceMs);
      await this.#over.promise;
    }
  }
}
