import { createHash, randomUUID } from 'node:crypto';
import type { Gateway } from './gateway.ts';
import { same } from './merge-patch.ts';
import { checkParams, optionalNumber, optionalText, text } from './params.ts';
import { type Dict, invalid, unavailable } from './wire.ts';

const MAX_SCRATCH_BYTES = 262_144;
const WEEK_MS = 604_800_000;

interface Job {
  id: string;
  declarationKey: string;
  agentId: string;
  displayName: string;
  name: string;
  kind: 'heartbeat' | 'review';
  enabled: boolean;
  everyMs: number;
  createdAtMs: number;
  updatedAtMs: number;
  nextRunAtMs: number;
  state: Dict;
  scratch: { content: string; revision: number; updatedAtMs: number } | null;
  revision: number;
  runs: Dict[];
  timer: NodeJS.Timeout | undefined;
}

/**
 * The jobs that the gateway keeps for its agents: `heartbeat:<id>` for each with a heartbeat block (also when it is
 * off, then disabled) and `skill-collection-review:<id>` for each. Clients cannot change them, but write the
 * heartbeat's scratch, which the agent reads at every beat.
 */
export class Cron {
  readonly #gateway: Gateway;
  readonly #jobs = new Map<string, Job>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Adds, changes and removes jobs as the configuration says. */
  followConfig(): void {
    const { agents, heartbeats } = this.#gateway;
    const wanted = new Map<string, Pick<Job, 'agentId' | 'kind' | 'enabled' | 'everyMs'>>();
    for (const agentId of agents.ids()) {
      const beat = heartbeats.of(agentId);
      if (beat.hasJob) {
        const everyMs = beat.everyMs ?? 1_800_000;
        wanted.set(`heartbeat:${agentId}`, { agentId, kind: 'heartbeat', enabled: beat.enabled, everyMs });
      }
      wanted.set(`skill-collection-review:${agentId}`, { agentId, kind: 'review', enabled: true, everyMs: WEEK_MS });
    }
    for (const job of [...this.#jobs.values()]) {
      if (wanted.has(job.declarationKey)) continue;
      clearTimeout(job.timer);
      this.#jobs.delete(job.declarationKey);
      this.#tell(job, 'removed');
    }
    for (const [key, want] of wanted) this.#keep(key, want);
  }

  #keep(key: string, want: Pick<Job, 'agentId' | 'kind' | 'enabled' | 'everyMs'>): void {
    const now = Date.now();
    const existing = this.#jobs.get(key);
    if (existing) {
      if (same([existing.enabled, existing.everyMs], [want.enabled, want.everyMs])) return;
      Object.assign(existing, want, { updatedAtMs: now });
      this.#schedule(existing);
      this.#tell(existing, 'updated');
      return;
    }
    const title = want.kind === 'heartbeat' ? 'Heartbeat' : 'Skill collection review';
    const job: Job = {
      id: randomUUID(),
      declarationKey: key,
      displayName: `${title} (${want.agentId})`,
      name: key.replace(':', '-'),
      ...want,
      createdAtMs: now,
      updatedAtMs: now,
      nextRunAtMs: now,
      state: {},
      scratch: null,
      revision: 0,
      runs: [],
      timer: undefined,
    };
    this.#jobs.set(key, job);
    this.#schedule(job);
    this.#tell(job, 'added');
  }

  /** A real gateway spreads first beats over the interval by the agent's id; here a whole interval passes first. */
  #schedule(job: Job): void {
    clearTimeout(job.timer);
    const delay = job.everyMs / this.#gateway.settings.timeScale;
    job.nextRunAtMs = Date.now() + delay;
    if (!job.enabled || job.kind !== 'heartbeat' || delay > 2 ** 31 - 1) return;
    job.timer = setTimeout(() => {
      this.#run(job, undefined).catch(() => undefined);
    }, delay);
    job.timer.unref();
  }

  stopTimers(): void {
    for (const job of this.#jobs.values()) clearTimeout(job.timer);
  }

  startTimers(): void {
    for (const job of this.#jobs.values()) this.#schedule(job);
  }

  /** Runs an agent's heartbeat job now and resolves when the beat is over. @throws Error when there is no such job */
  async beat(agentId: string): Promise<void> {
    const job = this.#jobs.get(`heartbeat:${agentId}`);
    if (!job) throw new Error(`agent ${agentId} has no heartbeat job`);
    await this.#run(job, undefined);
  }

  list(params: Dict): Dict {
    checkParams('cron.list', params, {
      optional: ['agentId', 'includeDisabled', 'compact', 'limit', 'offset', 'query', 'enabled', 'sortBy', 'sortDir'],
    });
    const limit = optionalNumber(params, 'limit') ?? 50;
    if (limit > 200) throw invalid('invalid cron.list params: at /limit: must be <= 200');
    const agentId = optionalText(params, 'agentId');
    const all = [...this.#jobs.values()]
      .filter((job) => agentId === undefined || job.agentId === agentId)
      .filter((job) => job.enabled || params.includeDisabled === true)
      .sort((a, b) => a.nextRunAtMs - b.nextRunAtMs);
    const offset = optionalNumber(params, 'offset') ?? 0;
    const page = all.slice(offset, offset + limit);
    const hasMore = offset + page.length < all.length;
    return {
      jobs: page.map((job) => ({ ...describe(job), nextRunAtMs: job.nextRunAtMs, effectiveAgentId: job.agentId })),
      snapshotRevision: `sha256:${createHash('sha256')
        .update(JSON.stringify(all.map(describe)))
        .digest('base64url')}`,
      total: all.length,
      offset,
      limit,
      hasMore,
      nextOffset: hasMore ? offset + page.length : null,
      deliveryPreviews: {},
    };
  }

  getScratch(params: Dict): Dict {
    checkParams('cron.scratch.get', params, { required: idName(params) });
    const job = this.#require('cron.scratch.get', params);
    return { scratch: job.scratch, currentRevision: job.revision, maxBytes: MAX_SCRATCH_BYTES };
  }

  /** A conflict of revisions is no error of the request: it is answered with `ok: false` in the payload. */
  setScratch(params: Dict): Dict {
    checkParams('cron.scratch.set', params, {
      required: [...idName(params), 'content'],
      optional: ['expectedRevision'],
    });
    const job = this.#require('cron.scratch.set', params);
    if (params.expectedRevision !== undefined && params.expectedRevision !== job.revision) {
      return { ok: false, reason: 'revision-conflict', currentRevision: job.revision };
    }
    const content = params.content === null ? null : text('cron.scratch.set', params, 'content');
    if (content !== null && Buffer.byteLength(content) > MAX_SCRATCH_BYTES) {
      throw invalid(
        `invalid cron.scratch.set params: at /content: must not have more than ${MAX_SCRATCH_BYTES} characters`,
      );
    }
    job.revision += 1;
    job.scratch = content === null ? null : { content, revision: job.revision, updatedAtMs: Date.now() };
    return { ok: true, scratch: job.scratch, currentRevision: job.revision, maxBytes: MAX_SCRATCH_BYTES };
  }

  /** Answers at once; the beat shows in `cron` events. */
  run(params: Dict): Dict {
    checkParams('cron.run', params, { required: idName(params), optional: ['mode'] });
    const job = this.#require('cron.run', params);
    const runId = `manual:${job.id}:${Date.now()}:1`;
    setImmediate(() => {
      this.#run(job, runId).catch(() => undefined);
    });
    return { ok: true, enqueued: true, runId };
  }

  listRuns(params: Dict): Dict {
    checkParams('cron.runs', params, { optional: [...idName(params), 'limit', 'offset', 'scope', 'statuses'] });
    const job = this.#require('cron.runs', params);
    const entries = [...job.runs].reverse();
    return { entries, total: entries.length, offset: 0, limit: 50, hasMore: false, nextOffset: null };
  }

  refuseEdit(params: Dict): Dict {
    this.#require('cron.update', params);
    throw unavailable('Error: system-owned monitor jobs cannot be edited by cron clients');
  }

  async #run(job: Job, runId: string | undefined): Promise<void> {
    if (job.kind !== 'heartbeat') return;
    const runAtMs = Date.now();
    this.#schedule(job);
    job.state = { ...job.state, runningAtMs: runAtMs };
    this.#tell(job, 'started', { runAtMs });
    const { status, error } = await this.#gateway.heartbeats.beat(job.agentId, job.scratch?.content);
    if (!this.#jobs.has(job.declarationKey)) return;
    const outcome = {
      status,
      completionStatus: status === 'ok' ? 'succeeded' : 'failed',
      ...(error ? { error } : { summary: 'heartbeat completed' }),
      deliveryStatus: 'not-requested',
      runAtMs,
      durationMs: Date.now() - runAtMs,
      nextRunAtMs: job.nextRunAtMs,
      ...(runId ? { runId } : {}),
    };
    job.state = { lastRunAtMs: runAtMs, lastRunStatus: status, lastStatus: status, lastDurationMs: outcome.durationMs };
    const entry = { ts: Date.now(), jobId: job.id, action: 'finished', ...outcome, jobName: job.name };
    job.runs = [...job.runs, entry].slice(-50);
    this.#tell(job, 'finished', outcome);
  }

  #require(method: string, params: Dict): Job {
    const id = text(method, params, params.id === undefined ? 'jobId' : 'id');
    const job = [...this.#jobs.values()].find((each) => each.id === id);
    if (job) return job;
    throw invalid(
      `Automation not found: ${id}. List automations and retry with a current job id. For cross-session management, use a fresh authenticated configured channel owner or Control UI administrator turn or the Automations page.`,
      { code: 'CRON_JOB_NOT_FOUND', jobId: id },
    );
  }

  #tell(job: Job, action: string, more: Dict = {}): void {
    this.#gateway.broadcast('cron', { jobId: job.id, action, job: describe(job), ...more });
  }
}

/** Both `id` and `jobId` are taken. */
function idName(params: Dict): string[] {
  return [params.jobId === undefined ? 'id' : 'jobId'];
}

function describe(job: Job): Dict {
  return {
    id: job.id,
    declarationKey: job.declarationKey,
    displayName: job.displayName,
    agentId: job.agentId,
    name: job.name,
    enabled: job.enabled,
    createdAtMs: job.createdAtMs,
    updatedAtMs: job.updatedAtMs,
    schedule: { kind: 'every', everyMs: job.everyMs, anchorMs: 0 },
    sessionTarget: job.kind === 'heartbeat' ? 'main' : 'isolated',
    wakeMode: 'next-heartbeat',
    payload: { kind: job.kind === 'heartbeat' ? 'heartbeat' : 'agentTurn' },
    state: { ...job.state, nextRunAtMs: job.nextRunAtMs },
  };
}
