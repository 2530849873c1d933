import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import {
  type FieldNode,
  type GraphQLFieldResolver,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  getNamedType,
  isLeafType,
  isObjectType,
  Kind,
} from 'graphql';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      loadedColumns: LoadedColumnsPlugin<Types>;
    }
  }
}

/**
 * A value or a related row that a row has is answered with at once. The prisma plugin asks for each of each row whether it was
 * selected, by a key of the place in the document: a third of the time that a list takes. It goes on to see to rows that lack it.
 */
class LoadedColumnsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { resolve: own, type, extensions } = config;
    if (!own || config.argMappers.length > 0) return resolve;
    const relation = relationOf(extensions);
    if (relation !== null)
      return (row, args, context, info) => {
        const related = (row as Record<string, unknown>)[relation];
        // Of what else is asked for below it the plugin has to know where it is.
        const isWhole = related === null || (related !== undefined && columnsAskedFor(info, ITSELF) !== null);
        return isWhole ? related : resolve(row, args, context, info);
      };
    const columns = columnsOf(extensions?.pothosPrismaSelect);
    if (!columns || !this.#isLeaf(type)) return resolve;
    return (row, args, context, info) =>
      columns.every((column) => (row as Record<string, unknown>)[column] !== undefined)
        ? own(row as never, args as never, context, info)
        : resolve(row, args, context, info);
  }

  #isLeaf(type: PothosOutputFieldConfig<Types>['type']): boolean {
    const of = type.kind === 'List' ? type.type : type;
    return of.kind !== 'List' && (of.kind === 'Scalar' || of.kind === 'Enum');
  }
}

/** Columns, and those of related rows. */
interface Columns {
  [name: string]: true | { select: Columns };
}

/** For a field that answers with its objects. */
export const ITSELF: readonly string[][] = [];

/** By field of a document, which is kept parsed, and by the paths below it. */
const asked = new WeakMap<FieldNode, Map<readonly string[][], Columns | null>>();

/**
 * The columns that the document asks for of a field's objects, when it asks for nothing else that the prisma plugin would have
 * to know of. They are found once for a document; the plugin would go through it for each request, and for each entry of a list.
 * @param paths from the field to its objects; the same array each time
 * @returns null where fragments, directives or lists take more than that
 */
export function columnsAskedFor(info: GraphQLResolveInfo, paths: readonly string[][]): Columns | null {
  const [field, ...others] = info.fieldNodes;
  if (!field || others.length > 0) return null;
  const known = asked.get(field) ?? new Map<readonly string[][], Columns | null>();
  asked.set(field, known);
  let columns = known.get(paths);
  if (columns === undefined) {
    columns = columnsBelow(info.returnType, field, paths.length === 0 ? [[]] : paths);
    known.set(paths, columns);
  }
  return columns;
}

/** Null also for what leads to no object, or to objects in parts. */
function columnsBelow(type: GraphQLOutputType, field: FieldNode, paths: readonly string[][]): Columns | null {
  const object = getNamedType(type);
  const selections = field.selectionSet?.selections;
  if (!isObjectType(object) || !selections) return null;
  const fields = selections.filter((selection) => selection.kind === Kind.FIELD);
  if (fields.length < selections.length || selections.some(({ directives = [] }) => directives.length > 0)) return null;
  const parts = fields.map((below): Columns | null => {
    const { value: name } = below.name;
    const definition = object.getFields()[name];
    // The plugin knows nothing of it either: __typename, or a field that reads for itself.
    if (!definition) return {};
    const next = paths.filter(([first]) => first === name).map(([, ...rest]) => rest);
    if (next.length > 0) return columnsBelow(definition.type, below, next);
    // Beside the way to the objects, for example a page's totalCount.
    if (paths.every(({ length }) => length > 0)) return {};
    const relation = relationOf(definition.extensions);
    if (relation !== null) return relatedBelow(relation, definition.type, below);
    const { pothosPrismaSelect: select } = definition.extensions;
    if (select === undefined) return {};
    const columns = isLeafType(getNamedType(definition.type)) ? columnsOf(select) : null;
    return columns && Object.fromEntries(columns.map((column) => [column, true as const]));
  });
  const relations = parts.flatMap((part) => Object.entries(part ?? {})).filter(([, selected]) => selected !== true);
  // Several fields of one relation, under aliases, would have to be merged.
  const isTwice = new Set(relations.map(([name]) => name)).size < relations.length;
  return isTwice || parts.includes(null) ? null : Object.assign({}, ...parts);
}

function relatedBelow(relation: string, type: GraphQLOutputType, field: FieldNode): Columns | null {
  const columns = columnsBelow(type, field, [[]]);
  const { pothosPrismaTypeSelection: always } = getNamedType(type).extensions as {
    pothosPrismaTypeSelection?: { select?: Columns };
  };
  return columns && always?.select ? { [relation]: { select: { ...always.select, ...columns } } } : null;
}

/** Of a field that is a relation to one row, its name in the model; else null. */
function relationOf(extensions: object | null | undefined): string | null {
  const { pothosPrismaRelationField: relation } = (extensions ?? {}) as {
    pothosPrismaRelationField?: { name: string; isList: boolean };
  };
  return relation && !relation.isList ? relation.name : null;
}

/** Null when more is selected than columns. */
function columnsOf(select: unknown): string[] | null {
  if (typeof select !== 'object' || select === null) return null;
  return Object.values(select).every((wanted) => wanted === true) ? Object.keys(select) : null;
}

SchemaBuilder.registerPlugin('loadedColumns', LoadedColumnsPlugin);
