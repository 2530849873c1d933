import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, made } from './api.ts';
import { AGENT_LEAVING, DELETE_GATEWAY, FLEET } from './documents.ts';

/** A delete on OpenClaw 2026.9.6 takes up to 5 s, and one is done at a time. */
const PATIENCE_MS = 60_000;
const POLL_MS = 200;

/**
 * Deletes the gateway with all that the demo has made on it, from a gateway that goes on without the demo.
 * @returns a sentence for each agent that may still be there
 */
export async function removeGateway(api: Api, gatewayId: string): Promise<string[]> {
  const { gateway } = await api.ask(FLEET, { gatewayId });
  if (!gateway) return [];
  made((await api.ask(DELETE_GATEWAY, { gatewayId })).deleteGateway);
  const deadline = Date.now() + PATIENCE_MS;
  const left = await Promise.all(gateway.agents.nodes.map(({ id }) => gone(api, id, deadline)));
  return left.filter((sentence) => sentence !== null);
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
