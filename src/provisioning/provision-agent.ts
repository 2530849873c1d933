import { AGENT_TOKEN_PREFIX, hashToken, newToken } from '../access/tokens.ts';
import type { Database } from '../db/database.ts';
import { sendChat } from '../gateway/chat.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import type { HeartbeatJob } from '../gateway/cron.ts';
import { setScratch } from '../gateway/cron.ts';
import { hasReason, isFileConflict } from '../gateway/errors.ts';
import { getFile, setFile } from '../gateway/files.ts';
import { listSessions, patchSessionLabel } from '../gateway/sessions.ts';
import { changeOf, type Delivery, type DocumentChange, deliver, type WorkspaceFileContent } from './delivery.ts';
import type { DocumentName } from './documents.ts';
import { sessionKeyOf } from './identity.ts';
import { decideToken } from './plan.ts';
import { runStep } from './steps.ts';
import { agentTokenIn } from './tokens.ts';
import { type AgentWithBoard, documentHashesOf, hashesOf, missingFiles, type Workspaces } from './workspaces.ts';

interface Provisioning {
  database: Database;
  workspaces: Workspaces;
  connection: GatewayConnection;
  /** The gateway's heartbeat job of this agent; null when it has none. */
  heartbeatJob: HeartbeatJob | null;
  /** What an operator should know of the commands that this agent may run; asked when its session is there. */
  askCommandHint: () => Promise<string | null>;
  agent: AgentWithBoard;
  /** Stops between two steps. */
  signal: AbortSignal;
}

/** How often AGENTS.md is composed anew because the agent wrote into it at the same moment. */
const CONFLICT_TRIES = 3;

export interface Provisioned {
  /** What an operator should know although it went well, or null. */
  hint: string | null;
  wakeMessage: string;
}

/**
 * Brings one registered agent's token, documents and session in line. Each step looks at what is there, so it may be
 * stopped anywhere and run again.
 * @throws GatewayError, TemplateError, BudgetError
 */
export async function provisionAgent(provisioning: Provisioning): Promise<Provisioned> {
  const { signal } = provisioning;
  const observed = await observe(provisioning);
  signal.throwIfAborted();
  const token = await issueToken(provisioning, observed.token);
  signal.throwIfAborted();
  const wanted = await render(provisioning, token, observed);
  signal.throwIfAborted();
  await writeDocuments(provisioning, wanted, token, observed);
  signal.throwIfAborted();
  await prepareSession(provisioning);
  return { hint: await provisioning.askCommandHint(), wakeMessage: wanted.delivery.wakeMessage };
}

interface Observed {
  /** Null when there is none. */
  agentsFile: { content: string; hash: string | null } | null;
  /** The token in the workspace; null when there is none. */
  token: string | null;
  /** Names of files that the gateway takes. */
  taken: ReadonlySet<string>;
  /** Names of those that the workspace does not have. */
  missing: ReadonlySet<string>;
}

async function observe({ agent, connection, workspaces }: Provisioning): Promise<Observed> {
  const agentId = agent.openclawAgentId;
  const taken = await workspaces.filesTaken(connection, agentId);
  // Nothing was ever written for it, and its folder is named for it alone.
  if (agent.tokenHash === null && agent.isManaged) return { agentsFile: null, token: null, taken, missing: taken };
  const agentsFile = await getFile(connection, { agentId, name: 'AGENTS.md' });
  const tools = taken.has('TOOLS.md') ? await getFile(connection, { agentId, name: 'TOOLS.md' }) : agentsFile;
  return {
    agentsFile: agentsFile.content === null ? null : { content: agentsFile.content, hash: agentsFile.hash },
    token: tools.content === null ? null : agentTokenIn(tools.content),
    taken,
    missing: await missingFiles(connection, agentId),
  };
}

interface Token {
  token: string;
  isNew: boolean;
}

async function issueToken({ agent, database }: Provisioning, found: string | null): Promise<Token> {
  const decision = decideToken(agent, found === null ? null : { token: found, hash: hashToken(found) });
  if (decision.kind === 'keep') {
    await runStep(database.prisma, agent.id, 'ISSUE_TOKEN', async () => ({ outcome: 'UNCHANGED' }));
    return { token: decision.token, isNew: false };
  }
  const token = newToken(AGENT_TOKEN_PREFIX);
  await runStep(
    database.prisma,
    agent.id,
    'ISSUE_TOKEN',
    async () => ({ outcome: 'CHANGED' }),
    // Before the token is written anywhere; the one that is in the workspace still works, until this one is there.
    () =>
      database.prisma.agent.updateMany({
        where: { id: agent.id, deletionRequestedAt: null },
        data: { tokenHash: hashToken(token), previousTokenHash: decision.stillValid },
      }),
  );
  return { token, isNew: true };
}

interface Wanted {
  delivery: Delivery;
  /** What to do with each document. */
  changes: ReadonlyMap<string, DocumentChange>;
}

/** Makes the documents and compares them with what was last written. @throws TemplateError, BudgetError */
async function render(provisioning: Provisioning, token: Token, observed: Observed): Promise<Wanted> {
  const { agent, database } = provisioning;
  const { wanted } = await runStep(database.prisma, agent.id, 'RENDER', async () => {
    const wanted = decideDocuments(provisioning, token, observed);
    return { wanted, outcome: namesToWrite(wanted).length > 0 ? 'CHANGED' : 'UNCHANGED' };
  });
  return wanted;
}

function decideDocuments(
  { agent, heartbeatJob, workspaces }: Provisioning,
  { token, isNew }: Token,
  observed: Observed,
): Wanted {
  const capabilities = { files: observed.taken, heartbeatScratch: heartbeatJob !== null };
  const delivery = deliver(workspaces.render(agent, token), capabilities, observed.agentsFile?.content ?? null);
  const written = documentHashesOf(agent);
  const changes = delivery.documents.map((document) => {
    const missing = document.file !== null && observed.missing.has(document.file);
    const overwrite = isNew && document.name === 'TOOLS.md';
    return [
      document.name,
      changeOf(document, { writtenHash: written[document.name] ?? null, missing, overwrite }),
    ] as const;
  });
  return { delivery, changes: new Map(changes) };
}

function namesToWrite({ delivery, changes }: Wanted): DocumentName[] {
  return delivery.documents
    .filter(({ name, delivery: way }) => way !== 'WAKE_MESSAGE' && isToWrite(changes.get(name)))
    .map(({ name }) => name);
}

function isToWrite(change: DocumentChange | undefined): boolean {
  return change === 'CREATE' || change === 'UPDATE';
}

/** Writes what differs. When it has resolved, the token of tokenHash is in the workspace and is the only one. */
async function writeDocuments(
  provisioning: Provisioning,
  wanted: Wanted,
  token: Token,
  observed: Observed,
): Promise<void> {
  const { agent, database, connection, heartbeatJob } = provisioning;
  const names = namesToWrite(wanted);
  await runStep(
    database.prisma,
    agent.id,
    'WRITE_DOCUMENTS',
    async () => {
      const { files, scratch } = wanted.delivery;
      const differing = files.filter((file) => file.documents.some((name) => names.includes(name)));
      await Promise.all(differing.map((file) => writeFile(provisioning, file, token, observed)));
      if (scratch !== null && heartbeatJob !== null && names.includes('HEARTBEAT.md'))
        await setScratch(connection, { jobId: heartbeatJob.id, content: scratch });
      return names.length > 0 ? { outcome: 'CHANGED', detail: names.join(', ') } : { outcome: 'UNCHANGED' };
    },
    () =>
      database.prisma.agent.updateMany({
        where: { id: agent.id, deletionRequestedAt: null },
        data: {
          previousTokenHash: null,
          documentHashes: {
            ...documentHashesOf(agent),
            ...hashesOf(wanted.delivery.documents.filter(({ name }) => names.includes(name))),
          },
        },
      }),
  );
}

/** AGENTS.md is written only over what was read, since the agent may be writing into it at the same moment. */
async function writeFile(
  provisioning: Provisioning,
  file: WorkspaceFileContent,
  token: Token,
  observed: Observed,
): Promise<void> {
  const { agent, connection } = provisioning;
  const agentId = agent.openclawAgentId;
  const { name } = file;
  let { content } = file;
  let hash = name === 'AGENTS.md' ? (observed.agentsFile?.hash ?? null) : null;
  for (let tries = 1; ; tries++) {
    try {
      await setFile(connection, { agentId, name, content, ...(hash !== null && { expectedHash: hash }) });
      return;
    } catch (error) {
      if (!isFileConflict(error) || tries >= CONFLICT_TRIES) throw error;
      const now = await getFile(connection, { agentId, name });
      hash = now.hash;
      const agentsFile = now.content === null ? null : { content: now.content, hash: now.hash };
      const again = decideDocuments(provisioning, token, { ...observed, agentsFile });
      content = again.delivery.files.find((other) => other.name === name)?.content ?? content;
    }
  }
}

/** The agent's main session, with the agent's name as its label. */
async function prepareSession({ agent, database, connection }: Provisioning): Promise<void> {
  const key = sessionKeyOf(agent.openclawAgentId);
  await runStep(database.prisma, agent.id, 'PREPARE_SESSION', async () => {
    if (agent.observedGeneration > 0) {
      const sessions = await listSessions(connection, { agentId: agent.openclawAgentId });
      if (sessions.some((session) => session.key === key && session.label === agent.name))
        return { outcome: 'UNCHANGED' };
    }
    await patchSessionLabel(connection, { key, label: agent.name });
    return { outcome: 'CHANGED' };
  });
}

/**
 * Wakes the agent, if that was not done before. A run that finds no model fails without a word, so without one the
 * agent is not woken, and the gateway's hint says why; it is when the gateway has one.
 */
export async function wakeAgent({ agent, database, connection }: Provisioning, message: string): Promise<void> {
  await runStep(
    database.prisma,
    agent.id,
    'WAKE',
    async () => {
      if (agent.wokenAt !== null) return { outcome: 'UNCHANGED' };
      if (connection.info.modelConfigured === false)
        return { outcome: 'UNCHANGED', detail: 'not woken: the gateway has no usable model' };
      await sendChat(connection, {
        sessionKey: sessionKeyOf(agent.openclawAgentId),
        message,
        idempotencyKey: `mc-wake-${agent.id}`,
      }).catch((error: unknown) => {
        // It was sent before and its answer was lost: now it has another text, or is answered with how its run failed.
        const wasSent = hasReason(error, 'message-conflict') || (agent.attempts > 1 && hasReason(error, 'unavailable'));
        if (!wasSent) throw error;
      });
      return { outcome: 'CHANGED', wokenAt: new Date() };
    },
    (result) =>
      'wokenAt' in result
        ? database.prisma.agent.updateMany({
            where: { id: agent.id },
            data: { wokenAt: result.wokenAt, wakeAttempts: 1 },
          })
        : Promise.resolve(),
  );
}
