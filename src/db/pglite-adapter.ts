import type { PGlite, Transaction as PGliteTransaction } from '@electric-sql/pglite';
import type { IsolationLevel, SqlDriverAdapter, SqlQueryable, Transaction } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';

/**
 * pglite-prisma-adapter 0.7.2 with three defects mended: it swallows a COMMIT that fails (a deferred foreign key,
 * say), ignores the isolation level, and does not wait for executeScript.
 */
export class PGliteAdapter extends PrismaPGlite {
  readonly #db: PGlite;

  constructor(db: PGlite) {
    super(db);
    this.#db = db;
  }

  override async connect(): Promise<SqlDriverAdapter> {
    return mend(await super.connect(), this.#db);
  }
}

/** The adapter's own base class: queryRaw and executeRaw over a PGlite or a transaction, and the mapping of errors. */
type Queryable = SqlQueryable & { onError(error: unknown): never };

function mend(inner: SqlDriverAdapter, db: PGlite): SqlDriverAdapter {
  // The class is not exported: it is the parent of the adapter's class.
  const QueryableClass = Object.getPrototypeOf(Object.getPrototypeOf(inner)).constructor as new (
    client: PGliteTransaction,
  ) => Queryable;
  const onError = (error: unknown): never => (inner as unknown as Queryable).onError(error);

  inner.executeScript = async (script) => {
    try {
      await db.exec(script);
    } catch (error) {
      onError(error);
    }
  };

  inner.startTransaction = async (level?: IsolationLevel): Promise<Transaction> => {
    const started = Promise.withResolvers<PGliteTransaction>();
    const ending = Promise.withResolvers<'commit' | 'rollback'>();
    const done = db.transaction(async (tx) => {
      if (level) await tx.exec(`SET TRANSACTION ISOLATION LEVEL ${level}`);
      started.resolve(tx);
      if ((await ending.promise) === 'rollback') await tx.rollback();
    });
    done.catch(started.reject);
    const queryable = new QueryableClass(await started.promise);
    const end = async (how: 'commit' | 'rollback'): Promise<void> => {
      ending.resolve(how);
      try {
        await done;
      } catch (error) {
        onError(error);
      }
    };
    return Object.assign(queryable, {
      options: { usePhantomQuery: true },
      commit: () => end('commit'),
      rollback: () => end('rollback'),
    });
  };
  return inner;
}
