-- CreateTable
CREATE TABLE "AgentSoul" (
    "agentId" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "url" TEXT,
    "text" TEXT,

    CONSTRAINT "AgentSoul_pkey" PRIMARY KEY ("agentId")
);

-- AddForeignKey
ALTER TABLE "AgentSoul" ADD CONSTRAINT "AgentSoul_agentId_fkey" FOREIGN KEY ("agentId") REFERENCES "Agent"("id") ON DELETE CASCADE ON UPDATE CASCADE;
