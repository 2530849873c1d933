import { setTimeout as sleep } from 'node:timers/promises';
import { deleteAgent } from '../gateway/agents.ts';
import { GatewayError } from '../gateway/errors.ts';
import { GatewayPool } from '../gateway/pool.ts';
import type { Log } from '../log.ts';
import { type Api, made } from './api.ts';
import { AGENT_LEAVING, DELETE_AGENT, FLEET } from './documents.ts';

/** A delete on OpenClaw 2026.9.6 takes up to 5 s, and one is done at a time. */
const PATIENCE_MS = 60_000;
const POLL_MS = 200;

/** The gateway's main agent, which leaves with its gateway only. */
export interface MainAgent {
  openclawAgentId: string;
}

/**
 * Deletes the agents of the board from a gateway that goes on without the demo.
 * @returns a sentence for each that may still be there, and the main agent
 */
export async function removeAgents(api: Api, gatewayId: string): Promise<{ left: string[]; main: MainAgent | null }> {
  const { gateway } = await api.ask(FLEET, { gatewayId });
  if (!gateway) return { left: [], main: null };
  const agents = gateway.agents.nodes.filter(({ kind }) => kind !== 'GATEWAY_MAIN');
  for (const { id } of agents) made((await api.ask(DELETE_AGENT, { id })).deleteAgent);
  const deadline = Date.now() + PATIENCE_MS;
  const left = await Promise.all(agents.map(({ id }) => gone(api, id, deadline)));
  return { left: left.filter((sentence) => sentence !== null), main: gateway.mainAgent };
}

/** Null when it is gone, else why it is not. */
async function gone(api: Api, id: string, deadline: number): Promise<string | null> {
  for (;;) {
    const { agent } = await api.ask(AGENT_LEAVING, { id });
    if (!agent) return null;
    const { name, openclawAgentId, provisioning } = agent;
    const failed = provisioning.phase === 'FAILED' || provisioning.phase === 'RETRYING';
    if (failed || Date.now() > deadline)
      return `${name} (${openclawAgentId}) may still be on the gateway: ${provisioning.lastError?.message ?? 'it takes too long.'}`;
    await sleep(POLL_MS);
  }
}

/** Deletes the main agent, when nothing looks after it any more. @returns null, or a sentence when it may still be there */
export async function removeMainAgent(
  gateway: { url: string; token: string | null },
  { openclawAgentId }: MainAgent,
  log: Log,
): Promise<string | null> {
  const pool = new GatewayPool({ log, onInfo: () => undefined, onEvent: () => undefined });
  try {
    const connection = pool.open({ id: 'demo', ...gateway, tlsFingerprint: null, allowInsecureTls: false });
    await connection.ready();
    await deleteAgent(connection, { agentId: openclawAgentId });
    return null;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return `Gateway agent (${openclawAgentId}) may still be on the gateway: ${error.message}`;
  } finally {
    await pool.closeAll();
  }
}
