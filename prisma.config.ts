import { defineConfig } from 'prisma/config';

// These commands never run the schema engine but resolve (and would download) it first:
// pointing it at any executable lets it work without a network. Never for `migrate`, which would run it.
if (process.argv.some((word) => ['generate', 'format', 'validate'].includes(word))) {
  process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;
}

export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
