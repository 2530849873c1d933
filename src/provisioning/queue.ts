import { fromPrisma, PgBoss } from 'pg-boss';
import type { Database, Db } from '../db/database.ts';
import type { GatewayLog } from '../gateway/log.ts';

interface ReconcileJob {
  gatewayId: string;
}

const QUEUE = 'reconcile-gateway';
/** Gateways that this process brings in line at the same time. */
const GATEWAYS_AT_ONCE = 8;
/** How often agents that are due are looked for: retries, and jobs that were lost with their process. */
const SWEEP_MS = 1_000;
/** A run that is not heard of for this long is taken to be dead. The least that pg-boss allows. */
const JOB_HEARTBEAT_SECONDS = 10;
/** How often dead runs are looked for; with the heartbeat, another process takes over within 15 s. */
const SUPERVISE_SECONDS = 2;
/** How long runs under way may take when the server stops. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Which gateways are to be brought in line. At most one run per gateway at a time, over all processes, and at most one
 * more that waits: a run looks at everything that is due, so a second one waiting would find nothing.
 */
export class ReconcileQueue {
  readonly #database: Database;
  readonly #log: GatewayLog;
  readonly #boss: PgBoss;
  #sweeping: NodeJS.Timeout | null = null;
  #sweep: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(database: Database, log: GatewayLog) {
    this.#database = database;
    this.#log = log;
    this.#boss = new PgBoss({
      ...database.jobOptions,
      useListenNotify: true,
      schedule: false,
      superviseIntervalSeconds: SUPERVISE_SECONDS,
      monitorIntervalSeconds: 1,
    });
    this.#boss.on('error', (error) => this.#log.error({ err: error }, 'job queue'));
  }

  /** Opens the queue, so that it takes jobs; nothing is run yet. */
  async open(): Promise<void> {
    await this.#boss.start();
    await this.#boss.createQueue(QUEUE, {
      policy: 'short',
      retryLimit: 0,
      heartbeatSeconds: JOB_HEARTBEAT_SECONDS,
      expireInSeconds: 60 * 60,
      deleteAfterSeconds: 60 * 60,
      notify: true,
    });
    // On the embedded database no other process is alive, so all jobs are those of one that was killed: a run of it
    // would hold its gateway's place until its heartbeat is missed. The sweep asks again for what is due. It is also
    // how pg-boss gets to know the queue: else the first job of a transaction would look it up on another connection,
    // and the embedded database has but one.
    if (this.#database.kind === 'embedded') await this.#boss.deleteAllJobs(QUEUE);
  }

  /** Begins to run the jobs, with `reconcile`, which brings one gateway in line. */
  async work(reconcile: (gatewayId: string, signal: AbortSignal) => Promise<void>): Promise<void> {
    await this.#boss.work<ReconcileJob>(
      QUEUE,
      {
        localConcurrency: GATEWAYS_AT_ONCE,
        groupConcurrency: 1,
        pollingIntervalSeconds: 1,
        // It is told of every job; this is for a notification that was lost. Eight workers that poll every second cost
        // 5 % of a core on the embedded database.
        notifyPollingIntervalSeconds: 10,
      },
      async ([job]) => {
        if (job) await reconcile(job.data.gatewayId, job.signal);
      },
    );
    this.#sweeping = setInterval(() => {
      this.#sweep = this.#enqueueDue();
    }, SWEEP_MS);
    this.#sweep = this.#enqueueDue();
  }

  /** Asks for a run; in a transaction, for one after its commit. */
  async enqueue(db: Db, gatewayId: string): Promise<void> {
    await this.#boss.send(QUEUE, { gatewayId } satisfies ReconcileJob, {
      singletonKey: gatewayId,
      group: { id: gatewayId },
      db: fromPrisma(db),
    });
  }

  /** A gateway can be used again: what waits for it goes on now instead of at its next try. */
  async retryNow(gatewayId: string): Promise<void> {
    try {
      await this.#database.prisma.agent.updateMany({
        where: {
          gatewayId,
          OR: [
            { provisioningPhase: { in: ['RETRYING', 'FAILED'] } },
            // Provisioned while the gateway had no usable model, and so not woken.
            { provisioningPhase: 'SUCCEEDED', wokenAt: null, isManaged: true },
          ],
        },
        data: { nextAttemptAt: new Date() },
      });
      await this.enqueue(this.#database.prisma, gatewayId);
    } catch (error) {
      this.#log.error({ err: error, gatewayId }, 'cannot let a gateway’s agents go on');
    }
  }

  /** Takes no new jobs, and lets those under way finish for up to 10 s. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#sweeping) clearInterval(this.#sweeping);
    await this.#sweep;
    await this.#boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS, close: true });
  }

  async #enqueueDue(): Promise<void> {
    try {
      const due = await this.#database.prisma.agent.findMany({
        where: { nextAttemptAt: { lte: new Date() } },
        distinct: ['gatewayId'],
        select: { gatewayId: true },
      });
      for (const { gatewayId } of due) await this.enqueue(this.#database.prisma, gatewayId);
    } catch (error) {
      this.#log.error({ err: error }, 'cannot look for agents that are due');
    }
  }
}
