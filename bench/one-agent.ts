import type { Measurement, RunOptions, Target } from './bench.ts';
import { ABOUT_CONTENDERS, CONTENDERS, type Contest, hold, nameOf } from './provisioning-contest.ts';
import { onRealGateway } from './provisioning-gateway.ts';

const CONTEST: Contest = {
  counts: [1],
  rounds: 3,
  // A gateway takes twice as long for what it does for the first time.
  times: { before: 3, measured: 5 },
  contenders: () => CONTENDERS,
  onGateway: onRealGateway,
};

export const name = 'one-agent';
export const about =
  'One agent created through the API until it is SUCCEEDED, on a real OpenClaw with a model that answers at once and that has ' +
  `set up ${CONTEST.times.before} others, one after another; then ${CONTEST.times.measured} are measured like that. ` +
  ABOUT_CONTENDERS;

export const targets: Target[] = [
  { measurement: nameOf(1, 'older workflow / ours'), atLeast: 2.5 },
  { measurement: nameOf(1, 'ours / bare script'), atMost: 1.25 },
  { measurement: nameOf(1, 'config.patch calls, ours'), atMost: 3 },
];

/** Without a short form: what takes the time is the gateway. */
export async function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  return short ? [] : hold(CONTEST, progress);
}
