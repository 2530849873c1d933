import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoffMs } from '../../src/provisioning/backoff.ts';

const random = fc.double({ min: 0, max: 1, noNaN: true });

it('waits from half a second to five minutes, however often it was tried', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), random, (attempts, chance) => {
      const wait = backoffMs(attempts, null, chance);
      return wait >= 500 && wait <= 300_000;
    }),
  );
});

it('waits longer each time until it is five minutes', () => {
  const longest = Array.from({ length: 12 }, (_, index) => backoffMs(index + 1, null, 1));
  expect(longest.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(longest.slice(-2)).toEqual([300_000, 300_000]);
  expect(backoffMs(4, null, 0)).toBe(4_000);
});

it('never comes back before the gateway wants it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 3_600_000 }),
      random,
      (attempts, wish, chance) => {
        return backoffMs(attempts, wish, chance) >= wish;
      },
    ),
  );
});
