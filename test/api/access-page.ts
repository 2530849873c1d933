import { SUBSCRIPTIONS } from './access-subscriptions.ts';
import { ACTORS, MUTATIONS, QUERIES, type Row } from './access-table.ts';

const BEGIN = '<!-- the table: made by test/api/access-matrix.test.ts -->\n';
const END = '<!-- end of the table -->\n';
const SYMBOLS: Record<string, string> = { y: '✓', n: '✗', '-': '–' };

/** The page with the table as it is in the code, between its two marks. */
export function asMarkdown(page: string): string {
  const [before, rest = ''] = page.split(BEGIN);
  const [, after] = rest.split(END);
  if (before === undefined || after === undefined) throw new Error('docs/access.md has lost the marks of the table.');
  const sections: [string, Row[]][] = [
    ['Queries', QUERIES],
    ['Mutations', MUTATIONS],
    ['Subscriptions', SUBSCRIPTIONS],
  ];
  return `${before + BEGIN + sections.map(([title, rows]) => `\n### ${title}\n\n${tableOf(rows)}\n`).join('')}\n${END}${after}`;
}

function tableOf(rows: Row[]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...ACTORS, 'no token']),
    line(['---', ...ACTORS.map(() => ':-:'), ':-:']),
    ...rows.map(({ field, on, cells }) =>
      line([`\`${field}\`${on ? ` ${on}` : ''}`, ...[...cells].map((cell) => SYMBOLS[cell] ?? '?'), '401']),
    ),
  ].join('\n');
}
