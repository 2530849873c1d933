import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isScalarType,
  isUnionType,
} from 'graphql';

interface Comparison {
  /** Where both have a thing and a client that relies on the contract would break. */
  different: string[];
  /** What only the contract has. A missing type is named once, without its fields. */
  missing: string[];
}

/** What keeps `schema` from being a superset of `contract`: names, arguments, defaults, nullability, union members. */
export function compareWithContract(schema: GraphQLSchema, contract: GraphQLSchema): Comparison {
  const found: Comparison = { different: [], missing: [] };
  for (const wanted of Object.values(contract.getTypeMap())) {
    if (isIntrospectionType(wanted)) continue;
    const actual = schema.getType(wanted.name);
    if (!actual) found.missing.push(wanted.name);
    else compareTypes(actual, wanted, found);
  }
  return found;
}

function compareTypes(actual: GraphQLNamedType, wanted: GraphQLNamedType, found: Comparison): void {
  const { name } = wanted;
  if (kindOf(actual) !== kindOf(wanted)) {
    found.different.push(`${name} is no ${kindOf(wanted)}`);
  } else if (isUnionType(wanted) && isUnionType(actual)) {
    const members = { actual: namesOf(actual.getTypes()), wanted: namesOf(wanted.getTypes()) };
    found.missing.push(...members.wanted.filter((member) => !members.actual.includes(member)).map(memberOf(name)));
    found.different.push(...members.actual.filter((member) => !members.wanted.includes(member)).map(memberOf(name)));
  } else if (isEnumType(wanted) && isEnumType(actual)) {
    const values = wanted.getValues().filter((value) => !actual.getValue(value.name));
    found.missing.push(...values.map((value) => `${name}.${value.name}`));
  } else if (isInputObjectType(wanted) && isInputObjectType(actual)) {
    const fields = { actual: Object.values(actual.getFields()), wanted: Object.values(wanted.getFields()) };
    compareInputs(fields.actual, fields.wanted, (field) => `${name}.${field}`, found);
  } else if (hasFields(wanted) && hasFields(actual)) {
    const interfaces = namesOf(actual.getInterfaces());
    const lost = namesOf(wanted.getInterfaces()).filter((one) => !interfaces.includes(one));
    found.missing.push(...lost.map((one) => `${name} implements ${one}`));
    for (const field of Object.values(wanted.getFields())) {
      const same = actual.getFields()[field.name];
      if (!same) {
        found.missing.push(`${name}.${field.name}`);
        continue;
      }
      const coordinate = `${name}.${field.name}`;
      if (`${same.type}` !== `${field.type}`) found.different.push(`${coordinate}: ${same.type}, not ${field.type}`);
      compareInputs(same.args, field.args, (argument) => `${coordinate}(${argument}:)`, found);
    }
  }
}

type Input = GraphQLArgument | GraphQLInputField;

function compareInputs(
  actual: readonly Input[],
  wanted: readonly Input[],
  coordinate: (name: string) => string,
  found: Comparison,
): void {
  for (const input of wanted) {
    const at = coordinate(input.name);
    const same = actual.find(({ name }) => name === input.name);
    if (!same) {
      found.missing.push(at);
      continue;
    }
    if (`${same.type}` !== `${input.type}`) found.different.push(`${at}: ${same.type}, not ${input.type}`);
    const defaults = [same, input].map(({ defaultValue }) => JSON.stringify(defaultValue) ?? 'nothing');
    if (defaults[0] !== defaults[1]) found.different.push(`${at} defaults to ${defaults[0]}, not ${defaults[1]}`);
  }
  const known = namesOf(wanted);
  for (const input of actual) {
    const required = isNonNullType(input.type) && input.defaultValue === undefined;
    if (required && !known.includes(input.name)) found.different.push(`${coordinate(input.name)} is required`);
  }
}

function kindOf(type: GraphQLNamedType): string {
  if (isScalarType(type)) return 'scalar';
  if (isEnumType(type)) return 'enum';
  if (isUnionType(type)) return 'union';
  if (isInterfaceType(type)) return 'interface';
  return isInputObjectType(type) ? 'input' : 'object';
}

const hasFields = (type: GraphQLNamedType) => isObjectType(type) || isInterfaceType(type);
const namesOf = (things: readonly { name: string }[]): string[] => things.map(({ name }) => name);
const memberOf = (union: string) => (member: string) => `${union} = ${member}`;
