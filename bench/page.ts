import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const PAGE = path.join(import.meta.dirname, '../docs/performance.md');

const HEAD = `# Performance

The latest results of each bench, with the machine that they were measured on. A target is kept where its row says “met”; where it
does not, there is work to do. Beside it are the medians of up to two runs before, the latest first, as far as there were such on
that machine. To repeat one, on a machine that does nothing else:

\`\`\`sh
npm run bench -- reads
\`\`\`

Without a name all are run, which takes about an hour and a half. Each starts what it needs: PostgreSQL of the system's programs on a temporary
folder, gateways that are simulated or, for provisioning, a real OpenClaw, and the servers that this one is compared with.
Contenders are measured in turns of some seconds, round by round, so that a machine that slows down slows all of them. What
is to be compared between machines are the ratios. \`npm run bench -- --short\` is what CI runs: fewer rounds, and it fails when
a ratio is under 0.7 of its target.

[scaling.md](scaling.md) tells what follows for large fleets.
`;

/** Puts the latest results into docs/performance.md, in place of older ones. @param folder where each bench has its Markdown */
export async function writePage(benches: readonly string[], folder: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const sections = new Map(
    page.split(/^(?=## )/m).map((section) => [/^## (.+)/.exec(section)?.[1], section.trimEnd()]),
  );
  for (const name of benches) {
    const result = await readFile(path.join(folder, `${name}.md`), 'utf8').catch(() => null);
    if (result !== null) sections.set(name, result.replace(/^# /, '## ').trimEnd());
  }
  const shown = benches.flatMap((name) => sections.get(name) ?? []);
  await writeFile(PAGE, `${[HEAD.trimEnd(), ...shown].join('\n\n')}\n`);
}
