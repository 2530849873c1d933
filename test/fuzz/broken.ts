import fc from 'fast-check';
import type { Operation } from './operations.ts';

const PIECES = [
  '{',
  '}',
  '(',
  ')',
  '...',
  '...F',
  ':',
  '$v0',
  '"',
  '"""',
  '@include(if: $v0)',
  'fragment F on Query { ...F }',
  '\u0000',
  '1e999',
  'null',
  '#',
  '\u{1f9ed}',
  '[[[[',
  'query',
];

/** Bodies that are wrong in some way: a document, variables or JSON that something has happened to, or no JSON at all. */
export function brokenBodies(valid: fc.Arbitrary<Operation>): fc.Arbitrary<string | Buffer> {
  const edits = fc.array(fc.record({ at: fc.nat(2_000), cut: fc.nat(20), piece: fc.constantFrom('', ...PIECES) }), {
    minLength: 1,
    maxLength: 4,
  });
  const withDocument = fc
    .tuple(valid, edits)
    .map(([{ query, variables }, changes]) => ({ query: changed(query, changes), variables }));
  const withVariables = fc.tuple(valid, fc.jsonValue(), fc.nat()).map(([{ query, variables }, value, index]) => {
    const names = Object.keys(variables);
    const name = names[index % Math.max(names.length, 1)];
    return { query, variables: name === undefined ? value : { ...variables, [name]: value } };
  });
  const withRest = fc
    .tuple(valid, fc.jsonValue(), fc.jsonValue())
    .map(([{ query }, operationName, extensions]) => ({ query, operationName, extensions }));
  const json = fc.oneof(withDocument, withVariables, withRest).map((body) => JSON.stringify(body));
  return fc.oneof(
    { weight: 6, arbitrary: json },
    { weight: 1, arbitrary: fc.tuple(json, edits).map(([text, changes]) => changed(text, changes)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)) },
  );
}

function changed(text: string, changes: readonly { at: number; cut: number; piece: string }[]): string {
  return changes.reduce((before, { at, cut, piece }) => {
    const start = at % (before.length + 1);
    return before.slice(0, start) + piece + before.slice(start + cut);
  }, text);
}
