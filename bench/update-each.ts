import type { Database } from '../src/db/database.ts';
import { Heartbeats } from '../src/fleet/heartbeats.ts';
import { serveWith } from './heartbeats-otherwise.ts';

// The same server, but each heartbeat is written by itself, at once, and nothing else is: no task, no event, nobody is told.

class UpdateEach extends Heartbeats {
  readonly #database: Database;

  constructor(database: Database) {
    super(database);
    this.#database = database;
  }

  override report({ agentId, status }: Parameters<Heartbeats['report']>[0]): ReturnType<Heartbeats['report']> {
    const at = new Date();
    const data = { status, liveness: 'ONLINE' as const, lastHeartbeatAt: at, lastSeenAt: at };
    return this.#database.prisma.agent.update({ where: { id: agentId }, data });
  }
}

await serveWith((database) => new UpdateEach(database));
