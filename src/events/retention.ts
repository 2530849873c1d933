import type { Database } from '../db/database.ts';

interface RetentionLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const PRUNE_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Rows of one delete: few enough that nobody waits for it. */
const BATCH = 5_000;

/** Removes from the log what is older than the retention, every hour, and what was done and which syncs ended before it. */
export class Retention {
  readonly #database: Database;
  readonly #log: RetentionLog;
  readonly #days: number;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;

  /** @param days how long events are kept */
  constructor(database: Database, log: RetentionLog, days: number) {
    this.#database = database;
    this.#log = log;
    this.#days = days;
  }

  start(): void {
    this.#timer = setInterval(() => this.#prune(), PRUNE_MS);
    this.#prune();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  #prune(): void {
    this.#running ??= this.#pruneAll()
      .catch((error: unknown) => this.#log.error({ err: error }, 'cannot prune the event log'))
      .finally(() => {
        this.#running = null;
      });
  }

  async #pruneAll(): Promise<void> {
    const removed = await pruneEvents(this.#database, new Date(Date.now() - this.#days * DAY_MS), () => this.#stopped);
    if (removed > 0) this.#log.info({ events: removed, days: this.#days }, 'old events removed');
  }
}

/** Removes events, activity and ended syncs from before `instant`, batch by batch. @returns how many events */
export async function pruneEvents(
  { prisma }: Pick<Database, 'prisma'>,
  instant: Date,
  stopped: () => boolean = () => false,
): Promise<number> {
  let removed = 0;
  for (let count = BATCH; count === BATCH && !stopped(); removed += count) {
    // What is removed is known with its removal: nobody can take the rest for all there was.
    [{ count }] = await prisma.$queryRaw<[{ count: number }]>`
      WITH removed AS (
        DELETE FROM "AgentEvent" WHERE seq IN (
          SELECT seq FROM (SELECT seq, at FROM "AgentEvent" ORDER BY seq LIMIT ${BATCH}) AS oldest WHERE at < ${instant}
        ) RETURNING seq, at, "organizationId"
      ), marked AS (
        UPDATE "Organization" o SET "eventsRemovedSeq" = greatest(o."eventsRemovedSeq", latest.seq),
            "eventsRemovedAt" = greatest(o."eventsRemovedAt", latest.at)
        FROM (SELECT "organizationId", max(seq) AS seq, max(at) AS at FROM removed GROUP BY 1) AS latest
        WHERE o.id = latest."organizationId"
      )
      SELECT count(*)::int AS count FROM removed`;
  }
  await prisma.activity.deleteMany({ where: { at: { lt: instant } } });
  await prisma.templateSync.deleteMany({ where: { finishedAt: { lt: instant } } });
  return removed;
}
