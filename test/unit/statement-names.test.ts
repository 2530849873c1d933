import { describe, expect, it } from 'vitest';
import { statementNames } from '../../src/db/statement-names.ts';

/** The names of this many runs of a statement. */
function run(nameOf: ReturnType<typeof statementNames>, sql: string, times: number): string[] {
  return Array.from({ length: times }, () => nameOf({ sql }));
}

describe('names of statements', () => {
  it('are given to those that are run often, each its own and always the same', () => {
    const nameOf = statementNames();
    const first = run(nameOf, 'SELECT 1', 100);
    const second = run(nameOf, 'SELECT 2', 100);
    expect(first[0]).toBe('');
    expect(first.at(-1)).not.toBe('');
    expect(new Set(first.filter(Boolean)).size).toBe(1);
    expect(second.at(-1)).not.toBe(first.at(-1));
    expect(nameOf({ sql: 'SELECT 1' })).toBe(first.at(-1));
  });

  it('are few, whatever is asked', () => {
    const nameOf = statementNames();
    const names = new Set(Array.from({ length: 5_000 }, (_, index) => run(nameOf, `SELECT ${index}`, 30)).flat());
    expect(names.size).toBeLessThan(150);
  });

  it('are not given to ever other ones', () => {
    const nameOf = statementNames();
    const names = Array.from({ length: 50_000 }, (_, index) => nameOf({ sql: `SELECT ${index}` }));
    expect(new Set(names)).toEqual(new Set(['']));
    expect(run(nameOf, 'SELECT 1', 100).at(-1)).not.toBe('');
  });
});
