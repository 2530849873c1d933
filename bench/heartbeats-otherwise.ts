import { readConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import type { Heartbeats } from '../src/fleet/heartbeats.ts';
import { createLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';

/** Starts the server as `npm start` does, with another way to write heartbeats. */
export async function serveWith(heartbeatsOf: (database: Database) => Heartbeats): Promise<void> {
  const config = readConfig(process.env);
  const server = await startServer(config, createLog(config.logLevel));
  server.fleet.heartbeats = heartbeatsOf(server.fleet.database);
  process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
  process.stdout.write(`{"msg":"listening","url":"${server.url}"}\n`);
}
