import pg from 'pg';
import { AGENT_TOKEN_PREFIX, hashToken, newToken } from '../src/access/tokens.ts';

export interface AgentWithToken {
  id: string;
  token: string;
}

/** Gives tokens to agents from all over the fleet that change nothing by reporting in: not to paused ones, who may not. */
export async function giveTokens(databaseUrl: string, count: number): Promise<AgentWithToken[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM "Agent" WHERE status IN ('ACTIVE', 'IDLE') AND liveness = 'ONLINE'
       ORDER BY md5(id::text) LIMIT ${count}`,
    );
    const agents = rows.map(({ id }) => ({ id, token: newToken(AGENT_TOKEN_PREFIX) }));
    await client.query(
      `UPDATE "Agent" SET "tokenHash" = given.hash FROM unnest($1::uuid[], $2::text[]) AS given (id, hash)
       WHERE "Agent".id = given.id`,
      [agents.map(({ id }) => id), agents.map(({ token }) => hashToken(token))],
    );
    return agents;
  } finally {
    await client.end();
  }
}
