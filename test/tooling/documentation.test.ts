import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SETTING_NAMES } from '../../src/config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const pages = ['README.md', 'examples/README.md', ...globSync('docs/*.md', { cwd: ROOT })];

/** Names on docs/deployment.md that look like settings, and are Compose's or a client's. */
const OTHERS = ['POSTGRES_PASSWORD', 'LISTEN'];

describe('the settings', () => {
  it('are all in the README', () => {
    const readme = read('README.md');
    for (const name of SETTING_NAMES) expect(readme).toContain(`\`${name}\``);
  });

  it.each(['docs/deployment.md', 'deploy/mission-control@.service'])('that %s names exist', (file) => {
    const named = [...read(file).matchAll(/(?:`|\b)([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?=[`=])/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect([...SETTING_NAMES, ...OTHERS]).toContain(name);
  });
});

describe.each(pages)('the links of %s', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(([, a, b]) => a ?? b ?? '');

  it('lead to files, and to headings that they have', () => {
    for (const link of links.filter((link) => !/^(https?|mailto):/.test(link))) {
      const [file = '', heading] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      expect(existsSync(path.join(ROOT, target)), link).toBe(true);
      if (heading !== undefined) expect(headingsOf(target), link).toContain(heading);
    }
  });
});

it('each image of the documentation is shown, and small', () => {
  const all = pages.map(read).join('');
  for (const image of globSync('docs/images/*', { cwd: ROOT })) {
    expect(all).toContain(path.basename(image));
    expect(readFileSync(path.join(ROOT, image)).length).toBeLessThan(250_000);
  }
});

/** As GitHub makes anchors of them. */
function headingsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
