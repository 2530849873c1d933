import { listAgents } from '../gateway/agents.ts';
import type { ConfigSnapshot } from '../gateway/config.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { sessionKeyOf } from '../gateway/session-key.ts';
import { type EffectiveTools, effectiveTools } from '../gateway/tools.ts';

/** The tool with which an OpenClaw agent runs commands. */
const COMMAND_TOOL = 'exec';

const CONSEQUENCE = 'so it cannot report in or use the API: its status is only what is seen at the gateway.';

/**
 * What an operator should know about an agent that can run no commands, and so no curl; null when it can. Both have to
 * be looked at: a tool may be there and its commands be refused all the same (measured on OpenClaw 2026.9.6).
 *
 * @param permissionMode see AgentSummary
 */
function commandHint(
  openclawAgentId: string,
  { tools, profile }: EffectiveTools,
  permissionMode: string | null,
): string | null {
  const entry = `agents.entries.${openclawAgentId}.tools`;
  if (!tools.includes(COMMAND_TOOL)) {
    const because = profile === null ? '' : ` (its tool profile is "${profile}")`;
    return (
      `This agent does not have the tool "${COMMAND_TOOL}" on its gateway${because}, ${CONSEQUENCE} In the gateway's ` +
      `configuration take "${COMMAND_TOOL}" and "group:runtime" out of tools.deny, and set ${entry}.alsoAllow to ["${COMMAND_TOOL}"].`
    );
  }
  if (permissionMode === 'full') return null;
  const how =
    permissionMode === null
      ? 'This agent may run only some commands on its gateway (an allowlist or a sandbox), perhaps not curl'
      : permissionMode === 'read-only'
        ? 'This agent’s commands are refused on its gateway'
        : 'This agent’s commands wait for a person’s approval on its gateway';
  return `${how}, ${CONSEQUENCE} In the gateway's configuration set ${entry}.exec.mode to "full".`;
}

/** What was asked of a gateway since it was started and its settings were as they are. */
interface Asked {
  bootId: string | null;
  settings: string;
  /** By what the agents' entries say of it. */
  tools: Map<string, Promise<EffectiveTools>>;
}

const askedOf = new WeakMap<GatewayConnection, Asked>();

/**
 * Tells for each agent of a run what an operator should know of its commands. Which tools an agent has follows from the
 * gateway's configuration, so they are asked for once for all agents whose entries say the same of that, as long as the rest
 * stays as it is: the answer has 34 KB, and the first after a change of the configuration takes the gateway 50 to 100 ms
 * (measured on OpenClaw 2026.9.6).
 *
 * @param config the gateway's, before this run
 */
export function commandHints(
  connection: GatewayConnection,
  { entries, settings }: Pick<ConfigSnapshot, 'entries' | 'settings'>,
) {
  const { tools } = askedBefore(connection, settings);
  // It is not needed before the agents' sessions are there.
  const listed = listAgents(connection);
  listed.catch(() => undefined);
  /** When its session is there. @throws GatewayError */
  return async (openclawAgentId: string): Promise<string | null> => {
    const { name, workspace, agentDir, identity, heartbeat, ...rest } = entries[openclawAgentId] ?? {};
    const key = JSON.stringify(rest);
    let asked = tools.get(key);
    if (!asked) {
      asked = effectiveTools(connection, sessionKeyOf(openclawAgentId));
      tools.set(key, asked);
      // A failure is not what to remember.
      asked.catch(() => tools.delete(key));
    }
    const [all, effective] = await Promise.all([listed, asked]);
    return commandHint(
      openclawAgentId,
      effective,
      all.find(({ id }) => id === openclawAgentId)?.permissionMode ?? null,
    );
  };
}

function askedBefore(connection: GatewayConnection, settings: string): Asked {
  const { bootId } = connection.info;
  const before = askedOf.get(connection);
  if (before && before.bootId === bootId && before.settings === settings) return before;
  const asked: Asked = { bootId, settings, tools: new Map() };
  askedOf.set(connection, asked);
  return asked;
}
