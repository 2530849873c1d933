import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { AGENT_TOKEN_PREFIX, hashToken, newToken } from '../../src/access/tokens.ts';
import { Client } from '../support/client.ts';
import { Heartbeat } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { ownDatabase } from '../support/own-database.ts';
import { ServerProcess } from '../support/server-process.ts';

const postgres = inject('postgres');
const AGENTS = 64;
const ROUNDS = 4;
/** Agents that are provisioned, on a gateway where nothing listens. */
const FLEET = `
  INSERT INTO "Gateway" (id, "organizationId", name, url, "workspaceRoot", "updatedAt")
    SELECT gen_random_uuid(), id, 'Away', 'ws://127.0.0.1:1', '/srv', now() FROM "Organization";
  INSERT INTO "Board" (id, "organizationId", "gatewayId", name, slug, "updatedAt")
    SELECT gen_random_uuid(), "organizationId", id, 'Board', 'board', now() FROM "Gateway";
  INSERT INTO "Agent" (id, "organizationId", "gatewayId", "boardId", kind, name, status, liveness, "openclawAgentId",
                       "workspacePath", "observedGeneration", "provisioningPhase", "updatedAt")
    SELECT gen_random_uuid(), "organizationId", "gatewayId", id, 'BOARD_WORKER', 'Agent ' || n, 'IDLE', 'ONLINE', 'mc-' || n,
           '/srv/' || n, 1, 'SUCCEEDED', now()
    FROM "Board", generate_series(1, ${AGENTS}) n`;

interface Beat {
  /** In milliseconds since 1970. */
  sentAt: number;
  status: 'ACTIVE' | 'IDLE';
}

/** An agent that reports in again as soon as it is answered, with another status each time. */
class Reporter {
  readonly id: string;
  readonly #token: string;
  /** Of all servers that it was at. */
  answered = 0;
  /** Whose answer did not come; written or not. */
  unanswered = 0;
  readonly wrongAnswers: unknown[] = [];
  lastAnswered: Beat | null = null;
  lastSent: Beat | null = null;

  constructor(id: string, token: string) {
    this.id = id;
    this.#token = token;
  }

  /** Until the server is gone. @param status what it is now */
  async run(url: string, status: string): Promise<void> {
    const client = new Client(url, this.#token);
    for (let next = status !== 'ACTIVE'; ; next = !next) {
      const beat: Beat = { sentAt: Date.now(), status: next ? 'ACTIVE' : 'IDLE' };
      this.lastSent = beat;
      const answer = await client.run(Heartbeat, { input: { status: beat.status } }).catch((error: unknown) => {
        // What fetch rejects with when there is no answer.
        if (error instanceof TypeError || error instanceof SyntaxError) return null;
        throw error;
      });
      if (answer === null) break;
      const { heartbeat } = answer;
      if (heartbeat.__typename !== 'Agent' || heartbeat.status !== beat.status) this.wrongAnswers.push(answer);
      this.lastAnswered = beat;
      this.answered += 1;
    }
    this.unanswered += 1;
  }
}

describe.skipIf(postgres === null)(`${AGENTS} agents that report in as fast as they are answered`, () => {
  let settings: Record<string, string>;
  let database: pg.Client;
  let server: ServerProcess;
  let reporters: Reporter[];

  beforeAll(async () => {
    ({ client: database, settings } = await ownDatabase(postgres ?? ''));
    // It makes the organization.
    server = new ServerProcess(settings);
    await server.listening();
    await database.query(FLEET);
    reporters = [];
    for (const { id } of await agents()) {
      const token = newToken(AGENT_TOKEN_PREFIX);
      await database.query(`UPDATE "Agent" SET "tokenHash" = $2 WHERE id = $1`, [id, hashToken(token)]);
      reporters.push(new Reporter(id, token));
    }
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    await database?.end();
  });

  async function agents(): Promise<{ id: string; status: string; at: number }[]> {
    const { rows } = await database.query<{ id: string; status: string; lastHeartbeatAt: Date | null }>(
      `SELECT id, status, "lastHeartbeatAt" FROM "Agent"`,
    );
    return rows.map(({ id, status, lastHeartbeatAt }) => ({ id, status, at: lastHeartbeatAt?.getTime() ?? 0 }));
  }

  /** What the log has of each agent. */
  async function changes(): Promise<Map<string, number>> {
    const { rows } = await database.query<{ id: string; count: number }>(
      `SELECT "agentId" AS id, count(*)::int FROM "AgentEvent" WHERE type = 'STATUS_CHANGED' GROUP BY "agentId"`,
    );
    return new Map(rows.map(({ id, count }) => [id, count]));
  }

  it('have all that was answered in the database when the server is killed (-9), again and again', {
    timeout: 120_000,
  }, async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      if (round > 1) server = new ServerProcess(settings);
      const { url } = await server.listening();
      const before = new Map((await agents()).map(({ id, status }) => [id, status]));
      const answered = () => reporters.reduce((sum, reporter) => sum + reporter.answered, 0);
      const answeredBefore = answered();
      const reporting = reporters.map((reporter) => reporter.run(url, before.get(reporter.id) ?? ''));
      await eventually(answered, (count) => count > answeredBefore + 5 * AGENTS, 60_000);
      // At any moment of the groups' coming and going.
      await sleep(Math.random() * 100);
      await server.kill();
      await Promise.all(reporting);
      // A transaction of a session whose client is gone ends by itself.
      await sleep(500);

      const rows = new Map((await agents()).map((row) => [row.id, row]));
      const counts = await changes();
      const isWritten = (id: string, beat: Beat | null) => {
        const row = rows.get(id);
        return beat !== null && row?.status === beat.status && row.at >= beat.sentAt;
      };
      const lost = reporters.filter(
        ({ id, lastAnswered, lastSent }) => !isWritten(id, lastAnswered) && !isWritten(id, lastSent),
      );
      expect(lost.map(({ id, lastAnswered, lastSent }) => ({ row: rows.get(id), lastAnswered, lastSent }))).toEqual([]);
      // Each has changed the status, so each is in the log; those whose answer has not come may be.
      for (const { id, answered, unanswered } of reporters) {
        expect(counts.get(id)).toBeGreaterThanOrEqual(answered);
        expect(counts.get(id)).toBeLessThanOrEqual(answered + unanswered);
      }
      expect(reporters.flatMap(({ wrongAnswers }) => wrongAnswers)).toEqual([]);
    }
  });
});
