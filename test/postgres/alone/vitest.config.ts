import { defineConfig } from 'vitest/config';
import base from '../../../vitest.postgres.config.ts';

/** What takes the time that something takes, and so has the machine for itself. */
export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/postgres/alone/**/*.test.ts'], exclude: [], maxWorkers: 1 },
});
