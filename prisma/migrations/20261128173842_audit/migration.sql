-- CreateEnum
CREATE TYPE "ActorKind" AS ENUM ('OPERATOR', 'AGENT');

-- CreateEnum
CREATE TYPE "ActivityAction" AS ENUM ('GATEWAY_CREATED', 'GATEWAY_UPDATED', 'GATEWAY_CHECKED', 'GATEWAY_DELETED', 'TEMPLATES_SYNCED', 'BOARD_CREATED', 'BOARD_UPDATED', 'BOARD_DELETED', 'TASK_CREATED', 'TASK_UPDATED', 'TASK_DELETED', 'API_TOKEN_CREATED', 'API_TOKEN_REVOKED', 'ORGANIZATION_CREATED');

-- AlterTable
ALTER TABLE "Agent" ADD COLUMN     "createdFrom" TEXT;

-- AlterTable
ALTER TABLE "AgentEvent" ADD COLUMN     "actorCredential" TEXT,
ADD COLUMN     "actorId" TEXT,
ADD COLUMN     "actorKind" "ActorKind",
ADD COLUMN     "actorName" TEXT;

-- AlterTable
ALTER TABLE "Board" ADD COLUMN     "createdFrom" TEXT;

-- AlterTable
ALTER TABLE "Gateway" ADD COLUMN     "createdFromSealed" TEXT;

-- AlterTable
ALTER TABLE "Organization" ADD COLUMN     "createdFrom" TEXT;

-- AlterTable
ALTER TABLE "Task" ADD COLUMN     "createdFrom" TEXT;

-- CreateTable
CREATE TABLE "Activity" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "gatewayId" UUID,
    "boardId" UUID,
    "objectId" UUID NOT NULL,
    "objectName" TEXT NOT NULL,
    "action" "ActivityAction" NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "message" TEXT,
    "actorKind" "ActorKind" NOT NULL,
    "actorId" TEXT NOT NULL,
    "actorName" TEXT NOT NULL,
    "actorCredential" TEXT NOT NULL,

    CONSTRAINT "Activity_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Activity_organizationId_id_idx" ON "Activity"("organizationId", "id");

-- CreateIndex
CREATE INDEX "Activity_gatewayId_id_idx" ON "Activity"("gatewayId", "id");

-- CreateIndex
CREATE INDEX "Activity_boardId_id_idx" ON "Activity"("boardId", "id");

-- AddForeignKey
ALTER TABLE "Activity" ADD CONSTRAINT "Activity_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma cannot express ---------------------------------------------------------------------------------------

ALTER TABLE "AgentEvent"
  ADD CONSTRAINT "AgentEvent_actor_check" CHECK (("actorKind" IS NULL) = ("actorId" IS NULL)
    AND ("actorKind" IS NULL) = ("actorName" IS NULL) AND ("actorKind" IS NULL) = ("actorCredential" IS NULL));

-- Tells every process that a task has come, changed or gone.
CREATE FUNCTION task_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  task "Task" := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
  PERFORM pg_notify('tasks', json_build_object(
    'taskId', task."id", 'boardId', task."boardId", 'organizationId', task."organizationId", 'at', clock_timestamp(),
    'type', CASE TG_OP WHEN 'INSERT' THEN 'CREATED' WHEN 'UPDATE' THEN 'UPDATED' ELSE 'DELETED' END)::text);
  RETURN NULL;
END $$;
CREATE TRIGGER task_added AFTER INSERT OR DELETE ON "Task" FOR EACH ROW EXECUTE FUNCTION task_notify();
CREATE TRIGGER task_changed AFTER UPDATE ON "Task" FOR EACH ROW
  WHEN ((OLD."title", OLD."description", OLD."status", OLD."assigneeId")
        IS DISTINCT FROM (NEW."title", NEW."description", NEW."status", NEW."assigneeId"))
  EXECUTE FUNCTION task_notify();
