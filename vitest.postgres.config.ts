import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/**
 * The behaviour suite again, on a PostgreSQL that the suite starts and ends itself, with the stories that take their time and
 * those of several processes.
 */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: [
      'test/{provisioning,live,api,postgres,hints}/**/*.test.ts',
      'test/observability/metrics.test.ts',
      'test/examples/**/*.test.ts',
      'test/processes/{command-line,keys-and-backups,kill}.test.ts',
    ],
    exclude: ['test/postgres/alone/**'],
    globalSetup: ['test/support/postgres-setup.ts'],
  },
});
