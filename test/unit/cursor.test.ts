import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromCursor, toCursor } from '../../src/events/cursor.ts';

const seq = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

describe('a cursor', () => {
  it('is read back as what it was made of', () => {
    fc.assert(fc.property(seq, (value) => fromCursor(toCursor(value)) === value));
  });

  it('is ordered like the log, as a text', () => {
    fc.assert(fc.property(seq, seq, (a, b) => a < b === toCursor(a) < toCursor(b)));
  });

  it.each(['', '1', 'zzz', '000000000000', '00000000000000', '000000000000A', '00000000000-1', "' OR 1=1 --  "])(
    'is not %j',
    (text) => {
      expect(fromCursor(text)).toBeNull();
    },
  );
});
