-- CreateIndex
CREATE INDEX "Agent_organizationId_status_id_idx" ON "Agent"("organizationId", "status", "id");

-- CreateIndex
CREATE INDEX "Agent_organizationId_liveness_id_idx" ON "Agent"("organizationId", "liveness", "id");

-- CreateIndex
CREATE INDEX "Agent_organizationId_kind_id_idx" ON "Agent"("organizationId", "kind", "id");

-- CreateIndex
CREATE INDEX "Agent_adopted_idx" ON "Agent"("organizationId", "id") WHERE (NOT "isManaged");

-- CreateIndex
CREATE INDEX "Task_boardId_status_id_idx" ON "Task"("boardId", "status", "id");

-- What Prisma cannot express ---------------------------------------------------------------------------------------

-- Lists by a part of the name, in any case. Where the database does not have the extension (the embedded one), or does not
-- let this user create it, they work all the same, by reading the names of the whole organization.
DO $$
BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX "Agent_name_search_idx" ON "Agent" USING gin ("name" gin_trgm_ops);
EXCEPTION
  WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
    RAISE WARNING 'Agents are searched by name without an index: %', SQLERRM;
END $$;
