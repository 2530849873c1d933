import { Heartbeats } from '../src/fleet/heartbeats.ts';
import { serveWith } from './heartbeats-otherwise.ts';

// The same server, which does all that it does for a heartbeat, but for each by itself: tasks, events, who is told.

await serveWith((database, report) => new Heartbeats(database).report(report));
