import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { LivenessSweep, pauseAfter } from '../../src/fleet/liveness.ts';
import { createLog } from '../../src/log.ts';

it('looks for agents without signs of life a twentieth of the time at most', async () => {
  const LOOK_MS = 100;
  const looks: number[] = [];
  const twice = Promise.withResolvers<void>();
  const acquire = async () => {
    looks.push(performance.now());
    if (looks.length === 2) twice.resolve();
    await sleep(LOOK_MS);
    return new Set<string>();
  };
  const sweep = new LivenessSweep({ leases: { acquire } } as unknown as Database, createLog('error'));
  const started = performance.now();
  sweep.start();
  await twice.promise;
  await sweep.stop();
  const [first = 0, second = 0] = looks;
  expect(first - started).toBeLessThan(1_500);
  expect(second - first).toBeGreaterThan(20 * LOOK_MS);
  expect(looks).toHaveLength(2);
});

it.each([
  ['a second after a short look', 48, 1_000],
  ['ten seconds after one at a million agents', 500, 10_000],
  ['soon after one that waited for a minute', 60_000, 15_000],
])('looks again %s', (_, lookMs, pauseMs) => {
  expect(pauseAfter(lookMs)).toBe(pauseMs);
});
