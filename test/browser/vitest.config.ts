import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/** The pages that the server shows, in a real browser. CHROMIUM_PATH names another than Debian's. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/browser/**/*.test.ts'],
    exclude: [],
    testTimeout: 120_000,
  },
});
