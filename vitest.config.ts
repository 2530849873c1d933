import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

/** Stories that wait for timers, need many agents, or start many processes: npm test takes under three minutes, and the PostgreSQL suite has them. */
export const TAKE_THEIR_TIME = [
  'test/hints/**',
  'test/examples/**',
  'test/processes/{command-line,keys-and-backups,kill}.test.ts',
  'test/provisioning/{connection-rules,gateway-changes,gateway-events,pairing,recovery}.test.ts',
  'test/provisioning/{changes,drift,request-counts,souls,template-sync,waking}.test.ts',
];

export default defineConfig({
  // As Node resolves it: vite would take the ES module build, and there would be two GraphQLs that do not know each other.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }] },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**', ...TAKE_THEIR_TIME],
    globalSetup: ['test/support/global-setup.ts'],
    // Test files share the modules that they import, which keep nothing of one server for another: a third of the time.
    isolate: false,
    // By default vitest leaves one core to itself.
    maxWorkers: 2,
    // Some tests start several servers, one after another, and a shared machine may be three times as slow as an idle one.
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
