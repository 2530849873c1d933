import type { AgentView } from './documents.ts';

/** What was asked for of one agent, by all that was answered. */
export interface ModelAgent {
  id: string;
  kind: AgentView['kind'];
  boardId: string | null;
  name: string;
  paused: boolean;
  intervalSeconds: number;
  soulTemplate: string | null;
  openclawAgentId: string;
  workspacePath: string;
}

/** The fleet as it has to be when everything has quietened down. */
export class FleetModel {
  readonly gatewayId: string;
  readonly boardIds: readonly string[];
  readonly agents = new Map<string, ModelAgent>();
  /** When the latest heartbeat that was answered was written, by agent. */
  readonly heartbeats = new Map<string, string>();
  /** Deleted, and not yet seen to be gone. */
  readonly leaving = new Set<string>();
  /** Syncs that were answered and are not known to be over. */
  readonly syncs = new Set<string>();
  #names = 0;

  constructor(gatewayId: string, boardIds: readonly string[]) {
    this.gatewayId = gatewayId;
    this.boardIds = boardIds;
  }

  /** The gateway's own agent. */
  get main(): ModelAgent {
    const main = [...this.agents.values()].find((agent) => agent.kind === 'GATEWAY_MAIN');
    if (!main) throw new Error('the gateway has no main agent');
    return main;
  }

  /** A name that no agent had before. */
  newName(): string {
    this.#names += 1;
    return `Agent ${this.#names}`;
  }

  add(agent: ModelAgent): void {
    this.agents.set(agent.id, agent);
  }

  change(id: string, change: Partial<ModelAgent>): void {
    const agent = this.agents.get(id);
    if (agent) this.agents.set(id, { ...agent, ...change });
  }

  remove(id: string): void {
    if (!this.agents.delete(id)) return;
    this.leaving.add(id);
    this.heartbeats.delete(id);
  }
}

/** An agent of the API as the model has it. */
export function modelOf(agent: AgentView): ModelAgent {
  return {
    id: agent.id,
    kind: agent.kind,
    boardId: agent.board?.id ?? null,
    name: agent.name,
    paused: agent.status === 'PAUSED',
    intervalSeconds: agent.heartbeat.intervalSeconds,
    soulTemplate: agent.soulTemplate,
    openclawAgentId: agent.openclawAgentId,
    workspacePath: agent.workspacePath,
  };
}
