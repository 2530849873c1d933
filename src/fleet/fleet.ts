import { type Action, permits, type Subject } from '../access/policy.ts';
import type { Viewer } from '../access/viewer.ts';
import type { Database } from '../db/database.ts';
import type { SecretBox } from '../db/secrets.ts';
import type { GatewayLinks } from '../provisioning/links.ts';
import type { SoulDirectory } from '../provisioning/souls/directory.ts';
import type { Workspaces } from '../provisioning/workspaces.ts';
import { ForbiddenError } from './errors.ts';
import type { Heartbeats } from './heartbeats.ts';

/** What the functions of this room work with. */
export interface Fleet {
  database: Database;
  secrets: SecretBox;
  links: GatewayLinks;
  workspaces: Workspaces;
  /** Null: none is asked. */
  soulDirectory: SoulDirectory | null;
  heartbeats: Heartbeats;
}

/** @throws ForbiddenError when the policy does not let the viewer do this */
export function authorize(viewer: Viewer, action: Action, subject?: Subject): void {
  if (permits(viewer, action, subject)) return;
  const who = viewer.kind === 'OPERATOR' ? `The role ${viewer.role}` : 'This agent';
  throw new ForbiddenError(`${who} may not do this (${action}).`);
}
