import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Stage } from '../../src/provisioning/stage.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Notes when those who pass are let go. */
function through(stage: Stage, work: Promise<string>, passed: string[]): void {
  stage.pass(work).then(
    (name) => passed.push(name),
    ({ message }: Error) => passed.push(message),
  );
}

const later = (name: string, ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve(name), ms));

test('nobody goes on before the last is through', async () => {
  const stage = new Stage(3, 1_000);
  const passed: string[] = [];
  through(stage, later('slow', 900), passed);
  through(stage, later('fast', 1), passed);
  through(stage, Promise.reject(new Error('failed')), passed);
  await vi.advanceTimersByTimeAsync(899);
  expect(passed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(new Set(passed)).toEqual(new Set(['slow', 'fast', 'failed']));
});

test('one that stalls keeps the others waiting for so long, from the moment at which the last of them came through', async () => {
  const stage = new Stage(4, 1_000);
  const passed: string[] = [];
  through(stage, later('first', 500), passed);
  through(stage, later('second', 1_400), passed);
  through(stage, later('third', 2_300), passed);
  through(stage, later('stalled', 60_000), passed);
  await vi.advanceTimersByTimeAsync(3_299);
  expect(passed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(passed).toEqual(['first', 'second', 'third']);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(passed).toEqual(['first', 'second', 'third', 'stalled']);
  expect(vi.getTimerCount()).toBe(0);
});
