import type { Viewer } from '../access/viewer.ts';
import type { Announcements } from '../events/announcements.ts';
import type { EventFeed } from '../events/feed.ts';
import type { Fleet } from '../fleet/fleet.ts';

/** What resolvers work with. One per request, or per operation of a WebSocket. */
export interface Context {
  viewer: Viewer;
  fleet: Fleet;
  feed: EventFeed;
  announcements: Announcements;
  /** The id of the event that a client of server-sent events has seen last, before it connected again; null without one. */
  lastEventId: string | null;
  /** Where the organization's log stood before anything was read; null when the operation does not ask for it. */
  logPosition: bigint | null;
}
