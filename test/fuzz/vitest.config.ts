import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** Random requests, for as long as FUZZ_SECONDS says. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/fuzz/**/*.fuzz.ts'],
    exclude: [],
    // To look at memory without what nobody needs any more.
    execArgv: ['--expose-gc'],
    hookTimeout: 120_000,
  },
});
