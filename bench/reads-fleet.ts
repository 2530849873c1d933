import pg from 'pg';

// A fleet at work, written into the tables at once: a third of the agents has a current task.

export interface FleetSize {
  agents: number;
  boards: number;
  gateways: number;
}

const AGENT_IDS = 250;

/** @param kind one digit, for ids that differ from those of other tables; they go up in time as the server's do */
const idOf = (kind: number, number: string) =>
  `(lpad(to_hex(1764000000000 + ${number}), 12, '0') || '7${kind}00' || '8' || substr(md5('${kind}' || (${number})), 1, 15))::uuid`;

const GATEWAY = (number: string) => idOf(1, number);
const BOARD = (number: string) => idOf(2, number);
const TASK = (number: string) => idOf(3, number);
const AGENT = (number: string) => idOf(4, number);

/** Fills the tables of a database that the server has been started on. @returns ids of agents from all over the fleet */
export async function fillFleet(databaseUrl: string, { agents, boards, gateways }: FleetSize): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // Without triggers and checks of foreign keys, as nobody listens, and for the time that they take.
    await client.query(`SET session_replication_role = replica`);
    await client.query(`
      INSERT INTO "Gateway" (id, "organizationId", name, url, "workspaceRoot", "updatedAt")
      SELECT ${GATEWAY('n')}, (SELECT id FROM "Organization"), 'Gateway ' || n, 'ws://127.0.0.1:1', '/w', now()
      FROM generate_series(0, ${gateways - 1}) AS n`);
    await client.query(`
      INSERT INTO "Board" (id, "organizationId", "gatewayId", name, slug, "maxAgents", "updatedAt")
      SELECT ${BOARD('n')}, (SELECT id FROM "Organization"), ${GATEWAY(`n % ${gateways}`)}, 'Board ' || n, 'board-' || n,
             100, now()
      FROM generate_series(0, ${boards - 1}) AS n`);
    await client.query(`
      INSERT INTO "Task" (id, "organizationId", "boardId", title, status, "assigneeId", "updatedAt")
      SELECT ${TASK('n')}, (SELECT id FROM "Organization"), ${BOARD(`n % ${boards}`)}, 'Task ' || n,
             CASE WHEN n % 3 = 0 THEN 'IN_PROGRESS' ELSE 'INBOX' END::"TaskStatus", ${AGENT('n')}, now()
      FROM generate_series(0, ${agents - 1}) AS n`);
    await client.query(`
      INSERT INTO "Agent" (id, "organizationId", "gatewayId", "boardId", kind, name, status, liveness, "openclawAgentId",
                           "workspacePath", "identityProfile", "heartbeatIntervalSeconds", "lastHeartbeatAt", "lastSeenAt",
                           "currentTaskId", "observedGeneration", "provisioningPhase", "updatedAt")
      SELECT id, (SELECT id FROM "Organization"), ${GATEWAY(`n % ${boards} % ${gateways}`)}, ${BOARD(`n % ${boards}`)},
             CASE WHEN n < ${boards} THEN 'BOARD_LEAD' ELSE 'BOARD_WORKER' END::"AgentKind", 'Agent ' || n,
             CASE WHEN n % 3 = 0 THEN 'ACTIVE' ELSE 'IDLE' END::"AgentStatus", 'ONLINE', 'mc-' || id, '/w/workspace-mc-' || id,
             '{"role": "DevOps Engineer", "expertise": ["Linux", "CI"]}', 86400, now(), now(),
             CASE WHEN n % 3 = 0 THEN ${TASK('n')} END, 1, 'SUCCEEDED', now()
      FROM (SELECT n, ${AGENT('n')} AS id FROM generate_series(0, ${agents - 1}) AS n) AS numbered`);
    await client.query('VACUUM ANALYZE');
    const every = Math.floor(agents / AGENT_IDS);
    const { rows } = await client.query<{ id: string }>(
      `SELECT ${AGENT(`n * ${every}`)} AS id FROM generate_series(0, ${AGENT_IDS - 1}) AS n`,
    );
    return rows.map(({ id }) => id);
  } finally {
    await client.end();
  }
}
