-- CreateEnum
CREATE TYPE "Role" AS ENUM ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER');

-- CreateEnum
CREATE TYPE "GatewayConnectionState" AS ENUM ('UNKNOWN', 'CONNECTING', 'CONNECTED', 'UNREACHABLE', 'UNAUTHORIZED', 'PAIRING_REQUIRED', 'INCOMPATIBLE');

-- CreateEnum
CREATE TYPE "AgentKind" AS ENUM ('BOARD_LEAD', 'BOARD_WORKER', 'GATEWAY_MAIN');

-- CreateEnum
CREATE TYPE "AgentStatus" AS ENUM ('PROVISIONING', 'READY', 'ACTIVE', 'IDLE', 'PAUSED', 'DELETED');

-- CreateEnum
CREATE TYPE "Liveness" AS ENUM ('UNKNOWN', 'ONLINE', 'LATE', 'OFFLINE');

-- CreateEnum
CREATE TYPE "ProvisioningPhase" AS ENUM ('PENDING', 'RUNNING', 'SUCCEEDED', 'RETRYING', 'FAILED');

-- CreateEnum
CREATE TYPE "TaskStatus" AS ENUM ('INBOX', 'IN_PROGRESS', 'REVIEW', 'DONE');

-- CreateEnum
CREATE TYPE "AgentEventType" AS ENUM ('CREATED', 'UPDATED', 'STATUS_CHANGED', 'LIVENESS_CHANGED', 'PROVISIONING', 'HEARTBEAT', 'MESSAGE_SENT', 'DELETED');

-- CreateEnum
CREATE TYPE "ProvisioningStepName" AS ENUM ('REGISTER', 'ISSUE_TOKEN', 'RENDER', 'WRITE_DOCUMENTS', 'PREPARE_SESSION', 'RESET_SESSION', 'WAKE', 'REMOVE');

-- CreateEnum
CREATE TYPE "StepOutcome" AS ENUM ('RUNNING', 'CHANGED', 'UNCHANGED', 'FAILED');

-- CreateEnum
CREATE TYPE "SyncPhase" AS ENUM ('RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED');

-- CreateTable
CREATE TABLE "Organization" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Organization_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ApiToken" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "role" "Role" NOT NULL,
    "prefix" TEXT NOT NULL,
    "tokenHash" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lastUsedAt" TIMESTAMPTZ(3),
    "expiresAt" TIMESTAMPTZ(3),

    CONSTRAINT "ApiToken_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Gateway" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "workspaceRoot" TEXT NOT NULL,
    "tokenSealed" TEXT,
    "tlsFingerprint" TEXT,
    "allowInsecureTls" BOOLEAN NOT NULL DEFAULT false,
    "connectionState" "GatewayConnectionState" NOT NULL DEFAULT 'UNKNOWN',
    "serverVersion" TEXT,
    "protocolVersion" INTEGER,
    "bootId" TEXT,
    "connectedAt" TIMESTAMPTZ(3),
    "connectionError" TEXT,
    "connectionHint" TEXT,
    "nextAttemptAt" TIMESTAMPTZ(3),
    "latencyMs" DOUBLE PRECISION,
    "modelConfigured" BOOLEAN,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Gateway_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Board" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "gatewayId" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "boardType" TEXT NOT NULL DEFAULT 'goal',
    "objective" TEXT,
    "successMetrics" JSONB,
    "targetDate" TIMESTAMPTZ(3),
    "maxAgents" INTEGER NOT NULL DEFAULT 5,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Board_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Agent" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "gatewayId" UUID NOT NULL,
    "boardId" UUID,
    "kind" "AgentKind" NOT NULL,
    "name" TEXT NOT NULL,
    "isManaged" BOOLEAN NOT NULL DEFAULT true,
    "status" "AgentStatus" NOT NULL DEFAULT 'PROVISIONING',
    "liveness" "Liveness" NOT NULL DEFAULT 'UNKNOWN',
    "openclawAgentId" TEXT NOT NULL,
    "workspacePath" TEXT NOT NULL,
    "identityProfile" JSONB NOT NULL DEFAULT '{}',
    "identityTemplate" TEXT,
    "soulTemplate" TEXT,
    "heartbeatEnabled" BOOLEAN NOT NULL DEFAULT true,
    "heartbeatIntervalSeconds" INTEGER NOT NULL DEFAULT 300,
    "lastHeartbeatAt" TIMESTAMPTZ(3),
    "lastSeenAt" TIMESTAMPTZ(3),
    "currentTaskId" UUID,
    "generation" INTEGER NOT NULL DEFAULT 1,
    "observedGeneration" INTEGER NOT NULL DEFAULT 0,
    "provisioningPhase" "ProvisioningPhase" NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "nextAttemptAt" TIMESTAMPTZ(3),
    "lastError" JSONB,
    "provisioningHint" TEXT,
    "provisioningStartedAt" TIMESTAMPTZ(3),
    "provisioningFinishedAt" TIMESTAMPTZ(3),
    "tokenHash" TEXT,
    "previousTokenHash" TEXT,
    "documentHashes" JSONB NOT NULL DEFAULT '{}',
    "wokenAt" TIMESTAMPTZ(3),
    "wakeAttempts" INTEGER NOT NULL DEFAULT 0,
    "deletionRequestedAt" TIMESTAMPTZ(3),
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Agent_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Task" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "boardId" UUID NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "status" "TaskStatus" NOT NULL DEFAULT 'INBOX',
    "assigneeId" UUID,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "Task_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "AgentEvent" (
    "seq" BIGINT NOT NULL DEFAULT 0,
    "organizationId" UUID NOT NULL,
    "agentId" UUID NOT NULL,
    "boardId" UUID,
    "gatewayId" UUID NOT NULL,
    "type" "AgentEventType" NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "status" "AgentStatus" NOT NULL,
    "previousStatus" "AgentStatus",
    "liveness" "Liveness" NOT NULL,
    "stepName" "ProvisioningStepName",
    "stepOutcome" "StepOutcome",
    "stepDetail" TEXT,
    "stepStartedAt" TIMESTAMPTZ(3),
    "stepDurationMs" DOUBLE PRECISION,
    "message" TEXT,

    CONSTRAINT "AgentEvent_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "ProvisioningStep" (
    "agentId" UUID NOT NULL,
    "name" "ProvisioningStepName" NOT NULL,
    "outcome" "StepOutcome" NOT NULL,
    "detail" TEXT,
    "startedAt" TIMESTAMPTZ(3) NOT NULL,
    "durationMs" DOUBLE PRECISION,

    CONSTRAINT "ProvisioningStep_pkey" PRIMARY KEY ("agentId","name")
);

-- CreateTable
CREATE TABLE "TemplateSync" (
    "id" UUID NOT NULL,
    "organizationId" UUID NOT NULL,
    "gatewayId" UUID NOT NULL,
    "phase" "SyncPhase" NOT NULL DEFAULT 'RUNNING',
    "options" JSONB NOT NULL DEFAULT '{}',
    "total" INTEGER NOT NULL DEFAULT 0,
    "updated" INTEGER NOT NULL DEFAULT 0,
    "unchanged" INTEGER NOT NULL DEFAULT 0,
    "skipped" INTEGER NOT NULL DEFAULT 0,
    "failures" JSONB NOT NULL DEFAULT '[]',
    "startedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finishedAt" TIMESTAMPTZ(3),

    CONSTRAINT "TemplateSync_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "ApiToken_tokenHash_key" ON "ApiToken"("tokenHash");

-- CreateIndex
CREATE INDEX "ApiToken_organizationId_idx" ON "ApiToken"("organizationId");

-- CreateIndex
CREATE INDEX "Gateway_organizationId_id_idx" ON "Gateway"("organizationId", "id");

-- CreateIndex
CREATE INDEX "Board_organizationId_id_idx" ON "Board"("organizationId", "id");

-- CreateIndex
CREATE INDEX "Board_gatewayId_id_idx" ON "Board"("gatewayId", "id");

-- CreateIndex
CREATE UNIQUE INDEX "Board_organizationId_slug_key" ON "Board"("organizationId", "slug");

-- CreateIndex
CREATE UNIQUE INDEX "Agent_tokenHash_key" ON "Agent"("tokenHash");

-- CreateIndex
CREATE UNIQUE INDEX "Agent_previousTokenHash_key" ON "Agent"("previousTokenHash");

-- CreateIndex
CREATE INDEX "Agent_organizationId_id_idx" ON "Agent"("organizationId", "id");

-- CreateIndex
CREATE INDEX "Agent_boardId_id_idx" ON "Agent"("boardId", "id");

-- CreateIndex
CREATE INDEX "Agent_gatewayId_id_idx" ON "Agent"("gatewayId", "id");

-- CreateIndex
CREATE INDEX "Agent_currentTaskId_idx" ON "Agent"("currentTaskId");

-- CreateIndex
CREATE INDEX "Agent_due_idx" ON "Agent"("nextAttemptAt") WHERE ("nextAttemptAt" IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "Agent_openclawAgentId_key" ON "Agent"("gatewayId", "openclawAgentId") WHERE ("deletionRequestedAt" IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "Agent_one_lead_per_board_key" ON "Agent"("boardId") WHERE (kind = 'BOARD_LEAD' AND "deletionRequestedAt" IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "Agent_one_main_per_gateway_key" ON "Agent"("gatewayId") WHERE (kind = 'GATEWAY_MAIN' AND "deletionRequestedAt" IS NULL);

-- CreateIndex
CREATE INDEX "Task_boardId_id_idx" ON "Task"("boardId", "id");

-- CreateIndex
CREATE INDEX "Task_assigneeId_id_idx" ON "Task"("assigneeId", "id");

-- CreateIndex
CREATE INDEX "Task_organizationId_id_idx" ON "Task"("organizationId", "id");

-- CreateIndex
CREATE INDEX "AgentEvent_organizationId_seq_idx" ON "AgentEvent"("organizationId", "seq");

-- CreateIndex
CREATE INDEX "AgentEvent_agentId_seq_idx" ON "AgentEvent"("agentId", "seq");

-- CreateIndex
CREATE INDEX "TemplateSync_gatewayId_id_idx" ON "TemplateSync"("gatewayId", "id");

-- CreateIndex
CREATE UNIQUE INDEX "TemplateSync_one_running_per_gateway_key" ON "TemplateSync"("gatewayId") WHERE (phase = 'RUNNING');

-- AddForeignKey
ALTER TABLE "ApiToken" ADD CONSTRAINT "ApiToken_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Gateway" ADD CONSTRAINT "Gateway_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Board" ADD CONSTRAINT "Board_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Board" ADD CONSTRAINT "Board_gatewayId_fkey" FOREIGN KEY ("gatewayId") REFERENCES "Gateway"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Agent" ADD CONSTRAINT "Agent_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Agent" ADD CONSTRAINT "Agent_gatewayId_fkey" FOREIGN KEY ("gatewayId") REFERENCES "Gateway"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Agent" ADD CONSTRAINT "Agent_boardId_fkey" FOREIGN KEY ("boardId") REFERENCES "Board"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Agent" ADD CONSTRAINT "Agent_currentTaskId_fkey" FOREIGN KEY ("currentTaskId") REFERENCES "Task"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_boardId_fkey" FOREIGN KEY ("boardId") REFERENCES "Board"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Task" ADD CONSTRAINT "Task_assigneeId_fkey" FOREIGN KEY ("assigneeId") REFERENCES "Agent"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "AgentEvent" ADD CONSTRAINT "AgentEvent_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ProvisioningStep" ADD CONSTRAINT "ProvisioningStep_agentId_fkey" FOREIGN KEY ("agentId") REFERENCES "Agent"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "TemplateSync" ADD CONSTRAINT "TemplateSync_gatewayId_fkey" FOREIGN KEY ("gatewayId") REFERENCES "Gateway"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- What Prisma cannot express ---------------------------------------------------------------------------------------

-- Names are unique without case: among the agents of a board, the gateways of an organization.
CREATE UNIQUE INDEX "Agent_name_per_board_key" ON "Agent" ("boardId", lower("name")) WHERE ("deletionRequestedAt" IS NULL);
CREATE UNIQUE INDEX "Gateway_name_key" ON "Gateway" ("organizationId", lower("name"));

ALTER TABLE "Gateway"
  ADD CONSTRAINT "Gateway_url_check" CHECK ("url" ~ '^wss?://');
ALTER TABLE "Board"
  ADD CONSTRAINT "Board_maxAgents_check" CHECK ("maxAgents" >= 0);
ALTER TABLE "Agent"
  ADD CONSTRAINT "Agent_name_check" CHECK (char_length("name") BETWEEN 1 AND 80),
  ADD CONSTRAINT "Agent_board_check" CHECK (("kind" = 'GATEWAY_MAIN') = ("boardId" IS NULL)),
  ADD CONSTRAINT "Agent_heartbeat_check" CHECK ("heartbeatIntervalSeconds" BETWEEN 30 AND 86400),
  ADD CONSTRAINT "Agent_generation_check" CHECK ("generation" >= 1 AND "observedGeneration" BETWEEN 0 AND "generation"),
  ADD CONSTRAINT "Agent_deleted_check" CHECK (("status" = 'DELETED') = ("deletionRequestedAt" IS NOT NULL));
ALTER TABLE "AgentEvent"
  ADD CONSTRAINT "AgentEvent_step_check" CHECK (("stepName" IS NULL) = ("stepOutcome" IS NULL));

-- The event log. Whoever inserts, seq means commit order within an organization: the lock is taken before the number
-- is drawn and held to the end of the transaction. Else a reader that has seen 11 could miss a 10 committed later.
-- So a transaction appends its events after all its other writes, or two of them can wait for each other.
CREATE SEQUENCE "AgentEvent_seq";

CREATE FUNCTION agent_event_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('AgentEvent:' || NEW."organizationId", 0));
  NEW.seq := nextval('"AgentEvent_seq"');
  RETURN NEW;
END $$;
CREATE TRIGGER agent_event_order BEFORE INSERT ON "AgentEvent" FOR EACH ROW EXECUTE FUNCTION agent_event_order();

-- Tells every process which organization's log has grown; delivered at commit, once per transaction and organization.
CREATE FUNCTION agent_event_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('agent_events', NEW."organizationId"::text);
  RETURN NULL;
END $$;
CREATE TRIGGER agent_event_notify AFTER INSERT ON "AgentEvent" FOR EACH ROW EXECUTE FUNCTION agent_event_notify();
