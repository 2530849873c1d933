/** Asks again and again until the answer is so. Fails with the last answer when it is not within the deadline. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  isSo: (answer: T) => boolean,
  timeoutMs = 15_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`It did not become so within ${timeoutMs} ms: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
