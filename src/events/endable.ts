/**
 * An async generator that can be ended while it waits. By itself one comes to its end only with what it waits for.
 * @param interrupt ends what the generator waits for
 */
export function endable<T>(generator: AsyncGenerator<T>, interrupt: () => unknown): AsyncGenerator<T> {
  const end = generator.return.bind(generator);
  generator.return = async (value) => {
    await interrupt();
    return end(value);
  };
  return generator;
}
