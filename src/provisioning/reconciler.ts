import type { Database } from '../db/database.ts';
import type { GatewayLog } from '../gateway/log.ts';
import type { RunCauses } from './causes.ts';
import type { GatewayLinks } from './links.ts';
import type { ProvisioningMetrics } from './metrics.ts';
import type { Workspaces } from './workspaces.ts';

/** What bringing gateways in line works with. */
export interface Reconciler {
  database: Database;
  links: GatewayLinks;
  workspaces: Workspaces;
  log: GatewayLog;
  metrics: ProvisioningMetrics;
  /** What runs are done for. */
  causes: RunCauses;
  /** Agents brought in line at the same time. */
  concurrency: number;
}
