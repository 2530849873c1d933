import type { Database } from '../../db/database.ts';
import type { Agent, AgentSoul } from '../../generated/prisma/client.ts';
import { isRequested } from '../plan.ts';
import { storedProfileOf } from '../profile.ts';
import type { SoulDirectory } from './directory.ts';
import type { RoleSoul } from './text.ts';

/** What an agent's SOUL.md is made with. */
export interface SoulChoice {
  /** Null: the built-in soul. */
  soul: RoleSoul | null;
  /** How it came to it, in a sentence, when the directory was asked just now. */
  reason: string | null;
}

/** The choice as it is stored; both null: the built-in soul. */
type StoredChoice = Pick<AgentSoul, 'url' | 'text'>;

interface Decision {
  isNew: boolean;
  stored: StoredChoice;
  reason: string | null;
}

const BUILT_IN: StoredChoice = { url: null, text: null };
const NO_CHOICE: SoulChoice = { soul: null, reason: null };

/**
 * The souls of agents by their roles. One is chosen when an agent is first provisioned with a role, and kept with the
 * agent: SOUL.md is the agent's to edit, and must not be written anew because a directory has changed or is away. It is
 * chosen anew for another role, and when an operator asks for all documents or for a sync of templates.
 */
export class RoleSouls {
  readonly #database: Database;
  readonly #directory: SoulDirectory | null;

  /** @param directory null: none is asked */
  constructor(database: Database, directory: SoulDirectory | null) {
    this.#database = database;
    this.#directory = directory;
  }

  /**
   * The soul that provisioning writes now; what was chosen is stored. A directory that is away is no failure.
   * @param signal of the run: when it is broken off, nothing was chosen, and the next one asks again
   */
  async choose(agent: Agent, signal: AbortSignal): Promise<SoulChoice> {
    const role = roleFor(agent);
    if (role === null) return NO_CHOICE;
    const { isNew, stored, reason } = await this.#decide(agent, role, signal);
    if (isNew && !signal.aborted) {
      const choice = { role, url: stored.url, text: stored.text };
      await this.#database.prisma.agentSoul.upsert({
        where: { agentId: agent.id },
        create: { agentId: agent.id, ...choice },
        update: choice,
      });
    }
    return { soul: soulOf(stored), reason };
  }

  /** The soul that provisioning would write now. Stores nothing. */
  async preview(agent: Agent): Promise<RoleSoul | null> {
    const role = roleFor(agent);
    return role === null ? null : soulOf((await this.#decide(agent, role)).stored);
  }

  async #decide(agent: Agent, role: string, signal?: AbortSignal): Promise<Decision> {
    const known = await this.#database.prisma.agentSoul.findUnique({ where: { agentId: agent.id } });
    const stored = known?.role === role ? known : null;
    const isAsked = isRequested(agent, 'OVERWRITE') || agent.templateSyncId !== null;
    if (stored && !isAsked) return { isNew: false, stored, reason: null };
    if (this.#directory === null) return { isNew: true, stored: BUILT_IN, reason: null };
    const found = await this.#directory.soulFor(role, signal);
    switch (found.kind) {
      case 'soul':
        return { isNew: true, stored: found.soul, reason: `The soul of its role is ${found.soul.url}.` };
      case 'none':
        return { isNew: true, stored: BUILT_IN, reason: found.reason };
      case 'away':
        return { isNew: true, stored: stored ?? BUILT_IN, reason: 'The directory of souls could not be reached.' };
    }
  }
}

/** The role whose soul an agent gets; null for those that get none: leads, main agents, and who has a template of its own. */
function roleFor({ kind, soulTemplate, identityProfile }: Agent): string | null {
  if (kind !== 'BOARD_WORKER' || soulTemplate !== null) return null;
  return storedProfileOf(identityProfile).role?.trim() || null;
}

function soulOf({ url, text }: StoredChoice): RoleSoul | null {
  return url === null || text === null ? null : { url, text };
}
