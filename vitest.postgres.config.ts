import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** The behaviour suite again, on a PostgreSQL that the suite starts and ends itself. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/{provisioning,live,api,postgres}/**/*.test.ts'],
    globalSetup: ['test/support/postgres-setup.ts'],
  },
});
