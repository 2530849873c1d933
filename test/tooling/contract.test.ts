import { readFileSync } from 'node:fs';
import { buildSchema, type GraphQLSchema } from 'graphql';
import { describe, expect, test } from 'vitest';
import { compareWithContract } from './compare-with-contract.ts';

const read = (file: string): GraphQLSchema => buildSchema(readFileSync(file, 'utf8'));

describe('schema.graphql and the contract', () => {
  const { different, missing } = compareWithContract(read('schema.graphql'), read('test/contract.graphql'));

  test('agree in whatever both have', () => {
    expect(different).toEqual([]);
  });

  test('have in common all that the contract has', () => {
    expect(missing).toEqual([]);
  });
});

describe('compareWithContract', () => {
  const contract = `
    type Query { a(first: Int = 10, after: ID!): [A!]! b: U i(input: In!): E }
    interface N { id: ID! }
    type A implements N { id: ID! name: String! }
    type B { id: ID! }
    union U = A | B
    input In { x: Int! = 3 y: String }
    enum E { ONE TWO }
  `;
  const compare = (change: (text: string) => string) =>
    compareWithContract(buildSchema(change(contract)), buildSchema(contract));

  test.each([
    ['nothing', '', '', [], []],
    ['nullability of a field', 'name: String!', 'name: String', ['A.name: String, not String!'], []],
    ['a default', '= 10', '= 20', ['Query.a(first:) defaults to 20, not 10'], []],
    ['no default', 'x: Int! = 3', 'x: Int!', ['In.x defaults to nothing, not 3'], []],
    ['nullability of an argument', 'after: ID!', 'after: ID', ['Query.a(after:): ID, not ID!'], []],
    ['one more argument that must be given', 'after: ID!', 'after: ID!, z: Int!', ['Query.a(z:) is required'], []],
    ['one more argument that may be given', 'after: ID!', 'after: ID!, z: Int', [], []],
    ['one more input field that must be given', 'y: String', 'y: String z: Int!', ['In.z is required'], []],
    ['the kind of a type', 'enum E { ONE TWO }', 'scalar E', ['E is no enum'], []],
    ['an interface', 'A implements N', 'A', [], ['A implements N']],
    ['a union member', 'U = A | B', 'U = A', [], ['U = B']],
    ['one more union member', 'U = A | B', 'U = A | B | Query', ['U = Query'], []],
    ['an enum value', 'ONE TWO', 'ONE', [], ['E.TWO']],
    ['an argument', ', after: ID!', '', [], ['Query.a(after:)']],
    ['a field', 'name: String!', '', [], ['A.name']],
    ['an input field', 'y: String', '', [], ['In.y']],
  ])('%s', (_, from, to, different, missing) => {
    expect(compare((text) => text.replace(from, to))).toEqual({ different, missing });
  });

  test('a type', () => {
    const { missing } = compare((text) => text.replace('union U = A | B', '').replace('b: U', ''));
    expect(missing.sort()).toEqual(['Query.b', 'U']);
  });
});
