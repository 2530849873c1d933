import type { Viewer } from '../access/viewer.ts';
import type { EventFeed } from '../events/feed.ts';
import type { Fleet } from '../fleet/fleet.ts';

/** What resolvers work with. One per request, or per operation of a WebSocket. */
export interface Context {
  viewer: Viewer;
  fleet: Fleet;
  feed: EventFeed;
}
