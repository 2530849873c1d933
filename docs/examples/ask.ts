type Answer<Data> = { data?: Data | null; errors?: { message: string; extensions?: { code?: string } }[] };

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks, and asks again as long as nobody has answered.
 * @param url for example http://127.0.0.1:8000/graphql
 * @param isRepeatable false for a mutation that must not be done twice: then it is sent again only when it was surely not done
 * @throws why there was no answer, after `patienceMs`; at once when it may not be sent again
 */
export async function ask<Data>(
  url: string,
  token: string,
  request: { query: string; variables?: Record<string, unknown> },
  { isRepeatable = true, patienceMs = 60_000 } = {},
): Promise<Answer<Data>> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify(request);
  const deadline = Date.now() + patienceMs;
  for (let longestPause = 200; ; longestPause = Math.min(2 * longestPause, 5_000)) {
    let problem: unknown;
    let mayHaveBeenDone = true;
    let pause = longestPause * (0.5 + Math.random() / 2);
    try {
      const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) });
      if (![429, 502, 503, 504].includes(response.status)) return (await response.json()) as Answer<Data>;
      problem = new Error(`The server answered with ${response.status}.`);
      const retryAfter = response.headers.get('Retry-After'); // The server has it, a proxy does not.
      pause = Math.max(pause, 1_000 * Number(retryAfter ?? 0));
      mayHaveBeenDone = retryAfter === null;
    } catch (error) {
      problem = error; // Refused, reset, or broken before the whole answer was there.
    }
    if ((mayHaveBeenDone && !isRepeatable) || Date.now() + pause > deadline) throw problem;
    await sleep(pause);
  }
}
