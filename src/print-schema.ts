import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './schema/index.ts';

// Prints the schema, for schema.graphql.
process.stdout.write(`${printSchema(lexicographicSortSchema(schema))}\n`);
