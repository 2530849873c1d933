import fc from 'fast-check';
import { type GraphQLInputType, isEnumType, isInputObjectType, isListType, isNonNullType } from 'graphql';

/** Texts that mean something to somebody: names, paths, URLs, templates, and what breaks parsers. */
const TELLING_TEXTS = [
  'Wanda',
  'wanda',
  'Launch',
  'two words',
  '~/.openclaw',
  '/srv/agents',
  '../../etc',
  'ws://127.0.0.1:1',
  'wss://gateway.example.com',
  'ws://127.0.0.1:99999',
  '{{ agent_name }}',
  '{% if a %}',
  '{% for i in (1..99999999) %}x{% endfor %}',
  'ab'.repeat(32),
  'main',
  'R1BDOlM6eA==',
  '1',
  '',
  ' ',
  '\u0000',
  '\ud800',
  '%_\\',
  "'; --",
  '__proto__',
  '🧭'.repeat(50),
  'x'.repeat(5_000),
];

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TELLING_TEXTS) },
  { weight: 2, arbitrary: fc.nat(9_999).map((number) => `Name ${number}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);

const integer = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.constantFrom(-1, 0, 1, 30, 300, 101, 86_400, 2_147_483_647, -2_147_483_648),
);

const dateTime = fc
  .date({ min: new Date('1969-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());

/**
 * Values of a type, as JSON.
 * @param ids of objects that there are, or were
 */
export function valuesOf(type: GraphQLInputType, ids: () => readonly string[]): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return present(type.ofType, ids);
  return fc.oneof({ weight: 4, arbitrary: present(type, ids) }, { weight: 1, arbitrary: fc.constant(null) });
}

function present(type: GraphQLInputType, ids: () => readonly string[]): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return present(type.ofType, ids);
  if (isListType(type)) return fc.array(valuesOf(type.ofType, ids), { maxLength: 3 });
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map(({ name }) => name));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const required = fields.filter((field) => isNonNullType(field.type)).map(({ name }) => name);
    const model = Object.fromEntries(fields.map((field) => [field.name, valuesOf(field.type, ids)]));
    return fc.record(model, { requiredKeys: required });
  }
  switch (type.name) {
    case 'ID':
      return idFrom(ids);
    case 'Int':
      return integer;
    case 'Float':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'Boolean':
      return fc.boolean();
    case 'DateTime':
      return dateTime;
    case 'JSON':
      return fc.jsonValue({ maxDepth: 3 });
    default:
      return text;
  }
}

function idFrom(ids: () => readonly string[]): fc.Arbitrary<string> {
  const known = fc.nat().map((index) => ids()[index % ids().length] ?? '');
  return fc.oneof({ weight: 8, arbitrary: known }, { weight: 1, arbitrary: fc.uuid() }, { weight: 1, arbitrary: text });
}
