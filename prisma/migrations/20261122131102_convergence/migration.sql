-- CreateEnum
CREATE TYPE "AgentRequest" AS ENUM ('OVERWRITE', 'ROTATE_TOKEN', 'RESET_SESSION', 'WAKE');

-- DropIndex
DROP INDEX "Board_organizationId_slug_key";

-- AlterTable
ALTER TABLE "Agent" ADD COLUMN     "requests" "AgentRequest"[] DEFAULT ARRAY[]::"AgentRequest"[],
ADD COLUMN     "templateSyncId" UUID,
ADD COLUMN     "failingSince" TIMESTAMPTZ(3),
ADD COLUMN     "wakes" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "Board" ADD COLUMN     "deletionRequestedAt" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "Gateway" ADD COLUMN     "deletionRequestedAt" TIMESTAMPTZ(3),
ADD COLUMN     "connectionStateSince" TIMESTAMPTZ(3),
ADD COLUMN     "deviceTokenSealed" TEXT;

-- CreateTable
CREATE TABLE "Installation" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "deviceKeySealed" TEXT NOT NULL,

    CONSTRAINT "Installation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "DepartedAgent" (
    "gatewayId" UUID NOT NULL,
    "openclawAgentId" TEXT NOT NULL,

    CONSTRAINT "DepartedAgent_pkey" PRIMARY KEY ("gatewayId","openclawAgentId")
);

-- CreateIndex
CREATE INDEX "Agent_templateSyncId_idx" ON "Agent"("templateSyncId");

-- CreateIndex
CREATE UNIQUE INDEX "Board_organizationId_slug_key" ON "Board"("organizationId", "slug") WHERE ("deletionRequestedAt" IS NULL);

-- CreateIndex
CREATE INDEX "Agent_woken_idx" ON "Agent"("wokenAt") WHERE ("wakeAttempts" > 0);

-- AddForeignKey
ALTER TABLE "Agent" ADD CONSTRAINT "Agent_templateSyncId_fkey" FOREIGN KEY ("templateSyncId") REFERENCES "TemplateSync"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "DepartedAgent" ADD CONSTRAINT "DepartedAgent_gatewayId_fkey" FOREIGN KEY ("gatewayId") REFERENCES "Gateway"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma cannot express ---------------------------------------------------------------------------------------

ALTER TABLE "Installation"
  ADD CONSTRAINT "Installation_one_row_check" CHECK ("id" = 1);

-- A gateway on its way out does not keep its name.
DROP INDEX "Gateway_name_key";
CREATE UNIQUE INDEX "Gateway_name_key" ON "Gateway" ("organizationId", lower("name")) WHERE ("deletionRequestedAt" IS NULL);

-- Tells every process that a gateway's connection is another one now, or that there is a new gateway or one less.
CREATE FUNCTION gateway_settings_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gateway_settings', coalesce(NEW."id", OLD."id")::text);
  RETURN NULL;
END $$;
CREATE TRIGGER gateway_added AFTER INSERT OR DELETE ON "Gateway" FOR EACH ROW EXECUTE FUNCTION gateway_settings_notify();
CREATE TRIGGER gateway_settings AFTER UPDATE ON "Gateway" FOR EACH ROW
  WHEN ((OLD."url", OLD."tokenSealed", OLD."tlsFingerprint", OLD."allowInsecureTls")
        IS DISTINCT FROM (NEW."url", NEW."tokenSealed", NEW."tlsFingerprint", NEW."allowInsecureTls"))
  EXECUTE FUNCTION gateway_settings_notify();

-- Since when a gateway's connection stands as it does.
CREATE FUNCTION gateway_state_since() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."connectionStateSince" := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER gateway_state_since BEFORE UPDATE ON "Gateway" FOR EACH ROW
  WHEN (OLD."connectionState" IS DISTINCT FROM NEW."connectionState") EXECUTE FUNCTION gateway_state_since();

-- Tells every process how a gateway's connection changed.
CREATE FUNCTION gateway_state_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('gateway_states', json_build_object(
    'gatewayId', NEW."id", 'organizationId', NEW."organizationId", 'at', clock_timestamp(),
    'state', NEW."connectionState", 'previousState', OLD."connectionState")::text);
  RETURN NULL;
END $$;
CREATE TRIGGER gateway_state AFTER UPDATE ON "Gateway" FOR EACH ROW
  WHEN (OLD."connectionState" IS DISTINCT FROM NEW."connectionState") EXECUTE FUNCTION gateway_state_notify();

-- Tells every process that a sync has gone on.
CREATE FUNCTION template_sync_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('template_syncs', NEW."id"::text);
  RETURN NULL;
END $$;
CREATE TRIGGER template_sync AFTER UPDATE ON "TemplateSync" FOR EACH ROW EXECUTE FUNCTION template_sync_notify();

-- The job queue of earlier versions: what is to be done follows from the agents' rows alone.
DROP SCHEMA IF EXISTS jobs CASCADE;
