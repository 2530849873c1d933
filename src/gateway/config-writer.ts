import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { createAgent } from './agents.ts';
import { type ConfigSnapshot, readConfig } from './config.ts';
import { GatewayError, hasReason, isStaleConfig, toGatewayError } from './errors.ts';
import { isApplied, type JsonObject, mergePatches } from './merge-patch.ts';
import { offendersOf } from './offenders.ts';
import { RateBudget } from './rate-budget.ts';
import type { GatewayRequests } from './requests.ts';

/** What should be in the entries of agents, by the agents' ids on the gateway. Null removes a key; an agent cannot be removed so. */
export type AgentsPatch = Readonly<Record<string, JsonObject>>;

export interface WriterOptions {
  /** How long to look for a superseded write to become live, in milliseconds. @default 60000 */
  settleMs?: number;
  /** How often a write is tried again after someone else's. @default 8 */
  maxTries?: number;
  /** Patches per window; the gateway allows 30 per 60 s. */
  budget?: { limit: number; windowMs: number };
  now?: () => number;
  random?: () => number;
}

export interface PatchResult {
  /** False when all was there already. */
  changed: boolean;
  /** The gateway's configuration as it was read before. */
  before: Pick<ConfigSnapshot, 'entries' | 'settings'>;
  /** Agents that had to be made anew. */
  revived: ReadonlySet<string>;
}

/**
 * Ids that agents of the gateway have had before, with their workspaces: one that is not there now was deleted. It is told to
 * `beforeMaking` before it is made anew, for nobody can see later that it was.
 */
export type KnownAgents = Readonly<Record<string, { workspace: string; beforeMaking?: () => Promise<void> }>>;

interface Call {
  patch: AgentsPatch;
  known: KnownAgents;
  done: (result: PatchResult) => void;
  failed: (error: unknown) => void;
}

/** An agent could not be made anew: the calls of the others are written all the same. */
class NotMade extends Error {
  readonly agentId: string;
  override readonly cause: GatewayError;

  constructor(agentId: string, cause: GatewayError) {
    super(cause.message);
    this.agentId = agentId;
    this.cause = cause;
  }
}

// Applying took 23 s for 100 new agents beside 112 (measured on OpenClaw 2026.9.6).
const PATCH_TIMEOUT_MS = 120_000;
const SETTLE_POLL_MS = 100;

/**
 * The only writer of a gateway's agent entries. Calls that come within some milliseconds, or while a write is under way, become
 * one `config.patch`: several writers at once fail by each other's hashes, and the gateway allows 30 patches in 60 s, refused
 * ones counted (measured on OpenClaw 2026.9.6). A patch of agent entries is live when it returns.
 */
export class ConfigWriter {
  readonly #gateway: GatewayRequests;
  readonly #options: WriterOptions;
  readonly #budget: RateBudget;
  #gathered: Call[] = [];
  #running = false;

  constructor(gateway: GatewayRequests, options: WriterOptions = {}) {
    this.#gateway = gateway;
    this.#options = options;
    // One second more than the gateway's window: it counts when a call arrives, this side when it is sent.
    const budget = options.budget ?? { limit: 30, windowMs: 61_000 };
    this.#budget = new RateBudget({ ...budget, now: options.now ?? Date.now });
  }

  /**
   * Writes these entries, together with those of other calls. Resolves when they are live. Rejects with a `GatewayError`: for a value that the gateway does not take only the call that brought it.
   */
  patch(entries: AgentsPatch, known: KnownAgents = {}): Promise<PatchResult> {
    return new Promise((done, failed) => {
      this.#gathered.push({ patch: entries, known, done, failed });
      if (!this.#running) void this.#run();
    });
  }

  /** The gateway's configuration as it is on disk now. */
  snapshot(): Promise<ConfigSnapshot> {
    return readConfig(this.#gateway);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#gathered.length > 0) {
      // Calls that are made in a row are written as one.
      await setImmediate();
      await this.#write(this.#gathered.splice(0));
    }
    this.#running = false;
  }

  /** Writes the calls' patches as one and settles every call. Never rejects. @param revived agents that were made anew already */
  async #write(calls: Call[], revived = new Set<string>()): Promise<void> {
    if (calls.length === 0) return;
    const entries = calls.map((call) => call.patch).reduce<JsonObject>(mergePatches, {});
    const known: KnownAgents = Object.assign({}, ...calls.map((call) => call.known));
    try {
      const before = await this.#put(entries, known, revived);
      for (const call of calls) call.done({ changed: !isApplied(call.patch, before.entries), before, revived });
    } catch (thrown) {
      const bad = failedOf(thrown, calls);
      if (bad === null) {
        // It does not say whose value it is: ask in halves.
        const middle = Math.ceil(calls.length / 2);
        await this.#write(calls.slice(0, middle), revived);
        await this.#write(calls.slice(middle), revived);
        return;
      }
      for (const call of bad) call.failed(gatewayErrorOf(thrown));
      await this.#write(
        calls.filter((call) => !bad.includes(call)),
        revived,
      );
    }
  }

  /** Brings the entries in, however often someone else writes at the same time. Returns what was there before. */
  async #put(entries: JsonObject, known: KnownAgents, revived: Set<string>): Promise<ConfigSnapshot> {
    const maxTries = this.#options.maxTries ?? 8;
    let first: ConfigSnapshot | null = null;
    for (let tries = 1; ; tries += 1) {
      const now = await this.snapshot();
      first ??= now;
      if (now.applied && now.ownership === 'explicit' && isApplied(entries, now.entries)) return first;
      try {
        const gone = Object.entries(known).filter(([id]) => id in entries && !(id in now.entries) && !revived.has(id));
        for (const [id, { workspace, beforeMaking }] of gone) {
          await beforeMaking?.();
          await createAgent(this.#gateway, { id, workspace }).catch((thrown: unknown) => {
            throw new NotMade(id, toGatewayError(thrown));
          });
          revived.add(id);
        }
        // Each has changed the configuration, and some moments later the gateway uses it.
        if (gone.length > 0) {
          await this.#settled();
          continue;
        }
        await this.#budget.take();
        // Ownership always: the first agent beside `main` is refused without it, and the gateway then looks after `main` itself.
        const raw = JSON.stringify({ agents: { ownership: 'explicit', entries } });
        await this.#gateway.request('config.patch', { raw, baseHash: now.hash }, { timeoutMs: PATCH_TIMEOUT_MS });
        return first;
      } catch (thrown) {
        const error = gatewayErrorOf(thrown);
        if (tries >= maxTries) throw thrown;
        if (hasReason(error, 'rate-limited')) this.#budget.closeFor(error.retryAfterMs ?? 60_000);
        // On disk, but perhaps not live: when it has settled, the next round sees whether it is there and writes it if not.
        else if (hasReason(error, 'superseded')) await this.#settled();
        else if (isStaleConfig(error)) await sleep((this.#options.random ?? Math.random)() * 50 * tries);
        else if (hasReason(error, 'busy')) await sleep(error.retryAfterMs ?? 250);
        else throw thrown;
      }
    }
  }

  async #settled(): Promise<void> {
    const now = this.#options.now ?? Date.now;
    const deadline = now() + (this.#options.settleMs ?? 60_000);
    while (!(await this.snapshot()).applied) {
      if (now() > deadline) {
        throw new GatewayError({
          kind: 'rejected',
          reason: 'superseded',
          message: 'The gateway does not apply its configuration: another write was in the way.',
          retryable: true,
          hint: 'Restart the gateway if this lasts: what runs is older than the configuration on its disk.',
        });
      }
      await sleep(SETTLE_POLL_MS);
    }
  }
}

function gatewayErrorOf(thrown: unknown): GatewayError {
  return thrown instanceof NotMade ? thrown.cause : toGatewayError(thrown);
}

/** Whose calls have failed; null when that has to be found out. */
function failedOf(thrown: unknown, calls: readonly Call[]): readonly Call[] | null {
  if (thrown instanceof NotMade) return calls.filter(({ patch }) => thrown.agentId in patch);
  const error = gatewayErrorOf(thrown);
  return hasReason(error, 'invalid-config') ? offendersOf(error, calls) : calls;
}

const writers = new WeakMap<GatewayRequests, ConfigWriter>();

/** The one writer of a connection. */
export function writerOf(connection: GatewayRequests): ConfigWriter {
  const present = writers.get(connection);
  if (present) return present;
  const writer = new ConfigWriter(connection);
  writers.set(connection, writer);
  return writer;
}
