import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulator } from '../src/simulator/simulator.ts';
import { startFakeModel } from '../test/openclaw/fake-model.ts';
import { startOpenClaw } from '../test/openclaw/openclaw.ts';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts';

// The gateways on which provisioning is measured.

/**
 * What requests cost a real gateway's one thread, in milliseconds, as measured on an idle OpenClaw 2026.9.6: the first
 * change of a session makes the agent's database.
 */
const SERVICE_MS: Record<string, number> = {
  'agents.files.set': 5,
  'agents.files.get': 2,
  'agents.files.list': 2,
  'agents.list': 10,
  'cron.list': 5,
  'cron.scratch.set': 5,
  'sessions.patch': 80,
  'tools.effective': 10,
  'chat.send': 20,
};
/** A patch is live when every agent in it is. */
const PATCH_SERVICE_MS_PER_AGENT = 60;

/** A gateway behind a proxy that notes what is asked of it. */
export interface BenchGateway {
  url: string;
  token: string;
  /** Where it has its configuration and the workspaces. */
  stateDir: string;
  /** Waits until the turns of what was woken are over, and forgets what was asked so far. */
  settle(): Promise<void>;
  /** How often each method was called. */
  requests(): Map<string, number>;
}

type Work<Result> = (gateway: BenchGateway) => Promise<Result>;

/** Does the work on a real OpenClaw that is started for it. */
export async function onRealGateway<Result>(work: Work<Result>): Promise<Result> {
  const model = await startFakeModel();
  try {
    const openclaw = await startOpenClaw({ model });
    try {
      return await throughProxy(openclaw, await startRecordingProxy(openclaw.url), 3_000, work);
    } finally {
      await openclaw.dispose();
    }
  } finally {
    await model.stop();
  }
}

/** Does the work on a simulated gateway that takes as long for it as a real one. */
export async function onSimulatedGateway<Result>(work: Work<Result>): Promise<Result> {
  // As 'realistic', but ready at once, and without what the proxy is there for.
  const simulator = await startSimulator({ delays: { request: 1, applyConfig: 600, model: 700 } });
  try {
    return await throughProxy(simulator, await startRecordingProxy(simulator.url, serviceTime), 1_000, work);
  } finally {
    await simulator.stop();
  }
}

async function throughProxy<Result>(
  { token, stateDir }: { token: string; stateDir: string },
  proxy: RecordingProxy,
  settleMs: number,
  work: Work<Result>,
): Promise<Result> {
  const settle = async () => {
    await sleep(settleMs);
    proxy.forget();
  };
  const requests = () => {
    const counts = new Map<string, number>();
    for (const { method } of proxy.requests()) counts.set(method, (counts.get(method) ?? 0) + 1);
    return counts;
  };
  try {
    return await work({ url: proxy.url, token, stateDir, settle, requests });
  } finally {
    await proxy.stop();
  }
}

function serviceTime(method: string, { raw }: Record<string, unknown>): number {
  if (method !== 'config.patch') return SERVICE_MS[method] ?? 0;
  const patch = JSON.parse(String(raw)) as { agents?: { entries?: object } };
  return Object.keys(patch.agents?.entries ?? {}).length * PATCH_SERVICE_MS_PER_AGENT;
}
