-- AlterTable
ALTER TABLE "Organization" ADD COLUMN     "eventsRemovedAt" TIMESTAMPTZ(3),
ADD COLUMN     "eventsRemovedSeq" BIGINT NOT NULL DEFAULT 0;
