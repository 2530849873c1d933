import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Simulator } from '../../src/simulator/simulator.ts';

/** The token that an agent finds in its workspace; null when there is none. */
export async function workspaceToken(workspacePath: string): Promise<string | null> {
  const document = await readFile(path.join(workspacePath, 'AGENTS.md'), 'utf8').catch(() => '');
  return /^MISSION_CONTROL_TOKEN=(\S+)$/m.exec(document)?.[1] ?? null;
}

/** The ids of the agents in the gateway's configuration, without its own. */
export function entriesOf(gateway: Simulator): string[] {
  const { entries = {} } = gateway.config().agents as { entries?: Record<string, object> };
  return Object.keys(entries).filter((id) => id !== 'main');
}

/** The gateway's entry of an agent. */
export function entryOf(gateway: Simulator, openclawAgentId: string): Record<string, unknown> | undefined {
  const { entries = {} } = gateway.config().agents as { entries?: Record<string, Record<string, unknown>> };
  return entries[openclawAgentId];
}
