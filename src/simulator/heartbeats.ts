import { randomUUID } from 'node:crypto';
import { durationMs } from './config-rules.ts';
import type { Gateway } from './gateway.ts';
import { checkParams, optionalText, text } from './params.ts';
import { type Dict, isDict, unavailable } from './wire.ts';

export interface Heartbeat {
  /** Whether there is a cron job for it; one that is off has a disabled job. */
  hasJob: boolean;
  enabled: boolean;
  every: string;
  everyMs: number | null;
  /** Its beats are skipped, the model is never called: there is no channel to deliver to. */
  waitingForRoute: boolean;
}

const NO_HEARTBEAT: Heartbeat = {
  hasJob: false,
  enabled: false,
  every: 'disabled',
  everyMs: null,
  waitingForRoute: false,
};

/** Scheduled turns, and turns on request (wake). */
export class Heartbeats {
  readonly #gateway: Gateway;
  #last: Dict | null = null;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** With no heartbeat block anywhere, main beats every 30 minutes; with one, only agents that have a block do. */
  of(agentId: string): Heartbeat {
    const { agents } = this.#gateway;
    const block = agents.entry(agentId).heartbeat;
    if (!isDict(block)) {
      const others = agents.ids().some((id) => isDict(agents.entry(id).heartbeat));
      if (agentId !== 'main' || others) return NO_HEARTBEAT;
      return { hasJob: true, enabled: true, every: '30m', everyMs: 1_800_000, waitingForRoute: true };
    }
    const every = optionalText(block, 'every') ?? '30m';
    const everyMs = durationMs(every) ?? 1_800_000;
    if (everyMs === 0) return { ...NO_HEARTBEAT, hasJob: true };
    return { hasJob: true, enabled: true, every, everyMs, waitingForRoute: block.target !== 'none' };
  }

  /** `status.heartbeat` */
  status(): Dict {
    return {
      defaultAgentId: 'main',
      agents: this.#gateway.agents.ids().map((agentId) => {
        const { hasJob: _, ...shown } = this.of(agentId);
        return { agentId, ...shown };
      }),
    };
  }

  /** A scheduled or forced beat. Without a route it is skipped. */
  async beat(agentId: string, scratch: string | undefined): Promise<{ status: 'ok' | 'skipped'; error?: string }> {
    if (this.of(agentId).waitingForRoute) {
      this.#tell({ reason: 'no-route', durationMs: 0, message: 'Heartbeat has no delivery route yet.' });
      return { status: 'skipped', error: 'heartbeat skipped: no-route' };
    }
    await this.#turn(agentId, scratch ? `Heartbeat monitor scratch:\n${scratch}` : 'heartbeat');
    return { status: 'ok' };
  }

  /** A turn on request; it runs whatever the agent's heartbeat settings are. */
  wake(params: Dict): Dict {
    // Unlike elsewhere, unknown properties are let pass.
    checkParams('wake', params, { required: ['mode', 'text'], optional: Object.keys(params) });
    const agentId = optionalText(params, 'agentId') ?? 'main';
    const message = text('wake', params, 'text');
    if (!this.#gateway.agents.has(agentId)) throw unavailable(`Error: cron job agent is unavailable: ${agentId}`);
    if (params.mode === 'now') {
      setImmediate(() => {
        this.#turn(agentId, message).catch(() => undefined);
      });
    }
    return { ok: true };
  }

  last(): Dict | null {
    return this.#last;
  }

  async #turn(agentId: string, message: string): Promise<void> {
    const startedAt = Date.now();
    const session = this.#gateway.sessions.open(`agent:${agentId}:main`);
    const run = this.#gateway.runs.start(randomUUID(), session, message, 'heartbeat');
    await run.ended;
    const reason = this.of(agentId).waitingForRoute || !this.of(agentId).enabled ? 'no-route' : 'target-none';
    this.#tell({
      preview: run.text ?? '',
      reason,
      hasMedia: false,
      durationMs: Date.now() - startedAt,
      message: 'Heartbeat delivery is disabled by configuration (target: none).',
    });
  }

  /** The event names no agent, and says `skipped` even when the model ran. */
  #tell(what: Dict): void {
    this.#last = { ts: Date.now(), status: 'skipped', ...what };
    this.#gateway.broadcast('heartbeat', this.#last);
  }
}
