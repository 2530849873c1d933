import type { SqlDriverAdapter, SqlDriverAdapterFactory, SqlQuery, SqlQueryable } from '@prisma/driver-adapter-utils';
import { inSpan, isTraced } from '../spans.ts';

/**
 * Makes each statement of what is traced a span, with its text: values are no part of it, Prisma sends them as parameters.
 * What @prisma/instrumentation adds to that are Prisma's own steps, for five packages more.
 */
export function traceStatements(factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory {
  const { connect } = factory;
  factory.connect = async () => traced(await connect.call(factory));
  return factory;
}

function traced(adapter: SqlDriverAdapter): SqlDriverAdapter {
  const { startTransaction } = adapter;
  traceQueries(adapter);
  adapter.startTransaction = async (level) => {
    const transaction = await inSpan('BEGIN', { isCall: true }, () => startTransaction.call(adapter, level));
    traceQueries(transaction);
    // Elsewhere Prisma sends these as statements, and then only gives the connection back.
    if (!transaction.options.usePhantomQuery) return transaction;
    const { commit, rollback } = transaction;
    transaction.commit = () => inSpan('COMMIT', { isCall: true }, () => commit.call(transaction));
    transaction.rollback = () => inSpan('ROLLBACK', { isCall: true }, () => rollback.call(transaction));
    return transaction;
  };
  return adapter;
}

function traceQueries(queryable: Pick<SqlQueryable, 'queryRaw' | 'executeRaw'>): void {
  const { queryRaw, executeRaw } = queryable;
  queryable.queryRaw = (query) => inStatementSpan(query, () => queryRaw.call(queryable, query));
  queryable.executeRaw = (query) => inStatementSpan(query, () => executeRaw.call(queryable, query));
}

function inStatementSpan<T>({ sql }: SqlQuery, work: () => Promise<T>): Promise<T> {
  if (!isTraced()) return work();
  const [operation = 'SQL'] = /[A-Za-z]+/.exec(sql) ?? [];
  const attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': operation.toUpperCase(),
    'db.query.text': sql,
  };
  return inSpan(operation.toUpperCase(), { attributes, isCall: true }, work);
}
