import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshConfig } from './config.ts';
import type { Faults } from './faults.ts';
import { Gateway } from './gateway.ts';
import type { Report } from './life.ts';
import { mergePatch } from './merge-patch.ts';
import { type Delays, resolveOptions, type SimulatorOptions } from './options.ts';
import type { Run } from './runs.ts';
import { type LoggedRequest, Server } from './server.ts';
import type { Dict } from './wire.ts';

export { SUPERSEDED } from './faults.ts';
export type { SimulatorOptions } from './options.ts';

export interface Simulator {
  /** The address for a gateway client, `ws://127.0.0.1:…`. */
  url: string;
  port: number;
  /** The shared token; may be changed while it runs. */
  token: string;
  stateDir: string;
  /** All requests that came in, oldest first. */
  requests: LoggedRequest[];
  faults: Faults;
  /** How long things take; may be changed while it runs. */
  delays: Delays;
  /** The turns of agents, oldest first. */
  runs(): Run[];
  /** What living agents did when they were woken, oldest first. */
  reports: Report[];
  /** What `agents.list` answers. */
  agents(): Dict[];
  /** The configuration as it is on disk. */
  config(): Dict;
  /** Gives it a usable model, or takes it away. A client that is connected is not told that it is gone. */
  configureModel(isUsable: boolean): Promise<void>;
  /** Runs an agent's heartbeat job now; resolves when the beat is over. */
  beat(agentId: string): Promise<void>;
  /** Devices that wait for approval. */
  pendingDevices(): { requestId: string; deviceId: string; scopes: string[] }[];
  /** Approves a device, by default the one that waits longest. */
  approveDevice(requestId?: string): void;
  /** Takes a device its token away and breaks its connections; it has to be approved again. */
  revokeDevice(deviceId: string): void;
  /** Breaks all connections, as a network does that fails for a moment. */
  dropConnections(): void;
  /** Shuts down as for a restart, stays away for `downMs` (default 0), and comes back with a new bootId. */
  restart(options?: { downMs?: number }): Promise<void>;
  /** Breaks off at once, keeping its files. `start` brings it back. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files, after `kill`. */
  start(): Promise<void>;
  /** Shuts down for good, and removes the state folder unless it was given. */
  stop(): Promise<void>;
}

/**
 * Starts a gateway that behaves over the wire as OpenClaw 2026.9.6 does, with real files and no model: for tests, and
 * for trying things out.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = resolveOptions(options, randomBytes(24).toString('hex'));
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'gateway-simulator-')));
  await mkdir(stateDir, { recursive: true });
  const initial = freshConfig(options.port ?? 0, settings.token, settings.modelConfigured, options.tools);
  const gateway = new Gateway(settings, stateDir, initial);
  const server = new Server(gateway);
  await server.listen(options.port ?? 0);
  const { port } = server;
  let up = true;

  const simulator: Simulator = {
    url: `ws://127.0.0.1:${port}`,
    port,
    get token() {
      return settings.token;
    },
    set token(token) {
      settings.token = token;
    },
    stateDir,
    requests: server.requests,
    faults: server.faults,
    delays: settings.delays,
    runs: () => gateway.runs.all(),
    reports: gateway.reports,
    agents: () => gateway.agents.list({}).agents as Dict[],
    config: () => gateway.config.source,
    async configureModel(isUsable) {
      settings.modelConfigured = isUsable;
      const primary = isUsable ? 'simulated/simulated-1' : null;
      const defaults = { model: { primary } };
      await gateway.config.change((source) => mergePatch(source, { agents: { defaults } }) as Dict);
      gateway.config.apply();
    },
    beat: (agentId) => gateway.cron.beat(agentId),
    pendingDevices: () => gateway.devices.pending(),
    approveDevice(requestId) {
      gateway.devices.approve(requestId);
    },
    revokeDevice(deviceId) {
      gateway.devices.revoke(deviceId);
    },
    dropConnections: () => server.dropConnections(),
    async restart({ downMs = 0 } = {}) {
      gateway.cron.stopTimers();
      await server.shutDown({ reason: 'gateway restarting', restartExpectedMs: Math.max(downMs, 1500) });
      await new Promise((resolve) => setTimeout(resolve, downMs));
      await server.listen(port);
      gateway.cron.startTimers();
    },
    async kill() {
      if (!up) return;
      up = false;
      gateway.cron.stopTimers();
      await server.break();
    },
    async start() {
      if (up) return;
      await server.listen(port);
      gateway.cron.startTimers();
      up = true;
    },
    async stop() {
      if (up) {
        up = false;
        gateway.cron.stopTimers();
        await server.shutDown({ reason: 'gateway stopping' });
      }
      if (!options.stateDir) await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  gateway.restartItself = () => void simulator.restart();
  return simulator;
}
