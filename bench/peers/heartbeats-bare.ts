import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import pg from 'pg';
import { listen } from './listen.ts';

// Heartbeats as they would be taken without GraphQL and without checks: one prepared statement each, which finds the agent by
// its token.

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const UPDATE = {
  name: 'heartbeat',
  text: `UPDATE "Agent" SET status = $2::"AgentStatus", liveness = 'ONLINE', "lastHeartbeatAt" = $3, "lastSeenAt" = $3
    WHERE "tokenHash" = $1 RETURNING id, status`,
};

const http = createServer((request, response) => {
  let asked = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => (asked += part));
  request.on('end', async () => {
    const { status } = JSON.parse(asked) as { status: string };
    const hash = createHash('sha256').update(String(request.headers['x-agent-token'])).digest('hex');
    const { rows } = await pool.query({ ...UPDATE, values: [hash, status, new Date()] });
    const body = Buffer.from(JSON.stringify({ data: { heartbeat: rows[0] } }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  });
});
listen(http);
