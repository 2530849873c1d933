import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { productionPackages } from '../../deploy/production-packages.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const page = read('docs/dependencies.md');
const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
const packages = productionPackages();

/** All allow use in, and distribution with, a work under another licence, as long as their notices go with it. */
const COMPATIBLE = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'];

/** The rows of the page's table that has this head, as their cells. */
function table(head: string): string[][] {
  const [, rows = ''] = page.split(`| ${head} |`);
  return [...(rows.split('\n\n')[0] ?? '').matchAll(/^\| ([^-].*) \|$/gm)].map(([, row = '']) => row.split(' | '));
}

describe('the production dependencies', () => {
  it('are those of docs/dependencies.md, in the versions that it looked at', () => {
    const told = table('package').map(([name = '', version = '']) => [name.replaceAll('`', ''), version]);
    expect(Object.fromEntries(told)).toEqual(dependencies);
    expect(told).toHaveLength(Object.keys(dependencies).length);
  });

  it('each have a compatible licence, with all that they bring along', () => {
    const others = packages.filter(({ license }) => license === null || !COMPATIBLE.includes(license));
    expect(others.map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
  });

  it('say the same of their licence when they are installed as in package-lock.json', () => {
    for (const { path: folder, license, version } of packages)
      expect(JSON.parse(read(`${folder}/package.json`)), folder).toMatchObject({ license, version });
  });

  it('are listed in docs/dependencies.md by their licences', () => {
    const byLicence = Map.groupBy(packages, ({ license }) => license ?? '');
    const rows = [...byLicence]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([licence, these]) => {
        const names = [...new Set(these.map(({ name }) => name))].sort();
        return [licence, names.join(', ')];
      });
    expect(table('licence')).toEqual(rows);
  });

  it('are all in the bill of materials, and nothing else', async () => {
    const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], { cwd: ROOT, maxBuffer: 2 ** 26 });
    const bill = JSON.parse(stdout) as { bomFormat: string; components: { 'bom-ref': string; licenses: object[] }[] };
    expect(bill.bomFormat).toBe('CycloneDX');
    const wanted = new Set(packages.map(({ name, version }) => `${name}@${version}`));
    expect(bill.components.map((component) => component['bom-ref']).sort()).toEqual([...wanted].sort());
    for (const { licenses } of bill.components) expect(licenses).not.toEqual([]);
  });
});
