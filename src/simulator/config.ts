import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeIssue, findIssues } from './config-rules.ts';
import type { Gateway } from './gateway.ts';
import { Serial } from './limits.ts';
import { canonical, changedPaths, leafPaths, mergePatch, same, shrunkArrays } from './merge-patch.ts';
import { checkParams, optionalText, text } from './params.ts';
import { type Dict, invalid, isDict, pause, Refusal, unavailable } from './wire.ts';

const STALE = 'config changed since last load; re-run config.get and retry';
const REDACTED = '__OPENCLAW_REDACTED__';

/**
 * The configuration: what is on disk (`source`), and what the gateway works with (`applied`), which follows with
 * every apply. `hash` guards writes; `configRevisionHash` and `appliedConfigHash` are equal when the two are.
 */
export class Config {
  source: Dict;
  applied: Dict;
  readonly #gateway: Gateway;
  readonly #writes = new Serial();

  constructor(gateway: Gateway, initial: Dict) {
    this.#gateway = gateway;
    this.source = initial;
    this.applied = initial;
    this.#save();
  }

  get path(): string {
    return join(this.#gateway.stateDir, 'openclaw.json');
  }

  get hash(): string {
    return digest('file', this.source);
  }

  get appliedHash(): string {
    return digest('revision', this.applied);
  }

  /** The entries of one of the two documents, by agent id. */
  static entries(document: Dict): Record<string, Dict> {
    const agents = isDict(document.agents) ? document.agents : {};
    const entries = isDict(agents.entries) ? agents.entries : {};
    return Object.fromEntries(Object.entries(entries).map(([id, entry]) => [id, isDict(entry) ? entry : {}]));
  }

  read(): Dict {
    const source = redact(this.source);
    return {
      path: this.path,
      exists: true,
      raw: null,
      parsed: source,
      sourceConfig: source,
      resolved: source,
      valid: true,
      runtimeConfig: source,
      config: source,
      hash: this.hash,
      issues: [],
      warnings: [],
      legacyIssues: [],
      configRevisionHash: digest('revision', this.source),
      appliedConfigHash: this.appliedHash,
    };
  }

  /** Answers when the change is live. Patches are JSON here; the real gateway takes JSON5. */
  async patch(params: Dict): Promise<Dict> {
    checkParams('config.patch', params, {
      required: ['raw'],
      optional: ['baseHash', 'replacePaths', 'note', 'sessionKey', 'restartDelayMs', 'deliveryContext'],
    });
    const patch = parse(text('config.patch', params, 'raw'));
    return this.#writes.run(async () => {
      const baseHash = optionalText(params, 'baseHash');
      if (baseHash !== undefined && baseHash !== this.hash) throw invalid(STALE);
      const merged = mergePatch(this.source, patch) as Dict;
      if (same(merged, this.source)) {
        return { ok: true, noop: true, changedPaths: [], path: this.path, config: redact(this.source) };
      }
      if (baseHash === undefined) {
        const paths = leafPaths(patch).join(', ');
        throw invalid(`config base hash required for ${paths}; re-run config.get and retry with baseHash`);
      }
      this.#refuseLosses(merged, Array.isArray(params.replacePaths) ? params.replacePaths : []);
      const changed = changedPaths(this.source, merged);
      this.source = pinMain(merged, this.#gateway.stateDir);
      this.#save();
      await pause(this.#gateway.settings.delays.applyConfig);
      this.apply();
      if (this.#gateway.agents.ids().some((id) => this.#gateway.agents.isDeleted(id))) {
        this.#gateway.restartItself();
        throw unavailable(
          'config.patch persisted and updated the active Gateway, but a recovery restart is required; wait for the Gateway to restart, then run config.get to confirm the active revision',
        );
      }
      return {
        ok: true,
        path: this.path,
        hash: this.hash,
        config: redact(this.source),
        changedPaths: changed,
        sentinel: {
          persisted: true,
          payload: { kind: 'config-patch', status: 'ok', ts: Date.now(), stats: { requiresRestart: false } },
        },
      };
    });
  }

  #refuseLosses(merged: Dict, replacePaths: unknown[]): void {
    const shrunk = shrunkArrays(this.source, merged).filter((path) => !replacePaths.includes(path));
    if (shrunk.length > 0) {
      throw invalid(
        `config.patch would remove entries from array path(s): ${shrunk.join(', ')}. Pass replacePaths with the exact path(s) when this is intentional, or use config.apply for full-config replacement.`,
      );
    }
    const issues = findIssues(merged);
    const [first] = issues;
    if (first) throw invalid(describeIssue(first), { issues });
    const kept = Config.entries(merged);
    const dropped = Object.keys(Config.entries(this.source)).filter((id) => !kept[id]);
    if (dropped.length > 0) {
      throw unavailable(
        `Error: Config write would drop agent roster entries without an explicit deletion: ${dropped.join(', ')}.`,
      );
    }
  }

  /** A write by the gateway itself (agents.create, update, delete), in line with the patches. It is not applied yet. */
  change(write: (source: Dict) => Dict): Promise<void> {
    return this.#writes.run(async () => {
      this.source = pinMain(write(this.source), this.#gateway.stateDir);
      this.#save();
    });
  }

  /** Makes what is on disk what the gateway works with. */
  apply(): void {
    if (this.applied === this.source) return;
    this.applied = this.source;
    this.#gateway.cron.followConfig();
    this.#gateway.broadcast('chat.metadata.changed', {});
    this.#gateway.broadcast('config.changed', { path: this.path, hash: this.hash, ts: Date.now() });
  }

  #save(): void {
    mkdirSync(this.#gateway.stateDir, { recursive: true });
    writeFileSync(this.path, JSON.stringify(this.source, null, 2));
  }
}

/** The configuration of a fresh gateway with one provider. */
export function freshConfig(port: number, token: string, modelConfigured: boolean, tools: Dict | undefined): Dict {
  return {
    gateway: { mode: 'local', port, bind: 'loopback', auth: { mode: 'token', token } },
    update: { checkOnStart: false },
    plugins: { enabled: false },
    agents: {
      ...(modelConfigured ? { defaults: { model: { primary: 'simulated/simulated-1' } } } : {}),
      entries: { main: {} },
    },
    ...(tools ? { tools } : {}),
  };
}

/** With a second agent, the gateway writes down what was implied for the first. */
function pinMain(source: Dict, stateDir: string): Dict {
  const main = Config.entries(source).main;
  if (!main || main.workspace || Object.keys(Config.entries(source)).length < 2) return source;
  return mergePatch(source, {
    agents: {
      ownership: 'explicit',
      defaults: { heartbeat: { agentId: 'main' }, systemAgent: { agentId: 'main' } },
      entries: { main: { workspace: join(stateDir, 'workspace') } },
    },
    talk: { agentId: 'main' },
  }) as Dict;
}

function parse(raw: string): Dict {
  let patch: unknown;
  try {
    patch = JSON.parse(raw);
  } catch (error) {
    throw invalid(`SyntaxError: JSON5: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isDict(patch)) throw new Refusal(invalid('config.patch raw must be an object').shape);
  return patch;
}

function redact(source: Dict): Dict {
  return JSON.parse(
    JSON.stringify(source, (key, value: unknown) =>
      (key === 'token' || key === 'apiKey' || key === 'password') && typeof value === 'string' ? REDACTED : value,
    ),
  ) as Dict;
}

function digest(kind: string, document: Dict): string {
  return `hmac-sha256:v1:${createHmac('sha256', `simulator:${kind}`).update(canonical(document)).digest('base64url')}`;
}
