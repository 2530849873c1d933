import type { Database } from '../src/db/database.ts';
import { Heartbeats } from '../src/fleet/heartbeats.ts';
import { serveWith } from './heartbeats-otherwise.ts';

// The same server, which does all that it does for a heartbeat, but for each by itself: tasks, events, who is told.

class GroupOfOne extends Heartbeats {
  readonly #database: Database;

  constructor(database: Database) {
    super(database);
    this.#database = database;
  }

  override report(report: Parameters<Heartbeats['report']>[0]): ReturnType<Heartbeats['report']> {
    return new Heartbeats(this.#database).report(report);
  }
}

await serveWith((database) => new GroupOfOne(database));
