import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlDriverAdapter, SqlDriverAdapterFactory, SqlQuery } from '@prisma/driver-adapter-utils';
import { type GraphQLResolveInfo, isObjectType } from 'graphql';
import { schema } from '../../src/schema/index.ts';

/** A field that is being resolved, on whose behalf statements may be issued. */
interface Resolving {
  /** The field's place in the result without the numbers of lists, which is its place in the document. */
  place: string;
  operation: string;
  /** How often each statement was issued at each place; one per execution, so one per event of a subscription. */
  counts: Map<string, number>;
  limit: number;
  isOver: boolean;
}

/** A list's entries must share a statement: an execution issues it once for each field of the document. */
const LIMIT = 1;
/** A mutation looks again at what it has locked, and so on. */
const LIMIT_OF_MUTATIONS = 3;
/**
 * Fields that ask a gateway, each entry for itself, and what is read for each gateway's answer when that has come; and the
 * one that writes what others have reported, too.
 */
const LIVE = new Set([
  'Mutation.heartbeat',
  'Mutation.checkGateway',
  'Mutation.sendAgentMessage',
  'Mutation.wakeAgent',
  'Agent.files',
  'Agent.documents',
  'Gateway.sessions',
  'Gateway.unmanagedAgents',
  'GatewaySession.agent',
]);

const resolving = new AsyncLocalStorage<Resolving>();
const executions = new WeakMap<object, Map<unknown, Map<string, number>>>();

/**
 * Watches that no operation issues a number of statements that grows with its result: each field of a document may issue a
 * statement once, whatever the number of entries in the lists around it.
 */
export class StatementWatch {
  readonly #grown = new Set<string>();
  #heard: SqlQuery[] | null = null;

  /** What Prisma is to be given in place of `factory`. */
  watch(factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory {
    watchFields();
    return {
      provider: factory.provider,
      adapterName: factory.adapterName,
      connect: async () => this.#watched(await factory.connect()),
    };
  }

  /** @throws Error that names the fields and their statements that were seen since the last check, when there are such */
  check(): void {
    const grown = [...this.#grown];
    this.#grown.clear();
    if (grown.length > 0) throw new Error(`Statements were issued again and again:\n${grown.join('\n')}`);
  }

  /** The statements that fields issue while `run` goes on. */
  async during(run: () => Promise<unknown>): Promise<SqlQuery[]> {
    const heard: SqlQuery[] = [];
    this.#heard = heard;
    await run();
    this.#heard = null;
    return heard;
  }

  #watched(adapter: SqlDriverAdapter): SqlDriverAdapter {
    const { startTransaction } = adapter;
    this.#listen(adapter);
    adapter.startTransaction = async (level) => {
      const transaction = await startTransaction.call(adapter, level);
      this.#listen(transaction);
      return transaction;
    };
    return adapter;
  }

  #listen(queryable: Pick<SqlDriverAdapter, 'queryRaw' | 'executeRaw'>): void {
    const { queryRaw, executeRaw } = queryable;
    queryable.queryRaw = (query) => {
      this.#see(query);
      return queryRaw.call(queryable, query);
    };
    queryable.executeRaw = (query) => {
      this.#see(query);
      return executeRaw.call(queryable, query);
    };
  }

  #see(query: SqlQuery): void {
    const field = resolving.getStore();
    if (!field || field.isOver) return;
    this.#heard?.push(query);
    // One parameter per value of a list makes no other statement.
    const statement = query.sql.replace(/\$\d+/g, '$').replace(/\(\$(?:,\s*\$)*\)/g, '($)');
    const key = `${field.place}\n${statement}`;
    const count = (field.counts.get(key) ?? 0) + 1;
    field.counts.set(key, count);
    if (count > field.limit) this.#grown.add(`${field.operation}, ${field.place}: ${statement}`);
  }
}

/** Lets every resolver of the schema say which field it works for; once per process. */
function watchFields(): void {
  if (schema.extensions.isWatched) return;
  schema.extensions = { ...schema.extensions, isWatched: true };
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const { resolve } = field;
      if (!resolve || LIVE.has(`${type.name}.${field.name}`)) continue;
      field.resolve = (source, args, context, info) =>
        within(context, info, () => resolve(source, args, context, info) as unknown);
    }
  }
}

function within(context: object, info: GraphQLResolveInfo, resolve: () => unknown): unknown {
  const field: Resolving = {
    place: placeOf(info),
    operation: info.operation.name?.value ?? info.operation.operation,
    counts: countsOf(context, info),
    limit: info.parentType.name === 'Mutation' ? LIMIT_OF_MUTATIONS : LIMIT,
    isOver: false,
  };
  return resolving.run(field, () => {
    const result = resolve();
    if (!isThenable(result)) return result;
    // What a field has set going may go on when it has its answer: that is no part of the operation.
    return Promise.resolve(result).finally(() => {
      field.isOver = true;
    });
  });
}

/** One per execution: the events of a subscription have one context, and are their root values. */
function countsOf(context: object, { rootValue }: GraphQLResolveInfo): Map<string, number> {
  const ofContext = executions.get(context) ?? new Map<unknown, Map<string, number>>();
  executions.set(context, ofContext);
  const counts = ofContext.get(rootValue) ?? new Map<string, number>();
  ofContext.set(rootValue, counts);
  return counts;
}

function placeOf(info: GraphQLResolveInfo): string {
  const names = [];
  for (let path: GraphQLResolveInfo['path'] | undefined = info.path; path; path = path.prev)
    if (typeof path.key === 'string') names.push(path.key);
  return `${names.reverse().join('.')} (${info.parentType.name})`;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
