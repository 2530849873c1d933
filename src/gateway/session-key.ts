/** The key of an agent's main session, the one that heartbeats and wake-ups run in. `agentId` is its id on the gateway. */
export function sessionKeyOf(agentId: string): string {
  return `agent:${agentId}:main`;
}

/** The agent's id in a session key, `agent:<id>:…`; null when the key has none. */
export function agentIdOf(sessionKey: string): string | null {
  return /^agent:([^:]+):/.exec(sessionKey)?.[1] ?? null;
}
