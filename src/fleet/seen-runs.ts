import { LRUCache } from 'lru-cache';
import type { Fact } from '../gateway/observation.ts';

/** What an agent was seen to do at its gateway. */
export interface Sign {
  /** The agent's id on the gateway. */
  agentId: string;
  status: 'ACTIVE' | 'IDLE';
  at: Date;
}

/** A run of which nothing was heard for so long has ended without a word. */
const FORGOTTEN_MS = 15 * 60_000;
/** Events of a heartbeat's job name no run. */
const UNNAMED = '';
/** Runs of a gateway whose end is remembered: what is told of them late comes within seconds. */
const ENDED_RUNS = 1_000;

/** Which runs are under way at one gateway. An agent can have several, in several sessions; with the last one it is idle. */
export class SeenRuns {
  /** By the agent's id there: its runs, each with when it was last heard of. */
  readonly #runs = new Map<string, Map<string, number>>();
  /** By the run's id: when it ended, as the gateway tells it. */
  readonly #ended = new LRUCache<string, number>({ max: ENDED_RUNS });

  /** What a fact says of agents; nothing when it is no sign of life. */
  take(fact: Fact, at: Date): Sign[] {
    switch (fact.kind) {
      case 'run-started':
        // The job's own event comes also for a beat that is then skipped; the run that it begins is told by its session.
        if (fact.isHeartbeat && fact.runId === null) return [];
        return this.#hears(fact, at);
      case 'run-active':
        return this.#hears(fact, at);
      case 'run-ended':
        if (fact.outcome === 'skipped') return [];
        // As it was told first, by the gateway's clock: `chat` is dated by this server's.
        if (fact.runId !== null && !this.#ended.has(fact.runId)) this.#ended.set(fact.runId, fact.at.getTime());
        return [this.#ends(fact.agentId, fact.runId ?? UNNAMED, at)];
      case 'runs-listed':
        this.#runs.clear();
        this.#ended.clear();
        return fact.running.map((agentId) => this.#goesOn(agentId, UNNAMED, at));
      default:
        return [];
    }
  }

  /**
   * Nothing, when it is told of a run after its end: a busy OpenClaw 2026.9.6 tells by `sessions.changed` that a run has started
   * when `agent` and `chat` have told its end already (measured). One that was killed may begin again, later, under the same id.
   */
  #hears({ agentId, runId, at: toldAt }: { agentId: string; runId: string | null; at: Date }, at: Date): Sign[] {
    if (runId !== null) {
      const endedAt = this.#ended.get(runId);
      if (endedAt !== undefined && toldAt.getTime() <= endedAt) return [];
      this.#ended.delete(runId);
    }
    return [this.#goesOn(agentId, runId ?? UNNAMED, at)];
  }

  #goesOn(agentId: string, run: string, at: Date): Sign {
    const runs = this.#runs.get(agentId) ?? new Map<string, number>();
    this.#runs.set(agentId, runs.set(run, at.getTime()));
    return { agentId, status: 'ACTIVE', at };
  }

  #ends(agentId: string, run: string, at: Date): Sign {
    const runs = this.#runs.get(agentId) ?? new Map<string, number>();
    runs.delete(run);
    // One that was found in a list, or begun by a job, has no name until it ends.
    runs.delete(UNNAMED);
    for (const [other, heardAt] of runs) if (at.getTime() - heardAt > FORGOTTEN_MS) runs.delete(other);
    if (runs.size > 0) return { agentId, status: 'ACTIVE', at };
    this.#runs.delete(agentId);
    return { agentId, status: 'IDLE', at };
  }
}
