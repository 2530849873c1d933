import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Suites on a real OpenClaw: one file at a time, as each starts gateways of its own. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/openclaw/**/*.openclaw.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 900_000,
  },
});
