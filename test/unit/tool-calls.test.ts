import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  coerceInputValue,
  type GraphQLSchema,
  isInputType,
  Kind,
  parse,
  typeFromAST,
  validate,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { renderDocuments } from '../../src/provisioning/documents.ts';
import type { AgentKind } from '../../src/provisioning/identity.ts';
import { builtInTemplates, documentInput, SAMPLE_TOKEN } from '../support/agents.ts';
import { type CurlBlock, curlBlocks, fillIn, shellJson } from '../support/curl-blocks.ts';

const SCHEMA_FILE = new URL('../../schema.graphql', import.meta.url);
const schema: GraphQLSchema = buildSchema(readFileSync(SCHEMA_FILE, 'utf8'));

const ID = '0199b6a4-8f0e-7cc4-b1de-9a3f4f6d2c11';
const AWKWARD = `It's "done" & $HOME \`x\` $(x) \\ 50% \u20ac\nnext line`;
/** What an agent could fill in, for every placeholder that there is. */
const FILLED: Readonly<Record<string, string>> = {
  TASK_ID: ID,
  WORKER_ID: ID,
  LEAD_ID: ID,
  WORKER: shellJson(ID),
  NAME: shellJson(AWKWARD),
  ROLE: shellJson(AWKWARD),
  TITLE: shellJson(AWKWARD),
  DESCRIPTION: shellJson(AWKWARD),
  MESSAGE: shellJson(AWKWARD),
  EXPERTISE: shellJson([AWKWARD, 'SQL']),
};

interface SentRequest {
  url: string;
  headers: string[];
  body: { query: string; variables?: Record<string, unknown> };
}

/** Runs a call in a shell where curl is a function that writes down its arguments. */
function requestOf(script: string): SentRequest {
  const curl = 'curl() { for argument; do printf \'%s\\0\' "$argument"; done; }';
  const output = execFileSync('sh', ['-eu', '-c', `${curl}\n${script}`], { encoding: 'utf8' });
  const found = output.split('\0').slice(0, -1);
  const valuesOf = (flag: string) => found.filter((_, index) => found[index - 1] === flag);
  const url = found.find((argument) => argument.startsWith('http'));
  return { url: url ?? '', headers: valuesOf('-H'), body: JSON.parse(valuesOf('-d')[0] ?? 'null') };
}

function placeholdersOf({ script }: CurlBlock): string[] {
  const names = [...script.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name ?? '');
  return names.filter((name) => !name.startsWith('MISSION_CONTROL_') && name !== 'KEY');
}

function filledIn(block: CurlBlock): string {
  const values = placeholdersOf(block).flatMap((name) => (name in FILLED ? [[name, FILLED[name] ?? '']] : []));
  return fillIn(block.script, Object.fromEntries(values));
}

const COMMON = [
  ...['Report in', 'Report in while you work on a task', 'Read your tasks', 'Read a task', 'Take a task'],
  ...['Write down what came of a task', 'Finish a task'],
];
const CALLS: Record<AgentKind, string[]> = {
  BOARD_WORKER: COMMON,
  BOARD_LEAD: [
    ...COMMON,
    ...['Read your board', "List your board's agents", "Read your board's tasks", 'Create a worker', 'Create a task'],
    ...['Assign a task', 'Message a worker', 'Wake a worker'],
  ],
  GATEWAY_MAIN: ['Report in', "List your gateway's agents", 'Message a lead'],
};
const KINDS = Object.keys(CALLS) as AgentKind[];

function callsOf(kind: AgentKind): CurlBlock[] {
  return renderDocuments(documentInput(kind), builtInTemplates).flatMap(({ content }) => curlBlocks(content));
}
const EVERY_CALL = KINDS.flatMap((kind) => callsOf(kind).map((block) => [kind, block.title, block] as const));

// The scripts are for a POSIX shell, which agents have; Windows has none to run this with.
describe.skipIf(process.platform === 'win32')("the calls in an agent's tools", () => {
  test.each(KINDS)('of a %s are the ones for what it may do', (kind) => {
    expect(callsOf(kind).map(({ title }) => title)).toEqual(CALLS[kind]);
  });

  test.each(KINDS)('of a %s are all that its other documents name', (kind) => {
    const documents = renderDocuments(documentInput(kind), builtInTemplates).filter(({ name }) => name !== 'TOOLS.md');
    const named = documents.flatMap(({ content }) =>
      [...content.matchAll(/"([A-Z][^"\n]*)"/g)].map(([, call]) => call),
    );
    expect(named.filter((call) => call !== 'Docs' && !CALLS[kind].includes(call ?? ''))).toEqual([]);
  });

  test.each(EVERY_CALL)(
    'of a %s: "%s" is a complete request as it stands and when filled in',
    (_kind, _title, block) => {
      for (const script of [block.script, filledIn(block)]) {
        const { url, headers, body } = requestOf(script);
        expect(url).toBe('http://localhost:8000/graphql');
        expect(headers).toEqual([`X-Agent-Token: ${SAMPLE_TOKEN}`, 'Content-Type: application/json']);
        expect(parse(body.query).definitions).toHaveLength(1);
      }
    },
  );

  test.each(EVERY_CALL.filter(([, , block]) => placeholdersOf(block).length > 0))(
    'of a %s: "%s" sends what was filled in, whatever is in it',
    (_kind, _title, block) => {
      const values = new Set<unknown>();
      JSON.stringify(requestOf(filledIn(block)).body.variables, (_key, value) => {
        values.add(value);
        return value;
      });
      const names = placeholdersOf(block);
      if (names.some((name) => name.endsWith('_ID') || name === 'WORKER')) expect(values).toContain(ID);
      if (names.some((name) => ['NAME', 'ROLE', 'TITLE', 'DESCRIPTION', 'MESSAGE', 'EXPERTISE'].includes(name))) {
        expect(values).toContain(AWKWARD);
      }
    },
  );

  test('a message has the same key when it is the same, and another when it is not', () => {
    const block = callsOf('BOARD_LEAD').find(({ title }) => title === 'Message a worker');
    const keyOf = (message: string) =>
      requestOf(fillIn(block?.script ?? '', { MESSAGE: shellJson(message) })).body.variables?.input;
    // The key changes with the hour; so twice, in case the hour ends in between.
    const [first, second, third] = [keyOf('one'), keyOf('one'), keyOf('one')];
    expect(JSON.stringify(first) === JSON.stringify(second) || JSON.stringify(second) === JSON.stringify(third)).toBe(
      true,
    );
    expect(third).toMatchObject({ idempotencyKey: expect.stringMatching(/^message-\d{5,}$/) });
    expect(keyOf('two')).not.toMatchObject({ idempotencyKey: (third as { idempotencyKey: string }).idempotencyKey });
  });

  test.each(EVERY_CALL)('of a %s: "%s" fits the schema', (_kind, _title, block) => {
    const { body } = requestOf(filledIn(block));
    const document = parse(body.query);
    expect(validate(schema, document)).toEqual([]);
    for (const definition of document.definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
      for (const { variable, type } of definition.variableDefinitions ?? []) {
        const inputType = typeFromAST(schema, type as never);
        if (isInputType(inputType)) coerceInputValue(body.variables?.[variable.name.value], inputType);
      }
    }
  });
});
