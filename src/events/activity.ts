import type { Actor } from '../access/viewer.ts';
import type { Db } from '../db/database.ts';
import type { ActivityAction } from '../generated/prisma/client.ts';

/** Something that was done to a gateway, a board, a task or a token. */
export interface NewActivity {
  organizationId: string;
  action: ActivityAction;
  /** What it was done to, with the name that it has. */
  object: { id: string; name: string };
  /** For what was done to a gateway or a board. */
  gatewayId?: string;
  /** For what was done to a board or a task. */
  boardId?: string;
  message?: string;
}

/** Keeps who did it, in the transaction that does it. */
export async function recordActivity(tx: Db, actor: Actor, { object, ...activity }: NewActivity): Promise<void> {
  await tx.activity.create({
    data: { ...activity, objectId: object.id, objectName: object.name, ...actorColumns(actor) },
  });
}

/** An actor as rows keep it. */
export function actorColumns({ kind, id, name, credential }: Actor) {
  return { actorKind: kind, actorId: id, actorName: name, actorCredential: credential };
}

/** The actor that a row keeps; null for what this server did by itself. */
export function actorOf(row: {
  actorKind: Actor['kind'] | null;
  actorId: string | null;
  actorName: string | null;
  actorCredential: string | null;
}): Actor | null {
  const { actorKind: kind, actorId: id, actorName: name, actorCredential: credential } = row;
  return kind !== null && id !== null && name !== null && credential !== null ? { kind, id, name, credential } : null;
}
