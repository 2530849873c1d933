import type { Measurement, RunOptions, Target } from './bench.ts';
import { ABOUT_CONTENDERS, CONTENDERS, type Contender, type Contest, hold, nameOf } from './provisioning-contest.ts';
import { onRealGateway, onSimulatedGateway } from './provisioning-gateway.ts';

const FLOOR: readonly Contender[] = ['ours', 'bare script'];

const FULL: Contest = {
  counts: [10, 50, 100],
  rounds: 3,
  times: { before: 0, measured: 1 },
  // The older workflow takes its whole time to fail at most of them.
  contenders: (_, round) => (round === 1 ? CONTENDERS : FLOOR),
  onGateway: onRealGateway,
};
const SHORT: Contest = { ...FULL, counts: [20], rounds: 1, contenders: () => FLOOR, onGateway: onSimulatedGateway };

export const name = 'provisioning';
export const about =
  `${FULL.counts.join(', ')} agents created at once through the API until all are SUCCEEDED, on a real OpenClaw with a model ` +
  `that answers at once. ${ABOUT_CONTENDERS} The short form is on the simulator, behind a proxy that lets each request wait for ` +
  'the one before as long as that keeps a real gateway busy.';

export const targets: Target[] = [
  { measurement: nameOf(50, 'succeeded, ours'), atLeast: 50 },
  ...[...FULL.counts, ...SHORT.counts].flatMap((count): Target[] => [
    { measurement: nameOf(count, 'ours / bare script'), atMost: 1.25 },
    { measurement: nameOf(count, 'config.patch calls, ours'), atMost: 3 },
  ]),
];

export function run({ short, progress }: RunOptions): Promise<Measurement[]> {
  return hold(short ? SHORT : FULL, progress);
}
