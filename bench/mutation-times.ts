import { type Measurement, median } from './bench.ts';
import { MUTATIONS, type Mutation, type Sample } from './mutation-load.ts';
import { STATES, type State } from './troubled-gateways.ts';

// What is made of the times that mutations took.

const PERCENTILES = [50, 99] as const;
type Percentile = (typeof PERCENTILES)[number];
export const OTHER_STATES = STATES.filter((state) => state !== 'up');
type Samples = Sample<State>[];

/** How long the mutations for a gateway take as a multiple of those for the one that is up. */
export const ratioName = (percentile: Percentile, state: State) => `p${percentile}, ${state} / up`;

/**
 * First the ratios of all mutations together, then each mutation: its time at the gateway that is up, and the ratios.
 * @param short there are too few samples for the p99 of one mutation, so it is left out
 */
export function measurementsOf(rounds: Samples[], short: boolean): Measurement[] {
  const of = (name: string, unit: Measurement['unit'], measure: (samples: Samples) => number): Measurement => ({
    name,
    unit,
    samples: rounds.map(measure),
  });
  return [
    ...PERCENTILES.flatMap((percentile) =>
      OTHER_STATES.map((state) =>
        of(ratioName(percentile, state), 'x', (samples) => ratioOfAll(samples, percentile, state)),
      ),
    ),
    ...MUTATIONS.flatMap((mutation) =>
      PERCENTILES.filter((percentile) => percentile === 50 || !short).flatMap((percentile) => {
        const time = (samples: Samples, state: State) => percentileOf(timesOf(samples, state, mutation), percentile);
        return [
          of(`${mutation}, p${percentile}, up`, 'ms', (samples) => time(samples, 'up')),
          ...OTHER_STATES.map((state) =>
            of(`${mutation}, ${ratioName(percentile, state)}`, 'x', (samples) => {
              return time(samples, state) / time(samples, 'up');
            }),
          ),
        ];
      }),
    ),
  ];
}

/**
 * For the median, the geometric mean of the ratios of all mutations. The slowest hundredth of one mutation is a handful of
 * samples, so for the p99 the mutations are taken together, each time as a multiple of its mutation's median.
 */
function ratioOfAll(samples: Samples, percentile: Percentile, state: State): number {
  if (percentile === 50) {
    const medians = (of: State) => MUTATIONS.map((mutation) => median(timesOf(samples, of, mutation)));
    return geometricMean(medians(state)) / geometricMean(medians('up'));
  }
  const multiples = (of: State) =>
    MUTATIONS.flatMap((mutation) => {
      const usual = median(timesOf(samples, 'up', mutation));
      return timesOf(samples, of, mutation).map((ms) => ms / usual);
    });
  return percentileOf(multiples(state), percentile) / percentileOf(multiples('up'), percentile);
}

function timesOf(samples: Samples, state: State, mutation: Mutation): number[] {
  return samples.filter((sample) => sample.key === state && sample.mutation === mutation).map(({ ms }) => ms);
}

function geometricMean(values: number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function percentileOf(values: number[], percentile: Percentile): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((percentile / 100) * sorted.length) - 1] ?? Number.NaN;
}
