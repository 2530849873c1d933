import type { Dict } from './wire.ts';

/** How long things take, in milliseconds. */
export interface Delays {
  /** Every request. */
  request: number;
  /** From a config.patch to its answer; the change is live then. */
  applyConfig: number;
  /** From agents.create to its answer, and agents.update. */
  createAgent: number;
  /** From the answer of agents.create until the agent can be used. */
  becomeVisible: number;
  /** One agents.delete; they run one after the other. */
  deleteAgent: number;
  /** The model's part of a turn. */
  model: number;
  /** From a restart's beginning until connections are closed; new requests are refused meanwhile. */
  drain: number;
  /** From accepting connections again until they are served. */
  start: number;
}

/** For tests: every order of events is as on a real gateway, in a few milliseconds. */
const FAST: Delays = {
  request: 1,
  applyConfig: 20,
  createAgent: 5,
  becomeVisible: 30,
  deleteAgent: 20,
  model: 5,
  drain: 5,
  start: 0,
};

/** As measured on OpenClaw 2026.9.6 with a handful of agents on two cores. */
const REALISTIC: Delays = {
  request: 3,
  applyConfig: 600,
  createAgent: 150,
  becomeVisible: 400,
  deleteAgent: 1500,
  model: 700,
  drain: 2200,
  start: 10_000,
};

export interface SimulatorOptions {
  /** @default a free port of loopback */
  port?: number;
  /** Where configuration and workspaces lie. @default a temporary folder, removed by `stop` */
  stateDir?: string;
  /** The shared gateway token. @default a random one */
  token?: string;
  /** 3 refuses clients that do not speak protocol 3, as gateways before OpenClaw 2026.5 do. @default 4 */
  protocol?: 3 | 4;
  /** The OpenClaw version to claim. @default "2026.9.6" */
  version?: string;
  /** Whether a usable model is configured; without one, runs are accepted and fail. @default true */
  modelConfigured?: boolean;
  /**
   * Treat every client as coming from another host: devices must be paired, failures are counted. Without it, that is so for
   * clients behind a proxy that sends `X-Forwarded-For`. @default false
   */
  remote?: boolean;
  /** The `tools` block of the configuration, for example `{deny: ["exec"]}` for agents that may run no commands. */
  tools?: Dict;
  /** @default "fast" */
  delays?: 'fast' | 'realistic' | Partial<Delays>;
  /**
   * What a run does: `canned` answers with a text; `live` does as an agent does that has a model and curl: it reads
   * AGENTS.md in its workspace and reports in at the server named there.
   * @default "canned"
   */
  agents?: 'canned' | 'live';
  /** The canned answer; throwing makes the run fail, as a model does that refuses. @default "OK" */
  reply?: string | ((message: string, agentId: string) => string | Promise<string>);
  /** Turns at the same time; the others wait, as the eight of a real gateway let them. @default no limit */
  concurrentRuns?: number;
  /** How many times faster than the clock heartbeat intervals pass. @default 1 */
  timeScale?: number;
  /** Fewer or more config.patch per 60 s. @default 30 */
  patchesPerMinute?: number;
}

export interface Settings {
  token: string;
  protocol: 3 | 4;
  version: string;
  modelConfigured: boolean;
  remote: boolean;
  delays: Delays;
  live: boolean;
  reply: (message: string, agentId: string) => string | Promise<string>;
  concurrentRuns: number;
  timeScale: number;
  patchesPerMinute: number;
}

export function resolveOptions(options: SimulatorOptions, token: string): Settings {
  const { delays = 'fast', reply = 'OK' } = options;
  return {
    token: options.token ?? token,
    protocol: options.protocol ?? 4,
    version: options.version ?? '2026.9.6',
    modelConfigured: options.modelConfigured ?? true,
    remote: options.remote ?? false,
    delays: delays === 'realistic' ? REALISTIC : { ...FAST, ...(delays === 'fast' ? {} : delays) },
    live: options.agents === 'live',
    reply: typeof reply === 'string' ? () => reply : reply,
    concurrentRuns: options.concurrentRuns ?? Number.POSITIVE_INFINITY,
    timeScale: options.timeScale ?? 1,
    patchesPerMinute: options.patchesPerMinute ?? 30,
  };
}
