import type { GatewayConnection } from '../gateway/connection.ts';
import { effectiveTools } from '../gateway/tools.ts';

/** The tool with which an OpenClaw agent runs commands. */
const COMMAND_TOOL = 'exec';

/**
 * What an operator should know about an agent that can run no commands, and so no curl; null when it can.
 * @throws GatewayError
 */
export async function commandHint(connection: GatewayConnection, sessionKey: string): Promise<string | null> {
  const { tools, profile } = await effectiveTools(connection, sessionKey);
  if (tools.includes(COMMAND_TOOL)) return null;
  const named = profile === null ? '' : ` (its tool profile is "${profile}")`;
  return (
    `This agent may run no commands on its gateway${named}, so it cannot report in or use the API: its status is only ` +
    `what is seen at the gateway. Allow the tool "${COMMAND_TOOL}" for it in the gateway's configuration (tools.profile, ` +
    `tools.allow and tools.deny, or agents.entries.<id>.tools).`
  );
}
