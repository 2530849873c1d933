-- AlterTable
ALTER TABLE "Organization" ADD COLUMN     "isFirst" BOOLEAN NOT NULL DEFAULT false;

-- CreateIndex
CREATE UNIQUE INDEX "Organization_one_first_key" ON "Organization"("isFirst") WHERE ("isFirst");

-- What Prisma cannot express ---------------------------------------------------------------------------------------

-- Until now there was only one.
UPDATE "Organization" SET "isFirst" = true
WHERE id = (SELECT id FROM "Organization" ORDER BY "createdAt", id LIMIT 1);
