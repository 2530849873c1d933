import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConnectionSlots } from '../../src/http/connection-slots.ts';
import { RateLimit } from '../../src/http/rate-limit.ts';

it('gives a minute’s worth at once, and then as it refills', () => {
  let now = 0;
  const limit = new RateLimit(60, () => now);
  for (let index = 0; index < 60; index++) expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBe(1_000);
  expect(limit.take('b')).toBe(0);
  now = 999;
  expect(limit.wait('a')).toBe(1);
  now = 1_000;
  expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBe(1_000);
});

it('never gives more than two minutes’ worth within a minute, whenever it is asked', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 3_000 }), { size: '+1' }),
      (perMinute, pauses) => {
        let now = 0;
        const limit = new RateLimit(perMinute, () => now);
        const taken: number[] = [];
        for (const pause of pauses) {
          now += pause;
          if (limit.take('a') === 0) taken.push(now);
        }
        for (const start of taken)
          expect(taken.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(2 * perMinute);
      },
    ),
  );
});

it('has no limit with 0', () => {
  const limit = new RateLimit(0);
  for (let index = 0; index < 1_000; index++) expect(limit.take('a')).toBe(0);
  expect(limit.wait('a')).toBe(0);
});

it('forgets who has not asked for longest: memory is bounded, whoever asks', () => {
  const limit = new RateLimit(1, () => 0);
  limit.take('first');
  for (let index = 0; index < 10_000; index++) limit.take(`other ${index}`);
  expect(limit.wait('first')).toBe(0);
  expect(limit.wait('other 9999')).toBeGreaterThan(0);
});

it('connections are counted by credential, and given back', () => {
  const slots = new ConnectionSlots(2);
  const first = slots.take('a');
  expect(slots.take('a')).not.toBeNull();
  expect(slots.take('a')).toBeNull();
  expect(slots.take('b')).not.toBeNull();
  first?.();
  expect(slots.take('a')).not.toBeNull();
  expect(slots.take('a')).toBeNull();
});
