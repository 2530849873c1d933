import type { Gateway } from './gateway.ts';
import type { Admission } from './handshake.ts';
import { health } from './status.ts';
import type { Dict } from './wire.ts';

const EVENTS = [
  'connect.challenge',
  'agent',
  'chat',
  'chat.metadata.changed',
  'session.message',
  'sessions.changed',
  'presence',
  'tick',
  'shutdown',
  'health',
  'heartbeat',
  'cron',
  'device.pair.requested',
  'device.pair.resolved',
];

/** What a client that was let in is told first. */
export function helloOk(gateway: Gateway, admission: Admission, connId: string, methods: string[]): Dict {
  const { settings, config, stateDir, agents } = gateway;
  const old = admission.protocol === 3;
  return {
    type: 'hello-ok',
    protocol: admission.protocol,
    server: { version: old ? 'dev' : settings.version, bootId: gateway.bootId, connId },
    features: { methods, events: EVENTS, capabilities: [] },
    snapshot: {
      presence: [],
      health: health(gateway),
      stateVersion: { presence: 1, health: 1 },
      uptimeMs: Date.now() - gateway.startedAt,
      appliedConfigHash: config.appliedHash,
      sessionDefaults: {
        defaultAgentId: 'main',
        modelConfigured: settings.modelConfigured,
        ownership: agents.ids().length > 1 ? 'explicit' : 'sole',
        selectionRequired: false,
        mainKey: 'main',
        mainSessionKey: 'agent:main:main',
        scope: 'per-sender',
      },
      configPath: config.path,
      stateDir,
      authMode: 'token',
    },
    auth: old
      ? null
      : {
          method: admission.method,
          role: admission.role,
          scopes: admission.scopes,
          ...(admission.deviceToken ? { deviceToken: admission.deviceToken } : {}),
        },
    policy: {
      maxPayload: 26_214_400,
      maxBufferedBytes: 52_428_800,
      tickIntervalMs: 30_000,
      attachments: { maxBytes: 19_464_192, maxImageBytes: 6_291_456 },
    },
  };
}
