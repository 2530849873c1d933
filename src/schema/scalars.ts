import { GraphQLScalarType } from 'graphql';
import { DateTimeResolver, JSONResolver } from 'graphql-scalars';
import { builder } from './builder.ts';

builder.addScalarType(
  'DateTime',
  new GraphQLScalarType({ ...DateTimeResolver.toConfig(), description: 'RFC 3339 instant in UTC.' }),
);
builder.addScalarType('JSON', new GraphQLScalarType({ ...JSONResolver.toConfig(), description: 'Any JSON value.' }));
