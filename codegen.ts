// Typed documents for the GraphQL operations in tests, the demo and the examples: what is written as graphql(`…`) is
// checked against schema.graphql, and its result and variables get types. They are strings at run time, ready for fetch
// and for graphql-ws; those of the page are parsed, ready for urql. Makes them when an operation or the schema has changed (about 3 s), else nothing (some ms), so they
// are always fresh and are not committed.
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import type { CodegenConfig } from '@graphql-codegen/cli';

const SCHEMA = 'schema.graphql';
const OUTPUT = 'src/generated/client/';
const DOCUMENTS = ['test/**/*.ts', 'bench/*.ts', 'src/demo/**/*.ts', 'examples/watch/**/*.ts'];
/** A page takes only its own documents to the browser. */
const PAGE_OUTPUT = 'examples/agents-page/generated/';
const PAGE_DOCUMENTS = ['examples/agents-page/src/**/*.ts'];
const STAMP = 'src/generated/client.sha256';

const presetConfig = { fragmentMasking: false };
const types = {
  // What Node's type stripping needs.
  useTypeImports: true,
  importExtension: '.ts',
  emitLegacyCommonJSImports: false,
  strictScalars: true,
  scalars: { ID: 'string', DateTime: 'string', JSON: 'unknown' },
} as const;

const config: CodegenConfig = {
  schema: SCHEMA,
  ignoreNoDocuments: true,
  silent: true,
  generates: {
    [OUTPUT]: { documents: DOCUMENTS, preset: 'client', presetConfig, config: { ...types, documentMode: 'string' } },
    // Parsed ahead, as urql takes them.
    [PAGE_OUTPUT]: { documents: PAGE_DOCUMENTS, preset: 'client', presetConfig, config: types },
  },
};

export default config;

if (import.meta.main) {
  process.chdir(import.meta.dirname);
  await generateWhenChanged();
}

async function generateWhenChanged(): Promise<void> {
  const sources = globSync([...DOCUMENTS, ...PAGE_DOCUMENTS])
    .sort()
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }))
    .filter(({ text }) => text.includes('graphql('));
  if (sources.length === 0) return;

  const hash = createHash('sha256');
  for (const file of ['codegen.ts', 'package-lock.json', SCHEMA]) hash.update(readFileSync(file));
  for (const { file, text } of sources) hash.update(file).update(text);
  const wanted = hash.digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;

  const codegen = await import('@graphql-codegen/cli').catch(() => null);
  if (!codegen) {
    process.stderr.write(
      'GraphQL Code Generator is not installed (npm ci --omit=dev): documents are left as they are.\n',
    );
    return;
  }
  try {
    await codegen.generate(config, true);
    writeFileSync(STAMP, wanted);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.stderr.write('If the schema has changed: npm run schema, then again.\n');
    process.exitCode = 1;
  }
}
