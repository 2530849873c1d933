import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, made } from '../src/demo/api.ts';
import { CREATE_AGENT, CREATE_TASK } from '../src/demo/documents.ts';
import { DeleteAgent, Heartbeat, PauseAgent, ResumeAgent, UpdateAgent } from '../test/support/documents.ts';

// Mutations for several gateways at a constant rate.

export const MUTATIONS = [
  'createAgent',
  'updateAgent',
  'pauseAgent',
  'resumeAgent',
  'deleteAgent',
  'createTask',
  'heartbeat',
] as const;
export type Mutation = (typeof MUTATIONS)[number];

/** One board and its agents, each of which waits its turn for long enough that what was asked for before is done. */
export class Team {
  readonly #api: Api;
  readonly #boardId: string;
  readonly #working: string[];
  readonly #awake: string[];
  readonly #paused: string[];
  readonly #leaving: string[];
  #count = 0;

  /** @param agents those that are there: a quarter each works, is to be paused, is paused, and is to leave */
  static async of(api: Api, boardId: string, agents: readonly string[]): Promise<Team> {
    const quarter = Math.floor(agents.length / 4);
    const [working = [], awake = [], paused = [], leaving = []] = [0, 1, 2, 3].map((index) =>
      agents.slice(index * quarter, (index + 1) * quarter),
    );
    for (const id of paused) made((await api.ask(PauseAgent, { id })).pauseAgent);
    return new Team(api, boardId, { working, awake, paused, leaving });
  }

  private constructor(
    api: Api,
    boardId: string,
    { working, awake, paused, leaving }: Record<'working' | 'awake' | 'paused' | 'leaving', string[]>,
  ) {
    this.#api = api;
    this.#boardId = boardId;
    this.#working = working;
    this.#awake = awake;
    this.#paused = paused;
    this.#leaving = leaving;
  }

  /** Resolves when it is answered. Throws when the answer is an error. */
  async send(mutation: Mutation): Promise<void> {
    const api = this.#api;
    const number = ++this.#count;
    switch (mutation) {
      case 'createAgent': {
        const input = { boardId: this.#boardId, name: `Agent ${number}` };
        this.#leaving.push(made((await api.ask(CREATE_AGENT, { input })).createAgent).id);
        return;
      }
      case 'updateAgent': {
        const input = { id: this.#nextWorking(), identityProfile: { tone: `Tone ${number}` } };
        made((await api.ask(UpdateAgent, { input })).updateAgent);
        return;
      }
      case 'pauseAgent': {
        const id = next(this.#awake);
        made((await api.ask(PauseAgent, { id })).pauseAgent);
        this.#paused.push(id);
        return;
      }
      case 'resumeAgent': {
        const id = next(this.#paused);
        made((await api.ask(ResumeAgent, { id })).resumeAgent);
        this.#awake.push(id);
        return;
      }
      case 'deleteAgent':
        made((await api.ask(DeleteAgent, { id: next(this.#leaving) })).deleteAgent);
        return;
      case 'createTask': {
        const input = { boardId: this.#boardId, title: `Task ${number}` };
        made((await api.ask(CREATE_TASK, { input })).createTask);
        return;
      }
      case 'heartbeat':
        made((await api.ask(Heartbeat, { input: { id: this.#nextWorking() } })).heartbeat);
        return;
    }
  }

  #nextWorking(): string {
    const id = next(this.#working);
    this.#working.push(id);
    return id;
  }
}

function next(ids: string[]): string {
  const id = ids.shift();
  if (id === undefined) throw new Error('There are too few agents for this rate.');
  return id;
}

export interface Sample<Key> {
  key: Key;
  mutation: Mutation;
  ms: number;
}

/**
 * Sends every mutation once per cycle to all teams at the same moment, in an order by chance, and the next one when all are
 * answered, at most so many in a second. So whatever slows down the server for a moment strikes all teams alike.
 */
export async function load<Key>(
  teams: ReadonlyMap<Key, Team>,
  { cycles, perSecond }: { cycles: number; perSecond: number },
): Promise<Sample<Key>[]> {
  const samples: Sample<Key>[] = [];
  for (let cycle = 0; cycle < cycles; cycle++) {
    for (const mutation of shuffled(MUTATIONS)) {
      const paced = sleep((teams.size * 1_000) / perSecond);
      const sent = performance.now();
      await Promise.all(
        shuffled([...teams]).map(async ([key, team]) => {
          await team.send(mutation);
          samples.push({ key, mutation, ms: performance.now() - sent });
        }),
      );
      await paced;
    }
  }
  return samples;
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
