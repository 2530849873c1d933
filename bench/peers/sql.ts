import pg from 'pg';

// What somebody would write by hand for the API's shapes: one prepared statement for each list or look-up.

// Times go out as they come, in another notation.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (time) => `${time.replace(' ', 'T')}:00`);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, options: '-c TimeZone=UTC' });

export type Row = Record<string, unknown>;

const { rows: organizations } = await pool.query<{ id: string }>('SELECT id FROM "Organization"');
/** The caller's. */
const organizationId = organizations[0]?.id;

const LISTED = '"organizationId" = $1 AND "deletionRequestedAt" IS NULL';

async function query(name: string, text: string, values: unknown[]): Promise<Row[]> {
  return (await pool.query<Row>({ name, text, values })).rows;
}

export function boards(first: number): Promise<Row[]> {
  const text = `SELECT id, name FROM "Board" WHERE ${LISTED} ORDER BY id LIMIT $2`;
  return query('boards', text, [organizationId, first]);
}

/** The first agents of each of these boards. */
export async function agentsOfBoards(ids: unknown[], first: number, fields: string[]): Promise<Map<unknown, Row[]>> {
  const columns = columnsOf(fields);
  const text = `SELECT agent.* FROM unnest($2::uuid[]) AS board (id) CROSS JOIN LATERAL (
    SELECT ${columns}, "boardId" FROM "Agent" WHERE "boardId" = board.id AND ${LISTED} ORDER BY id LIMIT $3) AS agent`;
  const found = await query(`agents of boards: ${columns}`, text, [organizationId, ids, first]);
  return Map.groupBy(found, ({ boardId }) => boardId);
}

export function agents(first: number, fields: string[]): Promise<Row[]> {
  const columns = columnsOf(fields);
  const text = `SELECT ${columns}, "boardId", "currentTaskId" FROM "Agent" WHERE ${LISTED} ORDER BY id LIMIT $2`;
  return query(`agents: ${columns}`, text, [organizationId, first]);
}

export async function agentById(id: string, fields: string[]): Promise<Row | null> {
  const columns = columnsOf(fields);
  const text = `SELECT ${columns}, "boardId", "currentTaskId" FROM "Agent" WHERE id = $2 AND "organizationId" = $1`;
  return (await query(`agent: ${columns}`, text, [organizationId, id]))[0] ?? null;
}

/** The boards or tasks with these ids. */
export async function byIds(table: 'Board' | 'Task', ids: unknown[]): Promise<Map<unknown, Row>> {
  const columns = table === 'Board' ? 'id, name' : 'id, title';
  const text = `SELECT ${columns} FROM "${table}" WHERE id = ANY ($2::uuid[]) AND "organizationId" = $1`;
  const found = await query(`${table} by ids`, text, [organizationId, [...new Set(ids)]]);
  return new Map(found.map((row) => [row.id, row]));
}

/** An agent's fields that are no columns come of others. */
function columnsOf(fields: string[]): string {
  const names = fields.map((field) => ({ isBoardLead: 'kind', sessionKey: 'openclawAgentId' })[field] ?? field);
  return [...new Set(['id', ...names])].map((name) => `"${name}"`).join(', ');
}

export const isBoardLead = ({ kind }: Row) => kind === 'BOARD_LEAD';
export const sessionKey = ({ openclawAgentId }: Row) => `agent:${openclawAgentId}:main`;
