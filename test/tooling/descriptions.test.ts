import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { expect, test } from 'vitest';

type Described = readonly [coordinate: string, description: string | null | undefined];

test('every type, field, argument, input field and enum value has a description', () => {
  const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
  const things = everything(schema);
  expect(things.length).toBeGreaterThan(100);
  expect(things.filter(([, description]) => !description?.trim()).map(([coordinate]) => coordinate)).toEqual([]);
});

test('what has no description is named', () => {
  const schema = buildSchema('type Query { "Here." a(b: Int): E } "Here." enum E { V } "Here." input I { f: Int }');
  const missing = everything(schema).filter(([, description]) => !description);
  expect(missing.map(([coordinate]) => coordinate).sort()).toEqual(['E.V', 'I.f', 'Query', 'Query.a(b:)']);
});

function everything(schema: GraphQLSchema): Described[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type))
    .flatMap((type) => [[type.name, type.description] as const, ...membersOf(type)]);
}

function membersOf(type: GraphQLNamedType): Described[] {
  if (isEnumType(type)) {
    return type.getValues().map(({ name, description }) => [`${type.name}.${name}`, description]);
  }
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map(({ name, description }) => [`${type.name}.${name}`, description]);
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field): Described[] => [
    [`${type.name}.${field.name}`, field.description],
    ...field.args.map(({ name, description }) => [`${type.name}.${field.name}(${name}:)`, description] as const),
  ]);
}
