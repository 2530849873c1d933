import { z } from 'zod';
import { GatewayError } from './errors.ts';
import { WAIT_FOR_IT } from './failures/rule.ts';
import { ask, type GatewayRequests, type RequestOptions } from './requests.ts';

/** The job that the gateway keeps for an agent's heartbeats. There is none without a heartbeat block, or where cron is off. */
export interface HeartbeatJob {
  id: string;
  /** The agent's id on the gateway. */
  agentId: string;
  enabled: boolean;
}

const HEARTBEAT_PREFIX = 'heartbeat:';
// The largest page that OpenClaw's protocol schema allows.
const PAGE_SIZE = 200;
const page = z.looseObject({
  jobs: z.array(
    z.looseObject({ id: z.string(), declarationKey: z.string().nullish(), enabled: z.boolean().nullish() }),
  ),
  nextOffset: z.number().nullish(),
});

/** The agent whose heartbeat a job's declaration key names; null for other jobs. */
export function heartbeatAgentId(declarationKey: unknown): string | null {
  if (typeof declarationKey !== 'string' || !declarationKey.startsWith(HEARTBEAT_PREFIX)) return null;
  return declarationKey.slice(HEARTBEAT_PREFIX.length) || null;
}

/** The heartbeat jobs of all agents, by the agents' ids, with as few requests as there are pages of 200 jobs. */
export async function findHeartbeatJobs(
  gateway: GatewayRequests,
  filter: { agentId?: string } = {},
  options?: RequestOptions,
): Promise<Map<string, HeartbeatJob>> {
  const jobs = new Map<string, HeartbeatJob>();
  let offset: number | null = 0;
  while (offset !== null) {
    // Compact: without each job's payload and without a look-up of where its results would be delivered.
    const params: object = { ...filter, includeDisabled: true, compact: true, limit: PAGE_SIZE, offset };
    const answer: z.output<typeof page> = await ask(gateway, 'cron.list', params, page, options);
    for (const job of answer.jobs) {
      const agentId = heartbeatAgentId(job.declarationKey);
      if (agentId !== null) jobs.set(agentId, { id: job.id, agentId, enabled: job.enabled ?? true });
    }
    const next: number | null = answer.nextOffset ?? null;
    offset = next !== null && next > offset ? next : null;
  }
  return jobs;
}

/** The heartbeat job of one agent; null when it has none. */
export async function findHeartbeatJob(
  gateway: GatewayRequests,
  agentId: string,
  options?: RequestOptions,
): Promise<HeartbeatJob | null> {
  return (await findHeartbeatJobs(gateway, { agentId }, options)).get(agentId) ?? null;
}

export interface Scratch {
  /** Null when there is none. */
  content: string | null;
  /** 0 when there is none yet. */
  revision: number;
}

const scratch = z.looseObject({ content: z.string() }).nullish();
const gotten = z.looseObject({ scratch, currentRevision: z.number() });
const set = z.looseObject({ ok: z.boolean(), currentRevision: z.number() });
const SET_TRIES = 3;

/** What the gateway hands to the agent at each run of a job. */
export async function getScratch(gateway: GatewayRequests, jobId: string, options?: RequestOptions): Promise<Scratch> {
  const answer = await ask(gateway, 'cron.scratch.get', { jobId }, gotten, options);
  return { content: answer.scratch?.content ?? null, revision: answer.currentRevision };
}

/**
 * Writes what the gateway hands to the agent at each run of a job: at most 262,144 characters, null for nothing. With
 * `expectedRevision`, a conflict is answered by writing again on top of the present revision, so that this content wins. Returns the
 * new revision. A conflict is an accepted request with `ok: false` (measured on OpenClaw 2026.9.6).
 */
export async function setScratch(
  gateway: GatewayRequests,
  input: { jobId: string; content: string | null; expectedRevision?: number },
): Promise<{ revision: number }> {
  let { expectedRevision } = input;
  for (let tries = 1; tries <= SET_TRIES; tries += 1) {
    const expected = expectedRevision === undefined ? {} : { expectedRevision };
    const params = { jobId: input.jobId, content: input.content, ...expected };
    const answer = await ask(gateway, 'cron.scratch.set', params, set);
    if (answer.ok) return { revision: answer.currentRevision };
    expectedRevision = answer.currentRevision;
  }
  throw new GatewayError({
    kind: 'rejected',
    reason: 'file-conflict',
    message: 'The heartbeat instructions are being changed by someone else at the same time.',
    retryable: true,
    hint: WAIT_FOR_IT,
  });
}
