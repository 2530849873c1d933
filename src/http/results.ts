import type { ExecutionResult } from 'graphql';

/** What is to be known of results. */
export interface ResultsWatch {
  /** Once. */
  onEnd(): void;
  /** For each that is handed out. */
  onResult(): void;
}

/**
 * What a source gives, as results. An error of the source is the last result. Ending it ends the source at once, also while
 * it waits, which an async generator would not.
 */
export class Results<Value> implements AsyncGenerator<ExecutionResult> {
  readonly #source: AsyncIterator<Value>;
  readonly #resultOf: (value: Value) => ExecutionResult | Promise<ExecutionResult>;
  readonly #resultOfError: (error: unknown) => ExecutionResult;
  readonly #watch: ResultsWatch;
  #isOver = false;
  #last: ExecutionResult | null = null;

  constructor(
    source: AsyncIterator<Value>,
    resultOf: (value: Value) => ExecutionResult | Promise<ExecutionResult>,
    resultOfError: (error: unknown) => ExecutionResult,
    watch: ResultsWatch,
  ) {
    this.#source = source;
    this.#resultOf = resultOf;
    this.#resultOfError = resultOfError;
    this.#watch = watch;
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    try {
      const next = this.#isOver ? null : await this.#source.next();
      if (next && !next.done && !this.#isOver) {
        const value = await this.#resultOf(next.value);
        this.#watch.onResult();
        return { value, done: false };
      }
    } catch (error) {
      this.#last ??= this.#resultOfError(error);
    }
    await this.return();
    const last = this.#last;
    this.#last = null;
    return last ? { value: last, done: false } : { value: undefined, done: true };
  }

  /** Ends it, also for whoever waits for its next result, with this one. */
  async endWith(last: ExecutionResult): Promise<void> {
    if (!this.#isOver) this.#last = last;
    await this.return();
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    if (!this.#isOver) this.#watch.onEnd();
    this.#isOver = true;
    await this.#source.return?.();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
