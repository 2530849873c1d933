import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { InFlight } from '../gateway/in-flight.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { Fact } from '../gateway/observation.ts';
import type { RunCauses } from './causes.ts';
import { gatewaysOfSilentAgents, wakeSilentAgents } from './check-in.ts';
import { GatewayWorker } from './gateway-worker.ts';
import type { GatewayLinks } from './links.ts';
import type { Checks } from './reconcile.ts';
import { RECONCILE_CHANNEL, retryNow, SETTINGS_CHANNEL } from './requests.ts';

export interface ControllerOptions {
  database: Database;
  links: GatewayLinks;
  log: GatewayLog;
  /** Brings one gateway in line. Stops between two steps when the signal is aborted. */
  reconcile: (gatewayId: string, checks: Checks, signal: AbortSignal) => Promise<{ foundDrift: boolean }>;
  /** Is told what the next runs are done for. */
  causes: RunCauses;
  /** What the gateways' events say has happened to their agents. */
  onFacts: (gatewayId: string, facts: Fact[]) => void;
  /** How long after a wake-up an agent may take to show a sign of life, in milliseconds. */
  checkInTimeoutMs: number;
}

/** How often agents that are due, and gateways that nobody looks after, are looked for. */
const TICK_MS = 1_000;
/** Runs of one process under way; most of their time they wait for gateways. */
const GATEWAYS_AT_ONCE = 32;
/** How long the steps under way may take when the server stops. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Looks after gateways: of all processes, the one that holds a gateway's lease keeps the connection whose state and events
 * count, and does the runs, one at a time. What is to be done is in the rows, so that whoever takes over goes on with it.
 */
export class GatewayController {
  readonly #options: ControllerOptions;
  readonly #workers = new Map<string, GatewayWorker>();
  /** Workers that lost their lease and end their step. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #places = new InFlight(GATEWAYS_AT_ONCE);
  readonly #stops: (() => Promise<void>)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #ticking: Promise<void> | null = null;
  #tickAgain = false;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { database, links } = this.#options;
    database.leases.onLost(() => this.#loseAll());
    links.listen({
      onUsable: (gatewayId, changed) => this.#onUsable(gatewayId, changed),
      onFacts: (gatewayId, facts) => {
        if (facts.some(({ kind }) => kind === 'config-changed')) this.#workers.get(gatewayId)?.configChanged();
        this.#options.onFacts(gatewayId, facts);
      },
    });
    const tick = () => this.#tick();
    this.#stops.push(
      await database.listen(RECONCILE_CHANNEL, (payload) => this.#onRequest(payload), tick),
      await database.listen(
        SETTINGS_CHANNEL,
        (gatewayId) => this.#onSettings(gatewayId),
        () => {
          for (const gatewayId of this.#workers.keys()) this.#onSettings(gatewayId);
          tick();
        },
      ),
    );
    this.#timer = setInterval(tick, TICK_MS);
    tick();
    await this.#ticking;
  }

  /** Takes no new work, and lets the steps under way finish for up to 10 s. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    for (const stop of this.#stops) await stop();
    await this.#ticking;
    const ends = [...this.#workers.values()].map((worker) => worker.stop());
    await Promise.race([
      Promise.all([...ends, ...this.#leaving.values()]),
      sleep(STOP_TIMEOUT_MS, null, { ref: false }),
    ]);
  }

  #onRequest(payload: string): void {
    const [gatewayId = '', cause] = payload.split(' ');
    if (cause !== undefined) this.#options.causes.add(gatewayId, cause);
    this.#wake(gatewayId);
  }

  /** A gateway that is new here is taken first. */
  #wake(gatewayId: string): void {
    const worker = this.#workers.get(gatewayId);
    if (worker) worker.wake();
    else this.#tick();
  }

  /** One at a time; a call during another makes that one look once more. */
  #tick(): void {
    if (this.#stopped) return;
    this.#tickAgain = true;
    this.#ticking ??= this.#tickWhileAsked().finally(() => {
      this.#ticking = null;
    });
  }

  async #tickWhileAsked(): Promise<void> {
    while (this.#tickAgain && !this.#stopped) {
      this.#tickAgain = false;
      try {
        await this.#lookAround();
      } catch (error) {
        this.#options.log.error({ err: error }, 'cannot look for gateways and agents that are due');
      }
    }
  }

  async #lookAround(): Promise<void> {
    const { database, checkInTimeoutMs } = this.#options;
    const { prisma } = database;
    const ids = (await prisma.gateway.findMany({ select: { id: true } })).map(({ id }) => id);
    const held = await database.leases.acquire(ids);
    for (const id of held) if (!this.#workers.has(id)) await this.#take(id);
    const gatewayId = { in: [...held] };
    const due = await prisma.agent.groupBy({
      by: ['gatewayId'],
      where: { gatewayId, nextAttemptAt: { lte: new Date() } },
    });
    for (const { gatewayId } of due) this.#workers.get(gatewayId)?.wake();
    for (const worker of this.#workers.values()) worker.checkIfTime();
    for (const id of await gatewaysOfSilentAgents(prisma, [...held], checkInTimeoutMs))
      this.#workers.get(id)?.checkIn();
  }

  async #take(gatewayId: string): Promise<void> {
    const { database, links, log, reconcile, checkInTimeoutMs } = this.#options;
    const gateway = await database.prisma.gateway.findUnique({ where: { id: gatewayId } });
    if (!gateway) return;
    const worker = new GatewayWorker({
      log,
      gatewayId,
      reconcile: (checks, signal) => this.#places.run(() => reconcile(gatewayId, checks, signal), signal),
      wakeSilent: async (signal) => {
        const connection = links.connected(gatewayId);
        if (!connection) return false;
        return wakeSilentAgents(database.prisma, connection, gatewayId, checkInTimeoutMs, signal);
      },
      after: this.#leaving.get(gatewayId) ?? Promise.resolve(),
    });
    this.#workers.set(gatewayId, worker);
    log.info({ gatewayId, name: gateway.name }, 'lease of a gateway taken');
    links.watch(gateway);
    // A change since the row was read found nothing to be applied to.
    this.#onSettings(gatewayId);
    worker.wake();
  }

  #loseAll(): void {
    if (this.#workers.size > 0)
      this.#options.log.warn({ gateways: this.#workers.size }, 'the leases of all gateways were lost');
    for (const gatewayId of this.#workers.keys()) this.#lose(gatewayId);
  }

  #lose(gatewayId: string): void {
    const worker = this.#workers.get(gatewayId);
    if (!worker) return;
    this.#workers.delete(gatewayId);
    this.#options.log.info({ gatewayId }, 'lease of a gateway given up');
    const ended = worker.stop().finally(() => this.#leaving.delete(gatewayId));
    this.#leaving.set(gatewayId, ended);
    this.#options.links.unwatch(gatewayId);
  }

  #onUsable(gatewayId: string, changed: boolean): void {
    retryNow(this.#options.database.prisma, gatewayId, changed)
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, gatewayId }, 'cannot let a gateway’s agents go on');
      })
      .finally(() => this.#workers.get(gatewayId)?.wake({ entries: true, documents: true }));
  }

  #onSettings(gatewayId: string): void {
    this.#applySettings(gatewayId).catch((error: unknown) => {
      this.#options.log.error({ err: error, gatewayId }, 'cannot read the settings of a gateway');
    });
  }

  async #applySettings(gatewayId: string): Promise<void> {
    const { database, links } = this.#options;
    const gateway = await database.prisma.gateway.findUnique({ where: { id: gatewayId } });
    if (gateway) {
      links.update(gateway);
      this.#wake(gatewayId);
      return;
    }
    this.#lose(gatewayId);
    await links.forget(gatewayId);
    await database.leases.release(gatewayId);
  }
}
