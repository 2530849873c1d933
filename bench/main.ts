import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Bench, markdownOf, type Result, resultOf } from './bench.ts';
import * as gateways from './gateways.ts';
import * as growth from './growth.ts';
import * as heartbeats from './heartbeats.ts';
import * as live from './live.ts';
import * as mutations from './mutations.ts';
import * as oneAgent from './one-agent.ts';
import { writePage } from './page.ts';
import * as provisioning from './provisioning.ts';
import * as reads from './reads.ts';
import * as soak from './soak.ts';
import * as start from './start.ts';

// npm run bench [-- NAME …] [-- --short]: runs the benches, or those named, and prints how they compare with their
// targets. The full form keeps the results in bench/results; the short form, for CI, exits 1 when one is under its floor.

const BENCHES: Bench[] = [start, oneAgent, provisioning, mutations, live, reads, heartbeats, gateways, growth, soak];
/** Machines of CI are slow and shared: a target counts as kept down to this part of it. */
const FLOOR = 0.7;
const RESULTS = path.join(import.meta.dirname, 'results');

const { names, short } = argumentsOrExit();
// All that the benches make is in here, and goes with it, also when they are broken off.
const folder = mkdtempSync(path.join(tmpdir(), 'mission-control-bench-'));
// PostgreSQL does not run as root, and its own user has to come through.
chmodSync(folder, 0o711);
process.env.TMPDIR = folder;
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
let isBad = false;
for (const bench of BENCHES) {
  if (names.length > 0 && !names.includes(bench.name)) continue;
  const started = performance.now();
  const progress = (text: string) => process.stderr.write(`${bench.name}: ${text}\n`);
  const measurements = await bench.run({ short, progress });
  // It has no short form.
  if (measurements.length === 0) continue;
  progress(`took ${Math.round((performance.now() - started) / 1_000)} s`);
  const result = resultOf(bench, short, measurements, new Date(), short ? null : await latestOf(bench));
  const markdown = markdownOf(bench, result);
  process.stdout.write(`${markdown}\n`);
  for (const { measurement, ratio } of short ? result.verdicts : []) {
    if (ratio >= FLOOR) continue;
    process.stdout.write(`${measurement}: ${ratio.toFixed(2)} of its target, under the floor of ${FLOOR}\n`);
    isBad = true;
  }
  if (short) continue;
  await mkdir(RESULTS, { recursive: true });
  await writeFile(resultFile(bench), `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(path.join(RESULTS, `${bench.name}.md`), markdown);
  await writePage(
    BENCHES.map(({ name }) => name),
    RESULTS,
  );
}
process.exit(isBad ? 1 : 0);

function resultFile({ name }: Bench): string {
  return path.join(RESULTS, `${name}.json`);
}

/** Of the latest run in full; null when there was none. */
async function latestOf(bench: Bench): Promise<Result | null> {
  return existsSync(resultFile(bench)) ? JSON.parse(await readFile(resultFile(bench), 'utf8')) : null;
}

function argumentsOrExit(): { names: string[]; short: boolean } {
  const known = BENCHES.map(({ name }) => name);
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean' } } });
    const unknown = positionals.find((name) => !known.includes(name));
    if (unknown === undefined) return { names: positionals, short: values.short ?? false };
    process.stderr.write(`There is no bench "${unknown}". There are: ${known.join(', ')}\n`);
  } catch (error) {
    const [problem] = String(error instanceof Error ? error.message : error).split('. ');
    process.stderr.write(`${problem}. Usage: npm run bench [-- NAME …] [-- --short]\n`);
  }
  process.exit(2);
}
