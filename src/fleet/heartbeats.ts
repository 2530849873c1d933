import { setImmediate as immediate } from 'node:timers/promises';
import { z } from 'zod';
import type { Actor, Viewer } from '../access/viewer.ts';
import { type Database, Prisma } from '../db/database.ts';
import { actorColumns } from '../events/activity.ts';
import { tellHeartbeats } from '../events/live.ts';
import type { Agent, AgentStatus } from '../generated/prisma/client.ts';
import { findAgent } from './agents.ts';
import { ConflictError, NotFoundError, ValidationError } from './errors.ts';
import { authorize, type Fleet } from './fleet.ts';
import { isId, parseInput } from './validation.ts';

const heartbeatInput = z.object({
  id: z.string().nullish(),
  status: z.enum(['ACTIVE', 'IDLE'], 'must be ACTIVE or IDLE').nullish(),
  currentTaskId: z.string().nullish(),
});

/**
 * An agent reports in. The answer comes after the commit.
 * @returns of the agent what was written, and who it is
 * @throws ForbiddenError, ValidationError, NotFoundError (the agent or the task), ConflictError (it is paused)
 */
export async function heartbeat(fleet: Fleet, viewer: Viewer, given: unknown): Promise<ReportedAgent> {
  const input = parseInput(heartbeatInput, given);
  const agentId = await reportingAgent(fleet, viewer, input.id ?? null);
  const taskId = input.currentTaskId ?? null;
  if (taskId !== null && !isId(taskId)) throw new NotFoundError('task', taskId);
  const status = input.status ?? (taskId === null ? 'IDLE' : 'ACTIVE');
  // An agent that says it is busy without saying with what keeps the task that it named before.
  const keepsTask = input.currentTaskId === undefined && status === 'ACTIVE';
  return fleet.heartbeats.report({ agentId, status, taskId, keepsTask, actor: viewer.actor });
}

async function reportingAgent(fleet: Fleet, viewer: Viewer, id: string | null): Promise<string> {
  if (viewer.kind === 'AGENT' && (id === null || id === viewer.agentId)) return viewer.agentId;
  if (id === null)
    throw new ValidationError([{ path: 'input.id', message: 'is required: say which agent reports in' }]);
  const agent = await findAgent(fleet, viewer, id);
  authorize(viewer, 'heartbeat', { agent });
  return agent.id;
}

interface Report {
  agentId: string;
  status: 'ACTIVE' | 'IDLE';
  taskId: string | null;
  keepsTask: boolean;
  actor: Actor;
}

interface Waiting {
  report: Report;
  answer: PromiseWithResolvers<ReportedAgent>;
}

interface Outcome {
  reporterId: string;
  reporterStatus: AgentStatus;
  taskIsThere: boolean;
  /** Null when it was not written. */
  id: string | null;
}

/** Far fewer than PostgreSQL's limits; 1,000 agents take one UPDATE of about 13 ms. */
const LARGEST_BATCH = 1_000;

/**
 * Writes heartbeats in groups: those that come while one group is being committed make up the next, so a single one
 * does not wait and many cost one transaction. Each is answered after its commit.
 */
export class Heartbeats {
  readonly #database: Database;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws ConflictError when the agent is paused or being deleted, NotFoundError for the agent or its task */
  report(report: Report): Promise<ReportedAgent> {
    const answer = Promise.withResolvers<ReportedAgent>();
    this.#waiting.push({ report, answer });
    if (!this.#writing) void this.#writeAll();
    return answer.promise;
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      // Behind all reports that have arrived by then.
      await immediate();
      await this.#writeGroup(this.#takeGroup());
    }
    this.#writing = false;
  }

  /** The oldest reports, one per agent: a second one of the same agent waits for the next group. */
  #takeGroup(): Waiting[] {
    const group = new Map<string, Waiting>();
    const rest: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const { agentId } = waiting.report;
      if (group.size < LARGEST_BATCH && !group.has(agentId)) group.set(agentId, waiting);
      else rest.push(waiting);
    }
    this.#waiting = rest;
    return [...group.values()];
  }

  async #writeGroup(group: Waiting[]): Promise<void> {
    try {
      const outcomes = await write(this.#database, group);
      for (const { report, answer } of group) {
        const outcome = outcomes.get(report.agentId);
        if (outcome && isWritten(outcome)) answer.resolve(outcome);
        else answer.reject(refusalOf(report, outcome));
      }
    } catch (error) {
      if (group.length === 1) group[0]?.answer.reject(error);
      // One report may have spoilt the group (its task was deleted just now): each alone.
      else for (const waiting of group) await this.#writeGroup([waiting]);
    }
  }
}

/** What is answered of an agent: who it is, and what a heartbeat may change. All of it would take a tenth of a heartbeat's time. */
const ANSWERED = [
  'id',
  'name',
  'kind',
  'status',
  'liveness',
  'lastHeartbeatAt',
  'lastSeenAt',
  'currentTaskId',
] as const satisfies (keyof typeof Prisma.AgentScalarFieldEnum)[];
const COLUMNS = Prisma.raw(ANSWERED.map((column) => `after."${column}"`).join(', '));

/** An agent as far as a heartbeat answers of it. */
export type ReportedAgent = Pick<Agent, (typeof ANSWERED)[number]>;

/**
 * One statement, which is its own transaction: each further one would be waited for by the whole group and the next. An
 * agent that only says that it is still there is told of; what changes is logged, and the log's trigger tells of it.
 * The answer counts those told of, as PostgreSQL does not run a query that nothing reads.
 */
async function write({ query }: Database, group: Waiting[]): Promise<Map<string, Outcome>> {
  const reports = group.map(({ report }) => report);
  const actors = reports.map(({ actor }) => actorColumns(actor));
  const at = new Date();
  const outcomes = await query<Outcome>(Prisma.sql`
    WITH report AS (
      SELECT * FROM unnest(
        ${reports.map((r) => r.agentId)}::uuid[], ${reports.map((r) => r.status)}::text[],
        ${reports.map((r) => r.taskId)}::uuid[], ${reports.map((r) => r.keepsTask)}::boolean[],
        ${actors.map((a) => a.actorKind)}::text[], ${actors.map((a) => a.actorId)}::text[],
        ${actors.map((a) => a.actorName)}::text[], ${actors.map((a) => a.actorCredential)}::text[]
      ) AS r ("agentId", status, "taskId", "keepsTask", "actorKind", "actorId", "actorName", "actorCredential")
    ), before AS (
      SELECT a.id, a.status, a.liveness, a."currentTaskId", report.status AS "newStatus",
             CASE WHEN report."keepsTask" THEN a."currentTaskId" ELSE report."taskId" END AS "newTaskId",
             report."taskId" IS NULL OR EXISTS (
               SELECT FROM "Task" t WHERE t.id = report."taskId" AND t."boardId" = a."boardId"
             ) AS "taskIsThere",
             "actorKind", "actorId", "actorName", "actorCredential"
      FROM report JOIN "Agent" a ON a.id = report."agentId"
      ORDER BY a.id
      FOR UPDATE OF a
    ), after AS (
      UPDATE "Agent" a
      SET status = before."newStatus"::"AgentStatus", liveness = 'ONLINE', "currentTaskId" = before."newTaskId",
          "lastHeartbeatAt" = ${at}, "lastSeenAt" = ${at}, "wakeAttempts" = 0
      FROM before
      WHERE a.id = before.id AND before."taskIsThere" AND before.status NOT IN ('PAUSED', 'DELETED')
      RETURNING a.*, before.status AS "previousStatus",
                a.status <> before.status AS "changedStatus", a.liveness <> before.liveness AS "changedLiveness",
                a."currentTaskId" IS DISTINCT FROM before."currentTaskId" AS "changedTask",
                "actorKind", "actorId", "actorName", "actorCredential"
    ), logged AS (
      INSERT INTO "AgentEvent" ("organizationId", "agentId", "boardId", "gatewayId", type, at, status, "previousStatus", liveness,
                                "actorKind", "actorId", "actorName", "actorCredential")
      SELECT "organizationId", id, "boardId", "gatewayId", event.type::"AgentEventType", ${at}, status,
             CASE WHEN event.type = 'STATUS_CHANGED' THEN "previousStatus" END, liveness,
             "actorKind"::"ActorKind", "actorId", "actorName", "actorCredential"
      FROM after CROSS JOIN LATERAL (VALUES
        (1, 'STATUS_CHANGED', "changedStatus"),
        (2, 'LIVENESS_CHANGED', "changedLiveness"),
        (3, 'HEARTBEAT', "changedStatus" OR "changedLiveness" OR "changedTask")
      ) AS event (place, type, happened)
      WHERE event.happened
      ORDER BY id, event.place
    ), unchanged AS (
      SELECT * FROM after WHERE NOT ("changedStatus" OR "changedLiveness" OR "changedTask")
    ), told AS (${tellHeartbeats(Prisma.sql`unchanged`, at)})
    SELECT before.id AS "reporterId", before.status AS "reporterStatus", before."taskIsThere", ${COLUMNS},
           (SELECT count(*) FROM told)::int AS told
    FROM before LEFT JOIN after ON after.id = before.id`);
  return new Map(outcomes.map((outcome) => [outcome.reporterId, outcome]));
}

type Written = ReportedAgent & Outcome;

function isWritten(outcome: Outcome): outcome is Written {
  return outcome.id !== null;
}

function refusalOf(report: Report, outcome: Outcome | undefined): Error {
  if (outcome?.reporterStatus === 'PAUSED')
    return new ConflictError('This agent is paused. An operator can let it go on with resumeAgent.');
  if (outcome && !outcome.taskIsThere) return new NotFoundError('task', report.taskId ?? '');
  return new NotFoundError('agent', report.agentId);
}
