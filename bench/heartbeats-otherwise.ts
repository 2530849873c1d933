import { readConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { Heartbeats } from '../src/fleet/heartbeats.ts';
import { createLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';

type Report = Heartbeats['report'];

/** Starts the server as `npm start` does, with another way to write a heartbeat. */
export async function serveWith(
  report: (database: Database, ...given: Parameters<Report>) => ReturnType<Report>,
): Promise<void> {
  const config = readConfig(process.env);
  const server = await startServer(config, createLog(config.logLevel));
  const { fleet } = server;
  class Otherwise extends Heartbeats {
    override report(...given: Parameters<Report>): ReturnType<Report> {
      return report(fleet.database, ...given);
    }
  }
  fleet.heartbeats = new Otherwise(fleet.database);
  process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
  process.stdout.write(`{"msg":"listening","url":"${server.url}"}\n`);
}
