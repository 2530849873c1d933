const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;

/**
 * How long to wait before the next try, in milliseconds: from 1 s, doubling, to 5 min, with a jitter of half of it so
 * that many agents do not come back at the same moment. Never less than what the gateway asked for.
 *
 * @param attempts how often it was tried so far, at least 1
 * @param random from 0 to 1
 */
export function backoffMs(attempts: number, retryAfterMs: number | null, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempts - 1));
  return Math.max(retryAfterMs ?? 0, full / 2 + (full / 2) * random);
}
