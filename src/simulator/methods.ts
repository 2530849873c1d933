import { abortChat, chatHistory, sendChat, waitForRun } from './chat.ts';
import { getFile, listFiles, setFile } from './files.ts';
import type { Gateway } from './gateway.ts';
import { agentIdentity, health, listModels, status } from './status.ts';
import { toolsCatalog, toolsEffective } from './tools.ts';
import { type Dict, invalid, Refusal } from './wire.ts';

type Scope = 'operator.read' | 'operator.write' | 'operator.admin' | 'operator.pairing';

export interface Method {
  /** Null when a client without any scope may call it. */
  scope: Scope | null;
  run(gateway: Gateway, params: Dict): unknown;
}

const open = (run: Method['run']): Method => ({ scope: null, run });
const read = (run: Method['run']): Method => ({ scope: 'operator.read', run });
const write = (run: Method['run']): Method => ({ scope: 'operator.write', run });
const admin = (run: Method['run']): Method => ({ scope: 'operator.admin', run });
const pairing = (run: Method['run']): Method => ({ scope: 'operator.pairing', run });

/**
 * The methods that a control plane uses, each with the scope it needs. sessions.subscribe belongs to the connection,
 * and so is done there.
 */
export const METHODS: Record<string, Method> = {
  health: open(health),
  status: read(status),
  'models.list': read(listModels),
  'agents.list': read((gateway, params) => gateway.agents.list(params)),
  'agents.create': admin((gateway, params) => gateway.agents.create(params)),
  'agents.update': admin((gateway, params) => gateway.agents.update(params)),
  'agents.delete': admin((gateway, params) => gateway.agents.delete(params)),
  'agents.files.list': read(listFiles),
  'agents.files.get': read(getFile),
  'agents.files.set': admin(setFile),
  'agent.identity.get': read(agentIdentity),
  'agent.wait': write(waitForRun),
  'config.get': read((gateway) => gateway.config.read()),
  'config.patch': admin((gateway, params) => gateway.config.patch(params)),
  'sessions.list': read((gateway, params) => gateway.sessions.list(params)),
  'sessions.patch': write((gateway, params) => gateway.sessions.patch(params)),
  'sessions.reset': admin((gateway, params) => gateway.sessions.reset(params)),
  'sessions.delete': admin((gateway, params) => gateway.sessions.delete(params)),
  'sessions.subscribe': read(() => ({ subscribed: true })),
  'sessions.unsubscribe': read(() => ({ subscribed: false })),
  'chat.send': write(sendChat),
  'chat.abort': write(abortChat),
  'chat.history': read(chatHistory),
  wake: write((gateway, params) => gateway.heartbeats.wake(params)),
  'last-heartbeat': read((gateway) => gateway.heartbeats.last()),
  'cron.list': read((gateway, params) => gateway.cron.list(params)),
  'cron.scratch.get': read((gateway, params) => gateway.cron.getScratch(params)),
  'cron.scratch.set': admin((gateway, params) => gateway.cron.setScratch(params)),
  'cron.run': admin((gateway, params) => gateway.cron.run(params)),
  'cron.runs': read((gateway, params) => gateway.cron.listRuns(params)),
  'cron.update': admin((gateway, params) => gateway.cron.refuseEdit(params)),
  'cron.remove': admin((gateway, params) => gateway.cron.refuseEdit(params)),
  'tools.effective': read(toolsEffective),
  'tools.catalog': read(toolsCatalog),
  'device.pair.list': pairing((gateway, params) => gateway.devices.listMethod(params)),
  'device.pair.approve': pairing((gateway, params) => gateway.devices.approveMethod(params)),
  'device.pair.reject': pairing((gateway, params) => gateway.devices.rejectMethod(params)),
  'device.pair.remove': pairing((gateway, params) => gateway.devices.removeMethod(params)),
  'device.token.rotate': pairing((gateway, params) => gateway.devices.rotateMethod(params)),
  'device.token.revoke': pairing((gateway, params) => gateway.devices.revokeMethod(params)),
};

/**
 * Finds a method for a client with these scopes. Admin may do everything; an unknown method is one that needs admin.
 * @throws Refusal FORBIDDEN, or `unknown method: x`
 */
export function findMethod(name: string, scopes: string[]): Method {
  const method = METHODS[name];
  const needed = method ? method.scope : 'operator.admin';
  const satisfied =
    needed === null ||
    scopes.includes('operator.admin') ||
    scopes.includes(needed) ||
    (needed === 'operator.read' && scopes.includes('operator.write'));
  if (!satisfied) {
    throw new Refusal({
      code: 'FORBIDDEN',
      message: `missing scope: ${needed}`,
      details: { code: 'MISSING_SCOPE', missingScope: needed, requiredScopes: [needed] },
      retryable: false,
    });
  }
  if (!method) throw invalid(`unknown method: ${name}`);
  return method;
}
