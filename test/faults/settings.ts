import { randomInt } from 'node:crypto';
import { numberIn } from '../support/number-in.ts';

/** What the fault suite is told by the environment. */
export interface Settings {
  /** FAULTS_SEED: the same seed makes the same choices. @default a random one */
  seed: number;
  /** FAULTS_SECONDS: no round begins later than this. @default 300 */
  seconds: number;
  /** FAULTS_ROUNDS: the most rounds. @default no limit */
  rounds: number;
  /** FAULTS_GATEWAY. @default "simulator" */
  gateway: 'simulator' | 'openclaw';
}

export function readSettings(env: Record<string, string | undefined>): Settings {
  const gateway = env.FAULTS_GATEWAY ?? 'simulator';
  if (gateway !== 'simulator' && gateway !== 'openclaw')
    throw new Error(`FAULTS_GATEWAY is simulator or openclaw, not ${gateway}`);
  return {
    seed: numberIn(env, 'FAULTS_SEED') ?? randomInt(1_000_000_000),
    seconds: numberIn(env, 'FAULTS_SECONDS') ?? 300,
    rounds: numberIn(env, 'FAULTS_ROUNDS') ?? Number.POSITIVE_INFINITY,
    gateway,
  };
}
