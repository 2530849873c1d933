// Prisma's schema engine as WebAssembly over an in-memory database: for writing migrations and for the drift test.
// Not part of the running server.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { PGliteAdapter } from '../src/db/pglite-adapter.ts';

/** Node has it; its types come only with the browser's. */
declare const WebAssembly: {
  instantiate(code: Uint8Array, imports: object): Promise<{ instance: { exports: object } }>;
};

const SCHEMA = path.join(import.meta.dirname, 'schema.prisma');

interface SchemaEngine {
  diff(params: object): Promise<{ exitCode: number; stdout: string | null }>;
}

/**
 * The SQL that would bring `database` in line with schema.prisma; empty when there is no drift. It does not see
 * expression indexes, checks, triggers and functions. Once per process: a second engine crashes in the WebAssembly.
 */
export async function diffToSchema(database: PGlite): Promise<string> {
  const schema = await readFile(SCHEMA, 'utf8');
  const folder = path.dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm'));
  // The package's own entry wants the module as a bundler would hand it; under Node it is instantiated by hand.
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg' as string);
  const wasm = await readFile(path.join(folder, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports as { __wbindgen_start(): void }).__wbindgen_start();

  const adapter = bindMigrationAwareSqlAdapterFactory(new PGliteAdapter(database));
  const engine: SchemaEngine = await glue.SchemaEngine.new(
    { datamodels: [['schema.prisma', schema]] },
    () => undefined,
    adapter,
  );
  const files = [{ path: 'schema.prisma', content: schema }];
  const { exitCode, stdout } = await engine.diff({
    from: { tag: 'schemaDatasource', files, configDir: import.meta.dirname },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  });
  return exitCode === 0 ? '' : (stdout ?? '');
}
