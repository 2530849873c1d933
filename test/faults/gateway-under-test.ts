import { setTimeout as sleep } from 'node:timers/promises';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { startFakeModel } from '../openclaw/fake-model.ts';
import { startOpenClaw } from '../openclaw/openclaw.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { fixedPort } from './fixed-port.ts';

/** An agent's entry in the gateway's configuration. */
export type Entry = Record<string, unknown>;

/** A gateway, simulated or real, behind a network that can fail. */
export interface GatewayUnderTest {
  kind: 'simulator' | 'openclaw';
  /** The address on the network. */
  url: string;
  token: string;
  stateDir: string;
  network: CuttingProxy;
  /** Null for a real one, which cannot be told to fail, nor asked what it was asked. */
  simulator: Simulator | null;
  /** The entries of its configuration as they are on disk, by the agents' ids. */
  entries(): Promise<Record<string, Entry>>;
  /** Ends it, at once or as a service manager would, and starts it again after this time. Resolves when it is ready. */
  restart(how: 'kill' | 'stop', downMs: number): Promise<void>;
  /** What it wrote; the simulator writes nothing. */
  log(): string;
  /** Ends it and its network, and removes its files. */
  dispose(): Promise<void>;
}

export function startGateway(
  kind: GatewayUnderTest['kind'],
  options: SimulatorOptions = {},
): Promise<GatewayUnderTest> {
  return kind === 'simulator' ? startSimulated(options) : startReal();
}

/** Requests take a moment, so that what is cut or killed is in the middle of something. */
const DELAYS = { request: 15, applyConfig: 300, deleteAgent: 200, drain: 50, model: 50 };

async function startSimulated(options: SimulatorOptions): Promise<GatewayUnderTest> {
  const simulator = await startSimulator({ delays: DELAYS, agents: 'live', ...options, port: await fixedPort() });
  const network = await CuttingProxy.create(simulator.port);
  return {
    kind: 'simulator',
    url: `ws://127.0.0.1:${network.port}`,
    token: simulator.token,
    stateDir: simulator.stateDir,
    network,
    simulator,
    entries: async () => entriesIn(simulator.config()),
    async restart(how, downMs) {
      if (how === 'stop') return simulator.restart({ downMs });
      await simulator.kill();
      await sleep(downMs);
      await simulator.start();
    },
    log: () => '',
    async dispose() {
      await network.stop();
      await simulator.stop();
    },
  };
}

/** What a real gateway has before: its own agent, and one that somebody else looks after. */
const AGENTS_BEFORE = { ownership: 'explicit', entries: { main: {}, visitor: { name: 'Visitor' } } };

async function startReal(): Promise<GatewayUnderTest> {
  const model = await startFakeModel();
  const openclaw = await startOpenClaw({ model, port: await fixedPort(), config: { agents: AGENTS_BEFORE } });
  const network = await CuttingProxy.create(openclaw.port);
  return {
    kind: 'openclaw',
    url: `ws://127.0.0.1:${network.port}`,
    token: openclaw.token,
    stateDir: openclaw.stateDir,
    network,
    simulator: null,
    entries: async () => entriesIn(await openclaw.readConfig()),
    async restart(how, downMs) {
      if (how === 'kill') await openclaw.kill();
      else await openclaw.stop();
      await sleep(downMs);
      await openclaw.start();
    },
    log: () => openclaw.log(),
    async dispose() {
      await network.stop();
      await openclaw.dispose();
      await model.stop();
    },
  };
}

function entriesIn(config: Record<string, unknown>): Record<string, Entry> {
  const { entries = {} } = (config.agents ?? {}) as { entries?: Record<string, Entry> };
  return entries;
}
