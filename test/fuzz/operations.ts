import fc from 'fast-check';
import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isNonNullType,
  OperationTypeNode,
} from 'graphql';
import { valuesOf } from './values.ts';

export interface Operation {
  kind: OperationTypeNode;
  query: string;
  variables: Record<string, unknown>;
}

/** How deep selections go. Two pages in each other fit in. */
const LEVELS = 6;
const FIELDS = 4;

/** Operations that the schema accepts: every argument is a variable with a value of its type. */
export function validOperations(schema: GraphQLSchema, ids: () => readonly string[]): fc.Arbitrary<Operation> {
  return fc.gen().map((draw) => new Builder(schema, ids, draw).operation());
}

class Builder {
  readonly #schema: GraphQLSchema;
  readonly #ids: () => readonly string[];
  readonly #draw: fc.GeneratorValue;
  readonly #types: string[] = [];
  readonly #variables: Record<string, unknown> = {};
  #aliases = 0;

  constructor(schema: GraphQLSchema, ids: () => readonly string[], draw: fc.GeneratorValue) {
    this.#schema = schema;
    this.#ids = ids;
    this.#draw = draw;
  }

  operation(): Operation {
    const { QUERY, MUTATION, SUBSCRIPTION } = OperationTypeNode;
    const kind = this.#one([QUERY, QUERY, QUERY, MUTATION, MUTATION, MUTATION, SUBSCRIPTION]);
    const root = this.#schema.getRootType(kind);
    if (!root) throw new Error(`The schema has no ${kind}.`);
    const fields = kind === SUBSCRIPTION ? 1 : this.#number(1, 2);
    const selection = this.#fieldsOf(root, fields, LEVELS);
    const definitions = this.#types.length > 0 ? `(${this.#types.join(', ')})` : '';
    return { kind, query: `${kind} Q${definitions} ${selection}`, variables: this.#variables };
  }

  #fieldsOf(type: GraphQLObjectType, count: number, levels: number): string {
    const fields = Object.values(type.getFields()).filter(
      (field) => levels > 1 || !isCompositeType(getNamedType(field.type)),
    );
    if (fields.length === 0) return '{ __typename }';
    return `{ ${Array.from({ length: count }, () => this.#field(this.#one(fields), levels)).join(' ')} }`;
  }

  #field(field: GraphQLField<unknown, unknown>, levels: number): string {
    const given = field.args.filter(({ type }) => isNonNullType(type) || this.#draw(fc.boolean));
    const written = given.map(({ name, type }) => {
      const variable = `v${this.#types.length}`;
      this.#types.push(`$${variable}: ${type}`);
      this.#variables[variable] = this.#draw(() => valuesOf(type, this.#ids));
      return `${name}: $${variable}`;
    });
    const args = written.length > 0 ? `(${written.join(', ')})` : '';
    return `a${this.#aliases++}: ${field.name}${args} ${this.#selectionOf(field.type, levels - 1)}`;
  }

  #selectionOf(output: GraphQLOutputType, levels: number): string {
    const type = getNamedType(output);
    if (!isCompositeType(type)) return '';
    if (!isAbstractType(type)) return this.#fieldsOf(type, this.#number(1, FIELDS), levels);
    const types = this.#schema.getPossibleTypes(type).filter(() => this.#draw(fc.boolean));
    const parts = types.map(
      (possible) => `... on ${possible.name} ${this.#fieldsOf(possible, this.#number(1, 2), levels)}`,
    );
    return `{ __typename ${parts.join(' ')} }`;
  }

  #one<T>(values: readonly T[]): T {
    const value = values[this.#number(0, values.length - 1)];
    if (value === undefined) throw new Error('There is nothing to choose from.');
    return value;
  }

  #number(min: number, max: number): number {
    return this.#draw(fc.integer, { min, max });
  }
}
