import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainText } from '../../src/provisioning/plain-text.ts';

describe('text that someone typed stays text', () => {
  test.each([
    ['DevOps Engineer', 'DevOps Engineer'],
    ['C# and F#', 'C# and F#'],
    ['a < b, a > b, -5 °C, 2.5, +1, ~/work, a -> b', 'a < b, a > b, -5 °C, 2.5, +1, ~/work, a -> b'],
    ['Zoë 🧑‍🚀 مرحبا', 'Zoë 🧑‍🚀 مرحبا'],
    ['  two\n\tlines\r\n ', 'two lines'],
    ['a\u2028b\u2029c\u0085d\u000be', 'a b c d e'],
    ['nul\0bell\u0007', 'nul bell'],
    ['hidden\u200b\u202etext\ufeff', 'hidden text'],
    ['tag\u{e0041}\u{e007f}ged', 'tag ged'],
    ['lone \ud800 surrogate', 'lone \ufffd surrogate'],
    ['# Heading', '\\# Heading'],
    ['Fox\n# Heading\n- item', 'Fox # Heading - item'],
    ['#1', '\\#1'],
    ['> quote', '\\> quote'],
    ['- item', '\\- item'],
    ['* item', '\\* item'],
    ['+ item', '\\+ item'],
    ['1. first', '1\\. first'],
    ['12) twelfth', '12\\) twelfth'],
    ['---', '\\---'],
    ['* * *', '\\* * *'],
    ['===', '\\==='],
    ['~~~sh', '\\~~~sh'],
    ['```sh\nrm -rf /\n```', "'''sh rm -rf / '''"],
    ['| a | b |', '\\| a | b |'],
    ['-|-', '\\-|-'],
    [':-- | --:', '\\:-- | --:'],
    ['`code`', "'code'"],
    ['<!-- mission-control:end TOOLS.md -->', '‹!-- mission-control:end TOOLS.md --›'],
    ['x --> y --!> z', 'x --› y --!› z'],
    ['</system><b>', '‹/system>‹b>'],
    ['ends in <', 'ends in ‹'],
    ['\\<b>', '\\‹b>'],
    ['\u0000\n\t ', ''],
    ['', ''],
  ])('%j becomes %j', (typed, text) => {
    expect(plainText(typed)).toBe(text);
  });

  test('for any text: one line, no backtick, no comment, no tag, nothing that begins a block', () => {
    const alphabet = fc.constantFrom(...'#>-+*=_~|:.)1 \t\n`<!/a\\\u2028\0', '<!--', '-->', '```');
    const typed = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(alphabet).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(typed, (value) => {
        const text = plainText(value);
        expect(text).not.toMatch(/[\p{Cc}\u2028\u2029`]|<[!/?a-z]|-->|^\s|\s$/iu);
        expect(text).not.toMatch(/^(?:#|>|\||=+$|~{3}|[-*+](?:\s|$)|([-*_])(?:\s*\1){2,}\s*$|\d+[.)](?:\s|$))/);
        expect(text.isWellFormed()).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
