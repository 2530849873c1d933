import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Config } from './config.ts';
import type { Gateway } from './gateway.ts';
import { Serial } from './limits.ts';
import { mergePatch } from './merge-patch.ts';
import { checkParams, optionalText, text } from './params.ts';
import { permissionMode } from './tools.ts';
import { type Dict, invalid, isDict, pause } from './wire.ts';

/** What agents.create puts into a new workspace; a file that still is so was not customised. */
export const TEMPLATES: Record<string, string> = {
  'AGENTS.md': '# AGENTS.md - Your Workspace\n',
  'SOUL.md': '# SOUL.md - Who You Are\n',
  'IDENTITY.md': '# IDENTITY.md - Who Am I?\n',
  'USER.md': '# USER.md - About Your Human\n',
  'BOOTSTRAP.md': '# BOOTSTRAP.md - Hello, World\n',
};

/** The roster: entries of the configuration that the gateway works with. */
export class Agents {
  readonly #gateway: Gateway;
  readonly #deletes = new Serial();
  readonly #createdAt = new Map<string, number>();
  /** Their databases stay locked until agents.create gives the id back. */
  readonly #deleted = new Set<string>();
  /** Workspaces of agents that were deleted in the middle of a turn, by id, until they are deleted again after it. */
  readonly #unpurged = new Map<string, string>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  has(id: string): boolean {
    return Config.entries(this.#gateway.config.applied)[id] !== undefined;
  }

  ids(): string[] {
    return Object.keys(Config.entries(this.#gateway.config.applied));
  }

  entry(id: string): Dict {
    return Config.entries(this.#gateway.config.applied)[id] ?? {};
  }

  /** @throws Refusal `agent "x" not found`, also in the moments after agents.create */
  require(id: string): void {
    if (!this.has(id)) throw invalid(`agent "${id}" not found`);
  }

  /** Whether an agent of that id was deleted and not made anew by agents.create. */
  isDeleted(id: string): boolean {
    return this.#deleted.has(id);
  }

  workspace(id: string): string {
    const configured = this.entry(id).workspace;
    if (typeof configured !== 'string' || configured === '') {
      return join(this.#gateway.stateDir, id === 'main' ? 'workspace' : `workspace-${id}`);
    }
    return resolve(configured.replace(/^~(?=\/|$)/, homedir()));
  }

  list(params: Dict): Dict {
    checkParams('agents.list', params, {});
    const several = this.ids().length > 1;
    return {
      defaultId: 'main',
      ownership: several ? 'explicit' : 'sole',
      selectionRequired: false,
      mainKey: 'main',
      scope: 'per-sender',
      agents: this.ids().map((id) => this.#describe(id)),
    };
  }

  #describe(id: string): Dict {
    const entry = this.entry(id);
    const createdAt = this.#createdAt.get(id);
    const mode = permissionMode(this.#gateway.config.applied, entry);
    return {
      id,
      ...(typeof entry.name === 'string' ? { name: entry.name } : {}),
      ...(isDict(entry.identity) ? { identity: entry.identity } : {}),
      workspace: this.workspace(id),
      workspaceGit: existsSync(join(this.workspace(id), '.git')),
      agentRuntime: { id: 'auto', cloudPlacementSupported: false, devicePlacementSupported: false, source: 'implicit' },
      thinkingLevels: [{ id: 'off', label: 'off' }],
      thinkingOptions: ['off'],
      thinkingDefault: 'off',
      model: { primary: typeof entry.model === 'string' ? entry.model : 'simulated/simulated-1' },
      ...(mode ? { defaultPermissionMode: mode } : {}),
      ...(createdAt ? { createdVia: 'operator', creatorAgentId: null, createdAt } : {}),
    };
  }

  /** Answers before the agent can be used: until the reload, it is `not found`. */
  async create(params: Dict): Promise<Dict> {
    checkParams('agents.create', params, { required: ['name'], optional: ['workspace', 'model', 'emoji', 'avatar'] });
    const { config, settings, stateDir } = this.#gateway;
    const name = text('agents.create', params, 'name');
    const id = agentIdOf(name);
    if (!id) throw invalid(`Agent name "${name}" has no valid id characters. Use at least one letter a-z or digit.`);
    if (id === 'openclaw') throw invalid('"openclaw" is reserved');
    if (this.#unpurged.has(id)) throw invalid(`agent "${id}" deletion cleanup is still pending`);
    const workspace = optionalText(params, 'workspace') ?? join(stateDir, `workspace-${id}`);
    const model = optionalText(params, 'model');
    const identity = {
      name,
      ...(params.emoji ? { emoji: params.emoji } : {}),
      ...(params.avatar ? { avatar: params.avatar } : {}),
    };
    await pause(settings.delays.createAgent);
    await config.change((source) => {
      if (Config.entries(source)[id]) throw invalid(`agent "${id}" already exists`);
      const entry = { name, workspace, agentDir: join(stateDir, 'agents', id, 'agent'), identity };
      const added = { ...entry, ...(model ? { model } : {}) };
      return mergePatch(source, { agents: { ownership: 'explicit', entries: { [id]: added } } }) as Dict;
    });
    this.#createdAt.set(id, Date.now());
    this.#deleted.delete(id);
    await seed(resolve(workspace.replace(/^~(?=\/|$)/, homedir())));
    setTimeout(() => config.apply(), settings.delays.becomeVisible);
    return { ok: true, agentId: id, name, workspace, ...(model ? { model } : {}) };
  }

  async update(params: Dict): Promise<Dict> {
    checkParams('agents.update', params, {
      required: ['agentId'],
      optional: ['name', 'workspace', 'model', 'emoji', 'avatar'],
    });
    const agentId = text('agents.update', params, 'agentId');
    this.require(agentId);
    const { config, settings } = this.#gateway;
    const patch = Object.fromEntries(
      ['name', 'workspace', 'model'].filter((key) => params[key] !== undefined).map((key) => [key, params[key]]),
    );
    const identity = Object.fromEntries(
      ['name', 'emoji', 'avatar'].filter((key) => params[key] !== undefined).map((key) => [key, params[key]]),
    );
    await pause(settings.delays.createAgent);
    await config.change(
      (source) => mergePatch(source, { agents: { entries: { [agentId]: { ...patch, identity } } } }) as Dict,
    );
    setTimeout(() => config.apply(), settings.delays.becomeVisible);
    return { ok: true, agentId };
  }

  /**
   * One after the other, however many are asked for at once. What a turn under way has open is left where it is, until the agent is
   * deleted again after the turn. (A real gateway that is restarted meanwhile does not come back.)
   */
  delete(params: Dict): Promise<Dict> {
    checkParams('agents.delete', params, { required: ['agentId'], optional: ['deleteFiles'] });
    const agentId = text('agents.delete', params, 'agentId');
    return this.#deletes.run(async () => {
      const unpurged = this.#unpurged.get(agentId);
      if (unpurged === undefined) this.require(agentId);
      if (agentId === 'main') {
        throw invalid(
          'Agent "main" owns the legacy shared auth store and cannot be deleted. Run openclaw doctor --fix to migrate shared auth, then retry.',
        );
      }
      const { config, settings, sessions, runs } = this.#gateway;
      const workspace = unpurged ?? this.workspace(agentId);
      const works = runs.all().some((run) => run.status === 'running' && run.agentId === agentId);
      await pause(settings.delays.deleteAgent);
      await config.change((source) => withoutEntry(source, agentId));
      config.apply();
      this.#createdAt.delete(agentId);
      this.#deleted.add(agentId);
      if (works) {
        sessions.revokeAgent(agentId);
        this.#unpurged.set(agentId, workspace);
        return { ok: true, agentId, removedBindings: 0, removed: [], failed: [], purgeFailed: true };
      }
      this.#unpurged.delete(agentId);
      sessions.forgetAgent(agentId);
      const removed = params.deleteFiles === false ? [] : await this.#trash(workspace);
      return { ok: true, agentId, removedBindings: 0, removed, failed: [] };
    });
  }

  /** Moves a folder away, as the gateway does: what is deleted by mistake can be found again. */
  async #trash(workspace: string): Promise<Dict[]> {
    if (!existsSync(workspace)) return [{ path: workspace, method: 'missing' }];
    const trash = join(this.#gateway.stateDir, '.Trash');
    await mkdir(trash, { recursive: true });
    const place = join(trash, basename(workspace));
    await rm(place, { recursive: true, force: true });
    await rename(workspace, place);
    return [{ path: workspace, method: 'trash' }];
  }
}

/** The id that agents.create makes of a name: `"Näme 1"` becomes `n-me-1`. Empty when nothing is left of it. */
function agentIdOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64);
}

function withoutEntry(source: Dict, id: string): Dict {
  return mergePatch(source, { agents: { entries: { [id]: null } } }) as Dict;
}

async function seed(workspace: string): Promise<void> {
  await mkdir(join(workspace, '.git'), { recursive: true });
  for (const [name, content] of Object.entries(TEMPLATES)) {
    await writeFile(join(workspace, name), content, { flag: 'wx' }).catch(() => undefined);
  }
}
