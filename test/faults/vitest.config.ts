import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** The fault suite: one file at a time, as each has a PostgreSQL, servers and a gateway of its own. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/faults/**/*.faults.ts'],
    globalSetup: [],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
});
