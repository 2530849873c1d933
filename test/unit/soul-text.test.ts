import fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { describe, expect, test } from 'vitest';
import { soulsIn } from '../../src/provisioning/souls/sitemap.ts';
import { fenced, soulTextOf } from '../../src/provisioning/souls/text.ts';
import { SAMPLE_TOKEN } from '../support/agents.ts';
import { sitemapOf } from '../support/soul-directory.ts';

describe('a sitemap', () => {
  test('lists pages of souls among others, each once', () => {
    const addresses = [
      'https://souls.directory',
      'https://souls.directory/souls',
      'https://souls.directory/souls/ann/code-reviewer',
      'https://souls.directory/souls/ann/code-reviewer/',
      'https://mirror.example/souls/Bob_2/poet',
      'https://souls.directory/souls/ann',
      'https://souls.directory/souls/ann/poet/reviews',
      'https://souls.directory/souls/ann/poet?x=1',
      'https://souls.directory/souls/../secrets',
      'https://souls.directory/souls/ann/%2e%2e',
      'https://souls.directory/souls/-x/poet',
      `https://souls.directory/souls/ann/${'x'.repeat(101)}`,
      'https://souls.directory/members/ann',
    ];
    expect(soulsIn(sitemapOf(addresses))).toEqual([
      { handle: 'ann', slug: 'code-reviewer' },
      { handle: 'Bob_2', slug: 'poet' },
    ]);
  });

  test.each([
    ['without pages', '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"></urlset>', 0],
    ['without pages, in short', '<?xml version="1.0"?>\n<urlset/>\n', 0],
    ['with a prefix', '<s:urlset xmlns:s="x"><s:url><s:loc> https://d/souls/a/b </s:loc></s:url></s:urlset>', 1],
  ])('%s', (_title, sitemap, count) => {
    expect(soulsIn(sitemap)).toHaveLength(count);
  });

  test.each([
    ['nothing', ''],
    ['a page', '<!doctype html><html><loc>https://d/souls/a/b</loc></html>'],
    ['an index of sitemaps', '<sitemapindex><sitemap><loc>https://d/souls/a/b</loc></sitemap></sitemapindex>'],
    ['the first half of one', sitemapOf(['https://d/souls/a/b', 'https://d/souls/a/c']).slice(0, 200)],
    ['JSON', '{"loc":"https://d/souls/a/b"}'],
  ])('is not %s', (_title, sitemap) => {
    expect(() => soulsIn(sitemap)).toThrow('is no sitemap');
  });

  test('is read in a moment, whatever it holds', () => {
    const begun = performance.now();
    for (const part of ['<loc>', '<loc> ', '<loc>a', ' ', '<url><loc>/souls/', '</loc>', 'a:'])
      soulsIn(`<urlset>${part.repeat(4_000_000 / part.length)}</urlset>`);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});

describe('the text of a soul', () => {
  test.each([
    ['line ends', '# Soul\r\n\r\nCalm.\rKind.\u2028Brave.\u2029', '# Soul\n\nCalm.\nKind.\nBrave.'],
    ['blank lines around it', '\n  \n  # Soul\n\n', '  # Soul'],
    ['what is invisible', '\ufeffCa\u200blm, \u202edlob\u202c.\u{e0041}', 'Calm, dlob.'],
    ['emoji and tabs', '🧑‍🚀\tZoë', '🧑‍🚀\tZoë'],
    ['Liquid', '{{ auth_token }}{% raw %}', '{{ auth_token }}{% raw %}'],
  ])('keeps its words: %s', (_title, fetched, text) => {
    expect(soulTextOf(fetched)).toBe(text);
  });

  test.each([
    ['empty', ' \n\u200b\n', 'is empty'],
    ['too long', 'x'.repeat(24_001), 'is longer than 24000 characters'],
    ['with a NUL', 'a\0b', 'has control characters'],
    ['with a control sequence of terminals', '\u001b[2J', 'has control characters'],
    ['with a token', `Use ${SAMPLE_TOKEN}.`, 'has what reads like credentials of an agent'],
    ['with a line of credentials', 'mission_control_token = abc', 'has what reads like credentials of an agent'],
    ['with another server', 'MISSION_CONTROL_URL=http://evil.example', 'has what reads like credentials of an agent'],
  ])('is not used when it is %s', (_title, fetched, problem) => {
    expect(() => soulTextOf(fetched)).toThrow(problem);
  });

  test('as long as it may be is used', () => {
    expect(soulTextOf('x'.repeat(24_000))).toHaveLength(24_000);
  });

  test('in its fence is one block of code, whatever it is', () => {
    const parts = fc.constantFrom(
      '~~~',
      '~~~~~~',
      '```',
      '\n',
      ' ',
      '    ',
      '# ',
      '<!-- ',
      '-->',
      '<div>',
      '> ',
      '- ',
      '\t',
    );
    const anything = fc.array(fc.oneof(parts, fc.string())).map((all) => `x${all.join('')}x`);
    fc.assert(
      fc.property(anything, (value) => {
        const text = soulTextOf(value.replace(/[^\P{Cc}\n\t]/gu, ''));
        const { children } = fromMarkdown(`# Soul\n\n${fenced(text)}\n\nAfter.\n`);
        expect(children.map(({ type }) => type)).toEqual(['heading', 'code', 'paragraph']);
        expect(children[1]).toMatchObject({ value: text, lang: 'markdown' });
      }),
      { numRuns: 500 },
    );
  });
});
