import type { Viewer } from '../access/viewer.ts';
import type { Prisma } from '../generated/prisma/client.ts';
import { authorize } from './fleet.ts';

/** The condition for what was done in the viewer's organization. @throws ForbiddenError */
export function activityOf(viewer: Viewer): Prisma.ActivityWhereInput {
  authorize(viewer, 'readActivity');
  return { organizationId: viewer.organizationId };
}
