import { cpus, totalmem } from 'node:os';

// What a bench is, and what is made of its numbers.

export interface Bench {
  name: string;
  /** What is measured, in a sentence or two. */
  about: string;
  targets: Target[];
  run(options: RunOptions): Promise<Measurement[]>;
}

/** The measurement is named; its median counts. */
export type Target = { measurement: string } & ({ atMost: number } | { atLeast: number });

export interface RunOptions {
  /** A form for CI: fewer rounds, and nothing large that has to be installed. */
  short: boolean;
  /** Tells somebody who waits how far it is. */
  progress: (text: string) => void;
}

export interface Measurement {
  name: string;
  unit: 'ms' | 's' | 'x' | '';
  /** One per round, in their order. */
  samples: number[];
}

export type Verdict = Target & {
  median: number;
  /** How many times better than the target it is: under 1 misses it. */
  ratio: number;
};

export interface Result {
  bench: string;
  short: boolean;
  at: string;
  machine: { cpu: string; cores: number; memoryGb: number; node: string };
  measurements: (Measurement & { median: number; min: number; max: number })[];
  verdicts: Verdict[];
  /** Of the runs before this one on this machine, the latest first. */
  earlier: { at: string; verdicts: Verdict[] }[];
}

/** This run and those before it that are kept: whether a target is met is not for chance to say. */
const RUNS = 3;

/** @param before the result of the run before this one */
export function resultOf(
  bench: Bench,
  short: boolean,
  measurements: Measurement[],
  at: Date,
  before: Result | null,
): Result {
  const [cpu] = cpus();
  return {
    bench: bench.name,
    short,
    at: at.toISOString(),
    machine: {
      cpu: cpu?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    measurements: measurements.map((one) => ({
      ...one,
      median: median(one.samples),
      min: Math.min(...one.samples),
      max: Math.max(...one.samples),
    })),
    verdicts: bench.targets.flatMap((target) => verdictOf(target, measurements)),
    earlier: before ? [{ at: before.at, verdicts: before.verdicts }, ...before.earlier].slice(0, RUNS - 1) : [],
  };
}

function verdictOf(target: Target, measurements: Measurement[]): Verdict[] {
  const measurement = measurements.find(({ name }) => name === target.measurement);
  if (!measurement) return [];
  const value = median(measurement.samples);
  return [{ ...target, median: value, ratio: 'atMost' in target ? target.atMost / value : value / target.atLeast }];
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that this part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

/** As a Markdown page: the machine, the measurements and how they compare with the targets. */
export function markdownOf(bench: Bench, { machine, measurements, verdicts, at, short, earlier }: Result): string {
  const { cpu, cores, memoryGb, node } = machine;
  const rows = measurements.map(({ name, unit, samples, ...stats }) => {
    const shown = [stats.median, stats.min, stats.max].map((value) => shownAs(value, unit));
    return [name, ...shown, String(samples.length)];
  });
  const compared = verdicts.map((verdict) => {
    const { measurement, median: value, ratio } = verdict;
    const unit = measurements.find(({ name }) => name === measurement)?.unit ?? '';
    const asked =
      'atMost' in verdict ? `at most ${shownAs(verdict.atMost, unit)}` : `at least ${shownAs(verdict.atLeast, unit)}`;
    const before = earlier.flatMap((run) => {
      const then = run.verdicts.find((each) => each.measurement === measurement);
      return then ? [shownAs(then.median, unit)] : [];
    });
    const cells = [measurement, asked, shownAs(value, unit), ratio.toFixed(2), ratio >= 1 ? 'met' : 'missed'];
    return [...cells, before.join(', ')];
  });
  return [
    `# ${bench.name}`,
    bench.about,
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; ${at.slice(0, 10)}${short ? '; short form' : ''}`,
    tableOf(['measurement', 'median', 'min', 'max', 'rounds'], rows),
    ...(compared.length > 0
      ? [tableOf(['target', 'asked for', 'median', 'times as good', '', 'runs before'], compared)]
      : []),
  ]
    .join('\n\n')
    .concat('\n');
}

function tableOf(titles: string[], rows: string[][]): string {
  const widths = titles.map((title, column) =>
    Math.max(title.length, 3, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(titles), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function shownAs(value: number, unit: Measurement['unit']): string {
  const digits = unit === 'ms' || (unit === '' && Number.isInteger(value)) ? 0 : 2;
  const number = value.toFixed(digits);
  if (unit === 'x') return `${number}x`;
  return unit === '' ? number : `${number} ${unit}`;
}
