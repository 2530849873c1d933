import { getDatamodel } from '../generated/pothos-types.ts';
import type { Database } from './database.ts';

// Rows for lists and by id, as statements of our own where little is asked for: columns, and those of related rows, under
// conditions on either. Prisma's client takes a quarter of the time of a list for the same, and PostgreSQL twice as long for
// lists of several parents, which it makes JSON of. Whatever is more goes to the client; both answer the same
// (test/api/plain-rows.test.ts).

/** The models of the Prisma client that lists and look-ups read. */
export type Model = 'agent' | 'board' | 'gateway' | 'task';

/** Of Prisma's arguments of findMany what lists and look-ups give it. */
export interface RowsAsked {
  where: object;
  select: object;
  orderBy?: { id: 'asc' | 'desc' };
  take?: number;
}

export type Row = { id: string };

/** The rows of a model, as findMany has them. */
export function readRows({ query, prisma }: Database, model: Model, asked: RowsAsked): PromiseLike<Row[]> {
  const plain = plainStatement(model, asked);
  if (plain) return query(plain, plain.toRow);
  return (prisma[model] as unknown as { findMany(asked: RowsAsked): PromiseLike<Row[]> }).findMany(asked);
}

/** Of each parent the rows of a relation, by the parents' ids. Parents that are not there have none. */
export async function readRowsOfEach(
  { query, prisma }: Database,
  { parents, relation }: { parents: Model; relation: string },
  ids: readonly string[],
  asked: RowsAsked,
): Promise<Map<string, Row[]>> {
  const plain = plainStatementOfEach(parents, relation, ids, asked);
  const rows = new Map<string, Row[]>(ids.map((id) => [id, []]));
  if (plain) {
    for (const { parent, row } of await query(plain, plain.toRow)) rows.get(parent)?.push(row);
    return rows;
  }
  const model = prisma[parents] as unknown as {
    findMany(asked: object): PromiseLike<(Row & Record<string, Row[]>)[]>;
  };
  const found = await model.findMany({ where: { id: { in: [...ids] } }, select: { id: true, [relation]: asked } });
  for (const row of found) rows.set(row.id, row[relation] ?? []);
  return rows;
}

type Field = (typeof models)[string]['fields'][number];
const { models } = getDatamodel().datamodel;
const fieldsOf = new Map(
  Object.entries(models).map(([name, { fields }]) => [name, new Map(fields.map((field) => [field.name, field]))]),
);
/** Those whose values are the same in both ways. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(['String', 'Int', 'Boolean', 'DateTime', 'Json']);

interface Plain<Answer> {
  text: string;
  values: unknown[];
  toRow: (values: readonly unknown[]) => Answer;
}

/** Null for what the client has to read. */
export function plainStatement(model: Model, asked: RowsAsked): Plain<Row> | null {
  const table = tableOf(model);
  const values: unknown[] = [];
  const selection = selectionOf(table, asked.select);
  const condition = conditionOf('t', table, asked.where, values);
  if (!selection || condition === null) return null;
  const { columns, joins, toRow } = selection;
  const text = `SELECT ${columns.join(', ')} FROM "${table}" AS t${joins.join('')} WHERE ${condition}${orderOf(asked, values)}`;
  return { text, values, toRow };
}

/** Null for what the client has to read. */
export function plainStatementOfEach(
  parents: Model,
  relation: string,
  ids: readonly string[],
  asked: RowsAsked,
): Plain<{ parent: string; row: Row }> | null {
  const list = fieldsOf.get(tableOf(parents))?.get(relation);
  const table = list?.type ?? '';
  const key = foreignKeyOf([...(fieldsOf.get(table)?.values() ?? [])].find((field) => isOther(field, list)));
  const values: unknown[] = [[...ids]];
  const selection = selectionOf(table, asked.select);
  const condition = conditionOf('t', table, asked.where, values);
  if (key === null || !selection || condition === null) return null;
  const { columns, joins, toRow } = selection;
  const names = columns.map((_, index) => `c${index}`);
  const order = orderOf(asked, values);
  const rows =
    `SELECT ${columns.map((column, index) => `${column} AS c${index}`).join(', ')}, t.id AS place ` +
    `FROM "${table}" AS t${joins.join('')} WHERE t."${key}" = parent.id AND ${condition}${order}`;
  const text =
    `SELECT parent.id AS parent, ${names.join(', ')} FROM unnest($1::uuid[]) AS parent (id) ` +
    `CROSS JOIN LATERAL (${rows}) AS child ORDER BY parent.id, place ${asked.orderBy?.id ?? 'asc'}`;
  return { text, values, toRow: ([parent, ...row]) => ({ parent: parent as string, row: toRow(row) }) };
}

function tableOf(model: Model): string {
  return `${model.charAt(0).toUpperCase()}${model.slice(1)}`;
}

/** Whether they are the two sides of one relation. */
function isOther(field: Field, list: Field | undefined): boolean {
  return field.relationName !== undefined && field.relationName === list?.relationName && field !== list;
}

/** The column that says which row a field means; null for a field that is no relation to one row. */
function foreignKeyOf(field: Field | undefined): string | null {
  const [key, ...more] = field?.relationFromFields ?? [];
  return field?.isList === false && key !== undefined && more.length === 0 ? key : null;
}

function isPlain(field: Field | undefined): boolean {
  return field !== undefined && !field.isList && (field.kind === 'enum' || PLAIN_TYPES.has(field.type));
}

interface Selection {
  columns: string[];
  joins: string[];
  toRow(values: readonly unknown[]): Row;
}

function selectionOf(table: string, select: object): Selection | null {
  const names: string[] = [];
  const related: { name: string; key: string; table: string; columns: string[] }[] = [];
  for (const [name, wanted] of Object.entries(select)) {
    const field = fieldsOf.get(table)?.get(name);
    if (wanted === true && isPlain(field)) {
      names.push(name);
      continue;
    }
    const key = foreignKeyOf(field);
    const columns = relatedColumns(field, wanted);
    if (!field || key === null || !columns) return null;
    related.push({ name, key, table: field.type, columns });
  }
  return {
    columns: [
      ...names.map((name) => `t."${name}"`),
      ...related.flatMap(({ name, columns }) => columns.map((column) => `"${name}"."${column}"`)),
    ],
    joins: related.map(
      ({ name, key, table: other }) => ` LEFT JOIN "${other}" AS "${name}" ON "${name}".id = t."${key}"`,
    ),
    toRow(values) {
      const row: Record<string, unknown> = {};
      let place = 0;
      for (const name of names) row[name] = values[place++];
      for (const { name, columns } of related) {
        const of: Record<string, unknown> = {};
        for (const column of columns) of[column] = values[place++];
        row[name] = of.id === null ? null : of;
      }
      return row as Row;
    },
  };
}

/** Its id among them, by which one knows whether there is one; null when more is asked for. */
function relatedColumns(field: Field | undefined, wanted: unknown): string[] | null {
  const { select } = (wanted ?? {}) as { select?: object };
  if (!field || !select || Object.keys(wanted as object).length > 1) return null;
  const isColumn = ([name, each]: [string, unknown]) => each === true && isPlain(fieldsOf.get(field.type)?.get(name));
  return Object.entries(select).every(isColumn) ? [...new Set(['id', ...Object.keys(select)])] : null;
}

const COMPARISONS: Record<string, string> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/**
 * What `where` asks of a row, in SQL; null when it asks for more than columns, its own or of rows that it belongs to.
 * @param alias of the table
 * @param values gets those that are compared with
 */
function conditionOf(alias: string, table: string, where: object, values: unknown[]): string | null {
  const parts: (string | null)[] = Object.entries(where).flatMap(([name, wanted]) => {
    // As it is for Prisma.
    if (wanted === undefined) return [];
    if (name === 'AND') return [wanted].flat().map((each) => conditionOf(alias, table, each, values));
    const field = fieldsOf.get(table)?.get(name);
    return isPlain(field)
      ? conditionsOn(`${alias}."${name}"`, wanted, values)
      : [conditionOnRelated(alias, field, wanted, values)];
  });
  if (parts.includes(null)) return null;
  const conditions = parts.filter((part) => part !== TRUE);
  return conditions.length === 0 ? TRUE : conditions.join(' AND ');
}

function conditionOnRelated(
  alias: string,
  field: Field | undefined,
  wanted: unknown,
  values: unknown[],
): string | null {
  const key = foreignKeyOf(field);
  if (!field || key === null || typeof wanted !== 'object' || wanted === null) return null;
  const other = `${alias}x`;
  const condition = conditionOf(other, field.type, wanted, values);
  if (condition === null) return null;
  return `EXISTS (SELECT FROM "${field.type}" AS ${other} WHERE ${other}.id = ${alias}."${key}" AND ${condition})`;
}

const TRUE = 'TRUE';

function conditionsOn(column: string, wanted: unknown, values: unknown[]): (string | null)[] {
  const parameter = (value: unknown) => `$${values.push(value)}`;
  if (wanted === null) return [`${column} IS NULL`];
  if (typeof wanted !== 'object' || wanted instanceof Date) return [`${column} = ${parameter(wanted)}`];
  return Object.entries(wanted).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const comparison = COMPARISONS[name];
    if (comparison !== undefined) return [`${column} ${comparison} ${parameter(value)}`];
    if (name !== 'in' || !Array.isArray(value)) return [null];
    return [value.length === 0 ? 'FALSE' : `${column} IN (${value.map(parameter).join(', ')})`];
  });
}

function orderOf({ orderBy, take }: RowsAsked, values: unknown[]): string {
  const order = orderBy ? ` ORDER BY t.id ${orderBy.id}` : '';
  return take === undefined ? order : `${order} LIMIT $${values.push(take)}`;
}
