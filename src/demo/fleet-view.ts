import type { DemoAgentEventsSubscription, DemoAgentFragment, DemoOverviewQuery } from '../generated/client/graphql.ts';

export type AgentEvent = DemoAgentEventsSubscription['agentEvents'];
export type GatewayState = DemoOverviewQuery['gateways']['nodes'][number];

/** How many events are kept for showing. */
const EVENTS = 50;

/** What is known of the fleet, from reading it and from its events. */
export class FleetView {
  readonly #agents = new Map<string, DemoAgentFragment>();
  readonly #names = new Map<string, string>();
  readonly #gone = new Set<string>();
  #events: AgentEvent[] = [];
  /** Null until they were read. */
  gateways: readonly GatewayState[] | null = null;
  /** Why what is shown may be old, in a sentence; null when it is not. */
  trouble: string | null = null;

  /** Oldest first: the ids are of version 7. */
  get agents(): DemoAgentFragment[] {
    return [...this.#agents.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** Oldest first. */
  get events(): readonly AgentEvent[] {
    return this.#events;
  }

  nameOf(agentId: string): string {
    return this.#names.get(agentId) ?? agentId;
  }

  read({ gateways, agents }: DemoOverviewQuery): void {
    this.gateways = gateways.nodes;
    for (const agent of agents.nodes) this.#know(agent);
  }

  happened(event: AgentEvent): void {
    if (event.agent) this.#know(event.agent);
    if (event.type === 'DELETED') {
      this.#gone.add(event.agentId);
      this.#agents.delete(event.agentId);
    }
    this.#events = [...this.#events, event].slice(-EVENTS);
  }

  /** Whether every one of `count` agents is provisioned and shows signs of life. */
  isAlive(count: number): boolean {
    const alive = this.agents.filter(
      ({ provisioning, liveness }) => provisioning.phase === 'SUCCEEDED' && liveness === 'ONLINE',
    );
    return alive.length === count && this.#agents.size === count;
  }

  #know(agent: DemoAgentFragment): void {
    if (this.#gone.has(agent.id)) return;
    this.#agents.set(agent.id, agent);
    this.#names.set(agent.id, agent.name);
  }
}
