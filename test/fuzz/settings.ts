import { randomInt } from 'node:crypto';
import { numberIn } from '../support/number-in.ts';

/** What the fuzzing is told by the environment. */
export interface Settings {
  /** FUZZ_SEED: the same seed makes the same requests, but for the ids in them. @default a random one */
  seed: number;
  /** FUZZ_SECONDS: how long requests are made. @default 120 */
  seconds: number;
}

export function readSettings(env: Record<string, string | undefined>): Settings {
  return {
    seed: numberIn(env, 'FUZZ_SEED') ?? randomInt(1_000_000_000),
    seconds: numberIn(env, 'FUZZ_SECONDS') ?? 120,
  };
}
