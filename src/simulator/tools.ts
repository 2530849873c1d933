import type { Gateway } from './gateway.ts';
import { checkParams, optionalText, text } from './params.ts';
import { type Dict, invalid, isDict } from './wire.ts';

const words = (list: string) => list.split(' ');

/** The tools of each profile, in the order of tools.effective on 2026.9.6 without plugins. */
const PROFILES: Record<string, string[]> = {
  full: words(
    'agents_list apply_patch ask_user automations computer conversations_send conversations_turn conversations_list create_goal dashboard edit exec gateway get_goal ls message mobile_ui nodes openclaw plugins portal process progress_card read secrets sessions_history sessions_send sessions session_status sessions_list sessions_spawn sessions_search skill_workshop subagents terminal theme tts update_goal agents_wait web_fetch web_search write sessions_yield',
  ),
  coding: words(
    'apply_patch ask_user automations conversations_send conversations_turn conversations_list create_goal dashboard edit exec gateway get_goal ls plugins portal process progress_card read secrets sessions_history sessions_send sessions session_status sessions_list sessions_spawn sessions_search skill_workshop subagents terminal theme update_goal agents_wait web_fetch web_search write sessions_yield',
  ),
  messaging: words(
    'ask_user conversations_send conversations_turn conversations_list gateway message secrets sessions_history sessions_send sessions session_status sessions_list sessions_spawn sessions_search subagents theme sessions_yield',
  ),
  minimal: words('gateway session_status'),
};

const GROUPS: Record<string, string[]> = {
  'group:fs': words('ls read write edit apply_patch'),
  'group:runtime': words('exec process code_execution secrets'),
  'group:web': words('web_search web_fetch x_search'),
  'group:memory': words('memory_search memory_get'),
};

/** The tools an agent has: its own `tools` block over that of the configuration's root. */
function effectiveTools(config: Dict, entry: Dict): { profile: string; ids: string[] } {
  const root = isDict(config.tools) ? config.tools : {};
  const own = isDict(entry.tools) ? entry.tools : {};
  const profile = optionalText(own, 'profile') ?? optionalText(root, 'profile') ?? 'full';
  const all = PROFILES.full ?? [];
  const base = new Set([...(PROFILES[profile] ?? all), ...named(own.alsoAllow ?? root.alsoAllow)]);
  const allowed = own.allow ?? root.allow;
  const denied = new Set([...named(root.deny), ...named(own.deny)]);
  const ids = all.filter(
    (id) => base.has(id) && (!Array.isArray(allowed) || named(allowed).includes(id)) && !denied.has(id),
  );
  return { profile, ids };
}

function named(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => (typeof item === 'string' ? (GROUPS[item] ?? [item]) : []));
}

/**
 * What `agents.list` calls `defaultPermissionMode`. tools.effective lists `exec` also where every command is refused;
 * only this tells: `full` runs commands, `guarded` and `workspace` ask first, `read-only` refuses, and an allowlist
 * or a sandbox has no mode at all.
 */
export function permissionMode(config: Dict, entry: Dict): string | undefined {
  const root = isDict(config.tools) && isDict(config.tools.exec) ? config.tools.exec : {};
  const own = isDict(entry.tools) && isDict(entry.tools.exec) ? entry.tools.exec : {};
  const exec = { ...root, ...own };
  if (exec.host === 'sandbox') return 'read-only';
  const defaults = isDict(config.agents) && isDict(config.agents.defaults) ? config.agents.defaults : {};
  const sandbox = isDict(entry.sandbox) ? entry.sandbox : defaults.sandbox;
  if (isDict(sandbox) && sandbox.mode === 'all') return undefined;
  const modes: Record<string, string | undefined> = {
    deny: 'read-only',
    allowlist: undefined,
    ask: 'guarded',
    auto: 'workspace',
    full: 'full',
  };
  return modes[String(exec.mode ?? exec.security ?? 'full')];
}

/** Whether the agent can run a shell command without anybody's approval. */
export function canRunCommands(gateway: Gateway, agentId: string): boolean {
  const entry = gateway.agents.entry(agentId);
  const { applied } = gateway.config;
  return effectiveTools(applied, entry).ids.includes('exec') && permissionMode(applied, entry) === 'full';
}

export function toolsEffective(gateway: Gateway, params: Dict): Dict {
  checkParams('tools.effective', params, { required: ['sessionKey'], optional: ['agentId'] });
  const key = text('tools.effective', params, 'sessionKey');
  const session = gateway.sessions.find(key);
  if (!session) throw invalid(`unknown session key "${key}"`);
  const { profile, ids } = effectiveTools(gateway.config.applied, gateway.agents.entry(session.agentId));
  const tools = ids.map((id) => ({ id, label: label(id), description: '', rawDescription: '', source: 'core' }));
  const groups = tools.length > 0 ? [{ id: 'core', label: 'Built-in tools', source: 'core', tools }] : [];
  return { agentId: session.agentId, profile, groups };
}

/** What there is to allow or deny, whatever the agent may use. */
export function toolsCatalog(gateway: Gateway, params: Dict): Dict {
  checkParams('tools.catalog', params, { optional: ['agentId', 'includePlugins'] });
  const agentId = optionalText(params, 'agentId') ?? 'main';
  if (!gateway.agents.has(agentId)) throw invalid(`unknown agent id "${agentId}"`);
  const profiles = ['minimal', 'coding', 'messaging', 'full'];
  const grouped = new Set(Object.values(GROUPS).flat());
  const others = (PROFILES.full ?? []).filter((id) => !grouped.has(id));
  const groups = [...Object.entries(GROUPS), ['group:other', others] as const].map(([group, ids]) => {
    const id = group.slice('group:'.length);
    const tools = ids.map((tool) => ({
      id: tool,
      label: tool,
      description: '',
      source: 'core',
      defaultProfiles: profiles.filter((profile) => profile !== 'full' && PROFILES[profile]?.includes(tool)),
    }));
    return { id, label: label(id), source: 'core', tools };
  });
  return { agentId, profiles: profiles.map((id) => ({ id, label: label(id) })), groups };
}

function label(id: string): string {
  return id.replace(/(^|_)([a-z])/g, (_match, gap: string, letter: string) => (gap ? ' ' : '') + letter.toUpperCase());
}
