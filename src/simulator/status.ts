import type { Gateway } from './gateway.ts';
import { type Dict, isDict } from './wire.ts';

export function status(gateway: Gateway): Dict {
  return {
    runtimeVersion: gateway.settings.version,
    heartbeat: gateway.heartbeats.status(),
    channelSummary: [],
    queuedSystemEvents: [],
    degradedPlugins: [],
    tasks: { total: 0, active: 0, terminal: 0, failures: 0 },
    sessions: {
      count: gateway.sessions.count(),
      defaults: { model: 'simulated-1', contextTokens: 128_000 },
      recent: [],
    },
    processMemory: process.memoryUsage(),
    pid: process.pid,
  };
}

export function health(gateway: Gateway): Dict {
  return {
    ok: true,
    ts: Date.now(),
    durationMs: 1,
    plugins: { loaded: [], errors: [] },
    configReload: { hotReloadStatus: 'active' },
    channels: {},
    channelOrder: [],
    channelLabels: {},
    heartbeatSeconds: 1800,
    defaultAgentId: 'main',
    agents: gateway.agents.ids().map((agentId) => {
      const { enabled, every, everyMs } = gateway.heartbeats.of(agentId);
      const { name } = gateway.agents.entry(agentId);
      return {
        agentId,
        ...(typeof name === 'string' ? { name } : {}),
        isDefault: agentId === 'main',
        heartbeat: { enabled, every, everyMs },
        sessions: { count: gateway.sessions.count(agentId), recent: [] },
      };
    }),
    eventLoop: { degraded: false, reasons: [], delayP99Ms: 1, utilization: 0.01 },
  };
}

export function listModels(gateway: Gateway): Dict {
  if (!gateway.settings.modelConfigured) return { models: [] };
  const model = {
    id: 'simulated-1',
    name: 'Simulated',
    provider: 'simulated',
    contextWindow: 128_000,
    reasoning: false,
    tags: ['default'],
    available: true,
  };
  return { models: [model] };
}

/** What an agent calls itself, by its configuration. The real gateway looks into IDENTITY.md first. */
export function agentIdentity(gateway: Gateway, params: Dict): Dict {
  const agentId = typeof params.agentId === 'string' ? params.agentId : 'main';
  const { identity } = gateway.agents.entry(agentId);
  const name = isDict(identity) && typeof identity.name === 'string' ? identity.name : 'Assistant';
  return { agentId, name, nameSource: name === 'Assistant' ? 'default' : 'config', avatar: name.slice(0, 1) };
}
