import type { Dice } from './dice.ts';
import type { FleetModel, ModelAgent } from './fleet-model.ts';

/** What is asked of the server: plain data, so that it can be shown, and made again from the seed. */
export type Operation =
  | { kind: 'create'; id: string; name: string; boardId: string; isBoardLead: boolean; intervalSeconds: number }
  | { kind: 'update'; id: string; name?: string; intervalSeconds?: number; soulTemplate?: string }
  | { kind: 'rotate' | 'pause' | 'resume' | 'delete'; id: string }
  | { kind: 'heartbeat'; id: string; status: 'ACTIVE' | 'IDLE' }
  | { kind: 'sync'; gatewayId: string; rotateTokens: boolean };

/** An operation, the server that is asked for it first, and how long after the round's beginning. */
export interface PlannedOperation {
  atMs: number;
  server: number;
  operation: Operation;
}

/** Operations on one agent, each after the answer to the one before; those on different agents run side by side. */
export type Lane = PlannedOperation[];

/** The most agents, the gateway's own and the leads counted. */
export const LARGEST_FLEET = 20;
const SMALLEST_FLEET = 12;
/** How late in a round an operation may begin. */
const WINDOW_MS = 1_500;

/** How often each is chosen. `replace` deletes an agent and at once creates another with its name and place. */
const WEIGHTS = { update: 5, rotate: 4, turn: 3, heartbeat: 3, create: 3, delete: 2, replace: 1, sync: 2 } as const;

/** Chooses 3 to 8 operations. What they do to an agent follows on what those before them did. */
export function planOperations(dice: Dice, model: FleetModel): Lane[] {
  const planning = new Planning(dice, model);
  const count = dice.integer(3, 8);
  for (let index = 0; index < count; index++) planning.add(dice.weighted(WEIGHTS));
  return planning.lanes;
}

/** What counts of an agent when the next operation on it is chosen. */
interface Candidate extends Pick<ModelAgent, 'id' | 'kind' | 'boardId' | 'name' | 'paused'> {
  /** Created in this round: its workspace may not have its token yet. */
  isNew: boolean;
}

/** The lanes so far, and what the agents will be after them. */
class Planning {
  readonly #dice: Dice;
  readonly #model: FleetModel;
  readonly #agents: Map<string, Candidate>;
  readonly #lanes = new Map<string, Lane>();

  constructor(dice: Dice, model: FleetModel) {
    this.#dice = dice;
    this.#model = model;
    // By name, as ids and the order of answers are not of the seed.
    const agents = [...model.agents.values()].sort((one, other) => one.name.localeCompare(other.name));
    this.#agents = new Map(agents.map((agent) => [agent.id, { ...agent, isNew: false }]));
  }

  get lanes(): Lane[] {
    return [...this.#lanes.values()];
  }

  add(kind: keyof typeof WEIGHTS): void {
    switch (kind) {
      case 'update':
        this.#update(this.#pick(() => true));
        break;
      case 'rotate':
        this.#plan({ kind, id: this.#pick(() => true).id });
        break;
      case 'turn':
        this.#turn(this.#pick(({ kind }) => kind !== 'GATEWAY_MAIN'));
        break;
      case 'heartbeat':
        this.#heartbeat(this.#pick(({ isNew }) => !isNew));
        break;
      case 'create':
        if (this.#agents.size < LARGEST_FLEET) this.#create(null);
        else this.#delete(this.#pick(({ kind }) => kind === 'BOARD_WORKER'));
        break;
      case 'delete':
        if (this.#agents.size > SMALLEST_FLEET) this.#delete(this.#pick(({ kind }) => kind === 'BOARD_WORKER'));
        else this.#create(null);
        break;
      case 'replace':
        this.#replace(this.#pick(({ kind }) => kind !== 'GATEWAY_MAIN'));
        break;
      case 'sync':
        this.#plan({ kind, gatewayId: this.#model.gatewayId, rotateTokens: this.#dice.chance(0.5) });
        break;
    }
  }

  #update(agent: Candidate): void {
    const { id } = agent;
    const what = this.#dice.pick(['name', 'interval', 'soul', 'all']);
    const name = what === 'name' || what === 'all' ? this.#model.newName() : agent.name;
    this.#plan({
      kind: 'update',
      id,
      ...(name !== agent.name && { name }),
      ...((what === 'interval' || what === 'all') && { intervalSeconds: this.#interval() }),
      ...((what === 'soul' || what === 'all') && { soulTemplate: `You are {{ agent_name }}. ${this.#dice.uuid()}\n` }),
    });
    this.#agents.set(id, { ...agent, name });
  }

  /** Pauses the agent, or lets one that is paused go on. */
  #turn(agent: Candidate): void {
    this.#plan({ kind: agent.paused ? 'resume' : 'pause', id: agent.id });
    this.#agents.set(agent.id, { ...agent, paused: !agent.paused });
  }

  #heartbeat({ id }: Candidate): void {
    this.#plan({ kind: 'heartbeat', id, status: this.#dice.pick(['ACTIVE', 'IDLE']) });
  }

  #replace(agent: Candidate): void {
    this.#delete(agent);
    this.#create(agent);
  }

  #delete({ id }: Candidate): void {
    this.#plan({ kind: 'delete', id });
    this.#agents.delete(id);
  }

  /** @param before whose name and place it takes when that one's operations are done */
  #create(before: Candidate | null): void {
    const id = this.#dice.uuid();
    const boardId = before?.boardId ?? this.#dice.pick(this.#model.boardIds);
    const name = before?.name ?? this.#model.newName();
    const kind = before?.kind ?? 'BOARD_WORKER';
    if (before) {
      this.#lanes.set(id, this.#lanes.get(before.id) ?? []);
      this.#lanes.delete(before.id);
    }
    const intervalSeconds = this.#interval();
    this.#plan({ kind: 'create', id, name, boardId, isBoardLead: kind === 'BOARD_LEAD', intervalSeconds });
    this.#agents.set(id, { id, kind, boardId, name, paused: false, isNew: true });
  }

  #interval(): number {
    return this.#dice.integer(300, 3_000);
  }

  #plan(operation: Operation): void {
    const lane = operation.kind === 'sync' ? `sync ${this.#lanes.size}` : operation.id;
    const planned = { atMs: this.#dice.integer(0, WINDOW_MS), server: this.#dice.integer(0, 1), operation };
    this.#lanes.set(lane, [...(this.#lanes.get(lane) ?? []), planned]);
  }

  #pick(isSuitable: (agent: Candidate) => boolean): Candidate {
    return this.#dice.pick([...this.#agents.values()].filter(isSuitable));
  }
}
