import {
  type ASTNode,
  type DocumentNode,
  type ExecutionArgs,
  GraphQLError,
  type GraphQLField,
  getNamedType,
  getNullableType,
  getOperationAST,
  isLeafType,
  isListType,
  visit,
} from 'graphql';
import { type ComplexityEstimator, getComplexity } from 'graphql-query-complexity';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { DEFAULT_PAGE_SIZE, LARGEST_PAGE } from '../schema/builder.ts';
import { keyOf } from './key.ts';

const KEPT_OF_DOCUMENT = 100;
const LONGEST_KEY = 200;

/** What a list counts that says nothing of its length: an agent has about ten documents, a type about ten fields. */
const USUAL_LIST = 10;

/**
 * Refuses an operation that may make too many objects, before anything of it is executed. What it may make at most is its cost,
 * as the operation and its variables say it: an object counts 1 and its values nothing; a page counts its size (first, last, or
 * the default) times what is below it; a list of ids their number; any other list ten. What is read live from a gateway has a
 * price of its own: `extensions.cost` of its field, in src/schema/.
 */
export function limitCost(limit: number): Plugin {
  const costs = new Costs();
  const check = (hook: {
    args: ExecutionArgs;
    setResultAndStopExecution: (result: { errors: GraphQLError[] }) => void;
  }): void => {
    const cost = costs.of(hook.args);
    if (cost === null || cost <= limit) return;
    const message = `The operation may make ${cost} objects; it may cost ${limit}. Ask for smaller pages (first), or for less in them.`;
    const extensions = { code: 'COST_LIMIT_EXCEEDED', cost, limit, http: { spec: true, status: 400 } };
    hook.setResultAndStopExecution({ errors: [new GraphQLError(message, { extensions })] });
  };
  return { onExecute: check, onSubscribe: check };
}

/** Costs of documents, kept as long as the documents are: to find one out takes as long as to find an agent. */
class Costs {
  readonly #known = new WeakMap<
    DocumentNode,
    { decisive: string[]; costs: LRUCache<string, { cost: number | null }> }
  >();

  /** See costOf. */
  of(args: ExecutionArgs): number | null {
    const { document, operationName, variableValues } = args;
    const known = this.#known.get(document) ?? {
      decisive: decisiveVariables(document),
      costs: new LRUCache<string, { cost: number | null }>({ max: KEPT_OF_DOCUMENT }),
    };
    this.#known.set(document, known);
    const key = keyOf([operationName, ...known.decisive.map((name) => variableValues?.[name])]);
    // A key of any length would be kept.
    if (key === null || key.length > LONGEST_KEY) return costOf(args);
    const found = known.costs.get(key) ?? { cost: costOf(args) };
    // Where there is none, another variable may be the one that is wrong.
    if (found.cost !== null) known.costs.set(key, found);
    return found.cost;
  }
}

/** The variables that the cost depends on: those of page sizes, lists of ids, and of directives. */
function decisiveVariables(document: DocumentNode): string[] {
  const names = new Set<string>();
  const collect = (node: ASTNode) => {
    visit(node, { Variable: ({ name }) => void names.add(name.value) });
  };
  visit(document, {
    Argument: (node) => (['first', 'last', 'ids'].includes(node.name.value) ? collect(node) : undefined),
    Directive: collect,
  });
  return [...names];
}

/** Null for an operation that does not get as far as to be executed, because it or its variables are wrong. */
export function costOf({ schema, document, operationName, variableValues }: ExecutionArgs): number | null {
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const fragments = document.definitions.filter(({ kind }) => kind === 'FragmentDefinition');
  try {
    return getComplexity({
      schema,
      query: { ...document, definitions: [operation, ...fragments] },
      variables: variableValues ?? {},
      estimators: [estimate],
      // limitShape has seen to it already.
      maxQueryNodes: Number.POSITIVE_INFINITY,
    });
  } catch (error) {
    // A variable or an argument is wrong: the executor says so, in the same words.
    if (error instanceof GraphQLError) return null;
    throw error;
  }
}

const estimate: ComplexityEstimator = ({ type, field, args, childComplexity }) => {
  const entry = isLeafType(getNamedType(field.type)) ? 0 : 1;
  // The page's own fields: its size is counted by the field that leads to it.
  if (/(Connection|Edge)$/.test(type.name)) return (/^(nodes|node)$/.test(field.name) ? 1 : 0) + childComplexity;
  const extra = typeof field.extensions.cost === 'number' ? field.extensions.cost : 0;
  if (isPage(field)) return extra + 1 + pageSize(args) * childComplexity;
  return extra + lengthOf(field, args) * (entry + childComplexity);
};

function isPage({ args }: GraphQLField<unknown, unknown>): boolean {
  return ['first', 'last'].every((name) => args.some((arg) => arg.name === name));
}

function pageSize({ first, last }: { [name: string]: unknown }): number {
  const asked = first ?? last ?? DEFAULT_PAGE_SIZE;
  return typeof asked === 'number' ? Math.min(Math.max(asked, 0), LARGEST_PAGE) : DEFAULT_PAGE_SIZE;
}

function lengthOf(field: GraphQLField<unknown, unknown>, { ids }: { [name: string]: unknown }): number {
  if (!isListType(getNullableType(field.type))) return 1;
  return Array.isArray(ids) ? ids.length : USUAL_LIST;
}
