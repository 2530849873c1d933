import { GatewayError } from '../gateway/errors.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { Checks } from './reconcile.ts';

/** How often a gateway is compared with what it should have, although nothing tells that it changed. */
const CHECK_MS = 10 * 60_000;
/** When it is looked at again after a look that the gateway, or its connection, has not let end. */
const CHECK_AGAIN_MS = 30_000;
/** A write of a gateway's configuration is often followed by others. */
const CONFIG_QUIET_MS = 500;
/** Somebody who changes what was repaired, again and again, is not raced with: each time it is left so for twice as long. */
const LONGEST_QUIET_MS = 60_000;

interface WorkerOptions {
  log: GatewayLog;
  gatewayId: string;
  reconcile: (checks: Checks, signal: AbortSignal) => Promise<{ foundDrift: boolean }>;
  /** Asks for agents to be woken again that have shown no sign of life. @returns whether there are any */
  wakeSilent: (signal: AbortSignal) => Promise<boolean>;
  /** What has to end before the first run. */
  after: Promise<void>;
}

/** The runs of one gateway: one at a time, and at most one more that waits, for a run looks at everything that is due. */
export class GatewayWorker {
  readonly #options: WorkerOptions;
  readonly #stopping = new AbortController();
  #wanted: Checks | null = null;
  #running: Promise<void> | null = null;
  #checkingIn: Promise<void> | null = null;
  #checkedAt = 0;
  #driftsInRow = 0;
  #configTimer: NodeJS.Timeout | null = null;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Asks for a run, which also compares what `checks` says. */
  wake(checks: Checks = { entries: false, documents: false }): void {
    if (this.#stopping.signal.aborted) return;
    this.#wanted = {
      entries: checks.entries || (this.#wanted?.entries ?? false),
      documents: checks.documents || (this.#wanted?.documents ?? false),
    };
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Compares everything when it was not done for long enough. */
  checkIfTime(): void {
    const now = performance.now();
    if (this.#checkedAt === 0) this.#checkedAt = now;
    if (now - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = now;
    this.wake({ entries: true, documents: true });
  }

  /** The gateway's configuration was changed by somebody: compares the agents' entries when it has been quiet for a moment. */
  configChanged(): void {
    const delayMs = Math.min(LONGEST_QUIET_MS, CONFIG_QUIET_MS * 2 ** this.#driftsInRow);
    this.#configTimer ??= setTimeout(() => {
      this.#configTimer = null;
      this.wake({ entries: true, documents: false });
    }, delayMs);
  }

  /** Looks after agents that have shown no sign of life. One look at a time: a busy gateway takes its time to answer. */
  checkIn(): void {
    if (this.#stopping.signal.aborted) return;
    this.#checkingIn ??= this.#wakeSilent().finally(() => {
      this.#checkingIn = null;
    });
  }

  async #wakeSilent(): Promise<void> {
    const { gatewayId, log, wakeSilent } = this.#options;
    const { signal } = this.#stopping;
    try {
      if (await wakeSilent(signal)) this.wake();
    } catch (error) {
      // It is looked again in a moment.
      if (signal.aborted) return;
      if (error instanceof GatewayError)
        log.debug({ gatewayId, reason: error.reason }, 'a gateway did not say which of its agents work');
      else log.error({ err: error, gatewayId }, 'cannot wake agents again');
    }
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#configTimer) clearTimeout(this.#configTimer);
    await Promise.all([this.#running, this.#checkingIn]);
  }

  async #run(): Promise<void> {
    const { after, gatewayId, log, reconcile } = this.#options;
    const { signal } = this.#stopping;
    await after;
    while (this.#wanted && !signal.aborted) {
      const checks = this.#wanted;
      this.#wanted = null;
      try {
        const { foundDrift } = await reconcile(checks, signal);
        if (checks.entries) this.#driftsInRow = foundDrift ? this.#driftsInRow + 1 : 0;
      } catch (error) {
        // The agents that it was about are still due.
        if (signal.aborted) return;
        this.#checkedAt = performance.now() - CHECK_MS + CHECK_AGAIN_MS;
        if (error instanceof GatewayError)
          log.warn({ gatewayId, reason: error.reason, message: error.message }, 'a gateway could not be looked at');
        else log.error({ err: error, gatewayId }, 'a run for a gateway failed');
      }
    }
  }
}
