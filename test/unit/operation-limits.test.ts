import { getIntrospectionQuery, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { costOf } from '../../src/http/operation-cost.ts';
import { limitShape } from '../../src/http/operation-shape.ts';
import { schema } from '../../src/schema/index.ts';

describe('the cost of an operation', () => {
  const cost = (query: string, variableValues?: Record<string, unknown>, operationName?: string) =>
    costOf({ schema, document: parse(query), variableValues, operationName });

  it.each<[string, string, Record<string, unknown> | undefined, number]>([
    ['nothing for values', '{ __typename }', undefined, 0],
    ['one object', '{ viewer { kind role } }', undefined, 1],
    ['two', '{ viewer { organization { name } } }', undefined, 2],
    ['a page of the default size', '{ boards { nodes { id name } } }', undefined, 51],
    ['a page that only counts', '{ boards(first: 100) { totalCount pageInfo { endCursor } } }', undefined, 1],
    [
      'a page by its edges',
      '{ boards(first: 10) { edges { cursor node { id } } pageInfo { endCursor } } }',
      undefined,
      11,
    ],
    ['the last ones', '{ boards(last: 7) { nodes { id } } }', undefined, 8],
    ['no more than the largest page', '{ boards(first: 5000) { nodes { id } } }', undefined, 101],
    ['no less than nothing', '{ boards(first: -5) { nodes { id } } }', undefined, 1],
    ['a size from a variable', 'query Q($n: Int) { boards(first: $n) { nodes { id } } }', { n: 20 }, 21],
    ['a variable’s default', 'query Q($n: Int = 30) { boards(first: $n) { nodes { id } } }', {}, 31],
    ['a variable that is null', 'query Q($n: Int) { boards(first: $n) { nodes { id } } }', { n: null }, 51],
    ['pages in pages', '{ boards(first: 10) { nodes { agents(first: 10) { nodes { id } } } } }', undefined, 121],
    [
      'a page of boards of agents of tasks',
      '{ gateways(first: 100) { nodes { boards(first: 100) { nodes { agents(first: 100) { nodes { id } } } } } } }',
      undefined,
      1_020_201,
    ],
    [
      'a fragment as what it stands for',
      '{ ...B } fragment B on Query { boards(first: 3) { nodes { id } } }',
      undefined,
      4,
    ],
    ['ids by their number', 'query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b', 'c'] }, 3],
    [
      'the dearest type of what may come',
      '{ node(id: "x") { ... on Agent { board { id } } ... on Board { lead { board { id } } } } }',
      undefined,
      3,
    ],
    ['what is read live', '{ agent(id: "x") { files { name } } }', undefined, 511],
    [
      'what is left out: nothing',
      'query Q($no: Boolean!) { boards { nodes @include(if: $no) { id } } }',
      { no: false },
      1,
    ],
    ['each alias', '{ a: viewer { kind } b: viewer { kind } }', undefined, 2],
    [
      'a mutation',
      'mutation { deleteAgent(id: "x") { ... on Agent { board { id } } ... on Error { message } } }',
      undefined,
      2,
    ],
    ['a subscription’s event', 'subscription { agentEvents { agent { id } } }', undefined, 2],
  ])('is that of %s', (_title, query, variables, expected) => {
    expect(cost(query, variables)).toBe(expected);
  });

  it('is that of the operation that is chosen', () => {
    const both = 'query A { viewer { kind } } query B { boards { nodes { id } } }';
    expect([cost(both, {}, 'A'), cost(both, {}, 'B'), cost(both, {}), cost(both, {}, 'C')]).toEqual([
      1,
      51,
      null,
      null,
    ]);
    expect(cost('{ viewer { kind } }', {}, 'Other')).toBeNull();
  });

  it('is unknown where a variable is wrong; the executor says so', () => {
    expect(cost('query Q($n: Int!) { boards(first: $n) { nodes { id } } }', { n: 'many' })).toBeNull();
  });

  it('counts introspection too, and a tool’s is well within the default', () => {
    expect(cost(getIntrospectionQuery())).toBeLessThan(75_000);
    const many = Array.from({ length: 100 }, (_, index) => `a${index}: fields { name }`).join(' ');
    expect(cost(`{ __schema { types { fields { type { ${many} } } } } }`)).toBeGreaterThan(90_000);
  });
});

describe('the shape of an operation', () => {
  const limits = { depth: 5, aliases: 3, directives: 2, tokens: 50 };
  const problems = (query: string, within = limits) =>
    validate(schema, parse(query, { maxTokens: 20_000 }), [limitShape(within)]).map(({ extensions }) => extensions);

  it.each<[string, string, object[]]>([
    ['that is small', '{ a: viewer { kind } }', []],
    ['that is deep', '{ a { b { c { d { e { f } } } } } }', [{ code: 'DEPTH_LIMIT_EXCEEDED', found: 6, limit: 5 }]],
    [
      'that is deep by fragments',
      '{ a { ...F } } fragment F on X { b { c { ... { d { e { f } } } } } }',
      [{ code: 'DEPTH_LIMIT_EXCEEDED', found: 6, limit: 5 }],
    ],
    ['with aliases', '{ a: x b: x c: x d: x }', [{ code: 'ALIAS_LIMIT_EXCEEDED', found: 4, limit: 3 }]],
    [
      'with aliases in fragments',
      '{ ...F ...F } fragment F on X { a: x b: x }',
      [{ code: 'ALIAS_LIMIT_EXCEEDED', found: 4, limit: 3 }],
    ],
    ['with directives', 'query Q($v: Int @a) @b { x @c }', [{ code: 'DIRECTIVE_LIMIT_EXCEEDED', found: 3, limit: 2 }]],
    ['that goes in circles', '{ ...F } fragment F on X { a { ...G } } fragment G on X { b { ...F } }', []],
    ['with a fragment that is not there', '{ ...F }', []],
  ])('%s', (_title, query, expected) => {
    expect(problems(query)).toEqual(expected);
  });

  it('a bomb is measured in a time that is linear in its text', () => {
    const size = 1_000;
    const bomb = Array.from(
      { length: size },
      (_, index) => `fragment F${index} on X { ...F${index + 1} ...F${index + 1} }`,
    );
    const query = `{ ...F0 } ${bomb.join(' ')} fragment F${size} on X { a: x }`;
    const start = performance.now();
    expect(problems(query)).toEqual([
      { code: 'ALIAS_LIMIT_EXCEEDED', found: Number.MAX_SAFE_INTEGER, limit: 3 },
      { code: 'SELECTION_LIMIT_EXCEEDED', found: Number.MAX_SAFE_INTEGER, limit: 50 },
    ]);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('tools’ introspection is within the defaults', () => {
    expect(problems(getIntrospectionQuery(), { depth: 20, aliases: 100, directives: 50, tokens: 4_000 })).toEqual([]);
  });
});
