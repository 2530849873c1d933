import { describe, expect, test } from 'vitest';
import { matchSoul, searchSouls } from '../../src/provisioning/souls/matching.ts';

const listed = (...names: string[]) =>
  names.map((name) => {
    const [handle = '', slug = ''] = name.split('/');
    return { handle, slug };
  });

describe('the soul for a role', () => {
  test.each<[rule: string, role: string, souls: string[], match: string | null]>([
    [
      'the same slug',
      'DevOps Engineer',
      ['a/devops-engineer-pro', 'b/devops-engineer', 'c/devops'],
      'b/devops-engineer',
    ],
    ['the same slug in other letters', 'Café Höst', ['a/Cafe-Host'], 'a/Cafe-Host'],
    ['the same slug of two authors', 'Poet', ['b/poet', 'a/poet'], 'a/poet'],
    ['the same slug before a shorter one that contains it', 'Poet', ['a/x-poet', 'b/poet'], 'b/poet'],
    ['begins with it, the shortest', 'Code', ['a/code-reviewer', 'b/code-golf', 'c/a-code'], 'b/code-golf'],
    [
      'begins with it before a shorter one that contains it',
      'Writer',
      ['a/my-writer', 'b/writers-room'],
      'b/writers-room',
    ],
    ['contains it, the shortest', 'Writer', ['a/senior-technical-writer', 'b/technical-writer'], 'b/technical-writer'],
    ['contains it in a word', 'Script', ['a/typescript-expert'], 'a/typescript-expert'],
    [
      'contains it before two words',
      'Data Analyst',
      ['a/analyst-of-data', 'b/senior-data-analyst'],
      'b/senior-data-analyst',
    ],
    ['two of its words', 'Senior Security Code Auditor', ['a/security-auditor', 'b/auditor'], 'a/security-auditor'],
    [
      'most of its words',
      'Lead Data Science Coach',
      ['a/data-coach', 'b/coach-for-data-science'],
      'b/coach-for-data-science',
    ],
    ['as many of its words, the shortest', 'Red Green Blue', ['a/green-red-team', 'b/blue-red'], 'b/blue-red'],
    ['one of its words only', 'Release Engineer', ['a/sales-engineer', 'b/engineer'], null],
    ['the same word twice', 'Dance Teacher', ['a/dance-dance-dance'], null],
    ['words that only join', 'Head of the Lab', ['a/lord-of-the-rings'], null],
    ['a short role is a word of its own', 'UI', ['a/build-master', 'b/guide'], null],
    ['a short role at the beginning', 'QA', ['a/qaanaaq', 'b/qa-engineer'], 'b/qa-engineer'],
    ['a short role in the middle', 'UI', ['a/build-master', 'b/senior-ui-designer'], 'b/senior-ui-designer'],
    ['a role without letters or digits of ours', '开发者', ['a/poet'], null],
    ['a role of signs', '--- ***', ['a/poet'], null],
    ['no souls', 'Poet', [], null],
  ])('%s: %s', (_rule, role, souls, match) => {
    const names = (order: string[]) => {
      const found = matchSoul(role, listed(...order));
      return found && `${found.handle}/${found.slug}`;
    };
    expect(names(souls)).toBe(match);
    expect(names(souls.toReversed())).toBe(match);
  });
});

describe('searching souls', () => {
  const SOULS = listed('ann/code-reviewer', 'bob/Code_golf', 'ann/poet', 'code-fan/poet');
  test.each<[query: string, first: number, found: string[]]>([
    ['code', 10, ['ann/code-reviewer', 'bob/Code_golf', 'code-fan/poet']],
    ['CODE', 2, ['ann/code-reviewer', 'bob/Code_golf']],
    ['ann poet', 10, ['ann/poet']],
    ['poet code', 10, ['code-fan/poet']],
    ['view', 10, ['ann/code-reviewer']],
    ['code-re', 10, ['ann/code-reviewer']],
    ['ann/poet', 10, []],
    ['.*', 10, []],
    ['  ', 2, ['ann/code-reviewer', 'bob/Code_golf']],
  ])('%j', (query, first, found) => {
    expect(searchSouls(query, SOULS, first).map(({ handle, slug }) => `${handle}/${slug}`)).toEqual(found);
  });
});
