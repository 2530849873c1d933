import type { Database } from '../db/database.ts';
import type { ProvisioningStepName, StepOutcome } from '../generated/prisma/client.ts';
import { inSpan } from '../spans.ts';
import type { ProvisioningMetrics } from './metrics.ts';

export interface StepResult {
  outcome: Exclude<StepOutcome, 'RUNNING' | 'FAILED'>;
  /** More about it, for example the names of the documents that were written. */
  detail?: string;
}

/** Where steps are stored and counted. */
export interface StepRecords {
  database: Database;
  metrics: ProvisioningMetrics;
}

/** Stores for these agents how a step stands and appends the event, in one statement. */
export async function recordStep(
  { database, metrics }: StepRecords,
  agentIds: string[],
  step: {
    name: ProvisioningStepName;
    outcome: StepOutcome;
    detail: string | null;
    startedAt: Date;
    durationMs: number | null;
  },
): Promise<void> {
  const { name, outcome, detail, startedAt } = step;
  if (outcome !== 'RUNNING') metrics.stepEnded(name, outcome, (step.durationMs ?? 0) / 1_000, agentIds.length);
  const durationMs = step.durationMs === null ? null : Math.round(step.durationMs * 10) / 10;
  await database.prisma.$executeRaw`
    WITH step AS (
      INSERT INTO "ProvisioningStep" ("agentId", name, outcome, detail, "startedAt", "durationMs")
      SELECT id, ${name}::"ProvisioningStepName", ${outcome}::"StepOutcome", ${detail}, ${startedAt}, ${durationMs}
      FROM "Agent" WHERE id = ANY(${agentIds}::uuid[])
      ON CONFLICT ("agentId", name) DO UPDATE
      SET outcome = excluded.outcome, detail = excluded.detail, "startedAt" = excluded."startedAt",
          "durationMs" = excluded."durationMs"
      RETURNING *
    )
    INSERT INTO "AgentEvent" ("organizationId", "agentId", "boardId", "gatewayId", type, at, status, liveness,
                              "stepName", "stepOutcome", "stepDetail", "stepStartedAt", "stepDurationMs")
    SELECT a."organizationId", a.id, a."boardId", a."gatewayId", 'PROVISIONING', clock_timestamp(), a.status, a.liveness,
           step.name, step.outcome, step.detail, step."startedAt", step."durationMs"
    FROM step JOIN "Agent" a ON a.id = step."agentId"
    ORDER BY a.id`;
}

/** Steps whose begin is told, because they wait for the gateway and an onlooker would wonder. */
const LONG_STEPS: ReadonlySet<ProvisioningStepName> = new Set(['REGISTER', 'WRITE_DOCUMENTS', 'WAKE', 'REMOVE']);

/**
 * Runs one step of an agent and stores how it went. What the step itself has to store, such as a token's hash, is done in
 * `store`, before the outcome: a run that is killed in between does the step again.
 */
export function runStep<T extends StepResult>(
  records: StepRecords,
  agentId: string,
  name: ProvisioningStepName,
  work: () => Promise<T>,
  store?: (result: T) => Promise<unknown>,
): Promise<T> {
  const attributes = { 'agent.id': agentId, 'provisioning.step': name };
  return inSpan(name, { attributes }, () => runAndRecord(records, agentId, name, work, store));
}

async function runAndRecord<T extends StepResult>(
  records: StepRecords,
  agentId: string,
  name: ProvisioningStepName,
  work: () => Promise<T>,
  store?: (result: T) => Promise<unknown>,
): Promise<T> {
  const startedAt = new Date();
  const started = performance.now();
  const record = (outcome: StepOutcome, detail: string | null, durationMs: number | null) =>
    recordStep(records, [agentId], { name, outcome, detail, startedAt, durationMs });
  // Told while the work is under way already.
  const told = LONG_STEPS.has(name) ? record('RUNNING', null, null) : null;
  try {
    const result = await both(work(), told);
    await store?.(result);
    await record(result.outcome, result.detail ?? null, performance.now() - started);
    return result;
  } catch (error) {
    await record('FAILED', error instanceof Error ? error.message : String(error), performance.now() - started);
    throw error;
  }
}

/** What the work results in, when what goes along with it has ended as well, also when one of them fails. */
export async function both<T>(work: Promise<T>, along: Promise<unknown> | null): Promise<T> {
  await Promise.allSettled([work, along]);
  await along;
  return work;
}
