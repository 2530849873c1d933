import { AGENT_TOKEN_PREFIX, hashToken, newToken } from '../access/tokens.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import type { HeartbeatJob } from '../gateway/cron.ts';
import { setScratch } from '../gateway/cron.ts';
import { isFileConflict } from '../gateway/errors.ts';
import { getFile, setFile } from '../gateway/files.ts';
import { changeOf, type Delivery, type DocumentChange, isMissing, type WorkspaceFileContent } from './delivery.ts';
import { documentHashesOf, hashesOf } from './document-hashes.ts';
import type { DocumentName } from './documents.ts';
import { wasAdopted } from './identity.ts';
import { decideToken, isRequested } from './plan.ts';
import { settleRequest } from './requests.ts';
import { filesTaken, lookAt, type SeenWorkspace } from './seen-workspace.ts';
import type { RoleSoul } from './souls/text.ts';
import { runStep, type StepRecords } from './steps.ts';
import type { AgentWithBoard, Workspaces } from './workspaces.ts';

/** One agent that is being brought in line. */
export interface Provisioning extends StepRecords {
  workspaces: Workspaces;
  connection: GatewayConnection;
  /** The gateway's heartbeat job of this agent; null when it has none. */
  heartbeatJob: HeartbeatJob | null;
  agent: AgentWithBoard;
  /** Whether the gateway did not have it any more, and has made it anew. */
  wasRevived: boolean;
  /** Stops between two steps. */
  signal: AbortSignal;
}

/** How often AGENTS.md is composed anew because the agent wrote into it at the same moment. */
const CONFLICT_TRIES = 3;

interface ProvisionedDocuments {
  /** What to wake the agent with; null for one that is left asleep. */
  wakeMessage: string | null;
  /** Whether anything of them was written. */
  wroteDocuments: boolean;
}

// Bringing a registered agent in line has three parts: its documents, its session, and to wake it (provision-session.ts). Each
// step looks at what is there, so it may be stopped anywhere and run again.

/**
 * Brings the agent's token and documents in line.
 * @throws GatewayError, TemplateError, BudgetError
 */
export async function provisionDocuments(provisioning: Provisioning): Promise<ProvisionedDocuments> {
  const { agent, signal } = provisioning;
  if (!agent.isManaged) return { wakeMessage: null, wroteDocuments: false };
  const observed = await observe(provisioning);
  signal.throwIfAborted();
  const token = await issueToken(provisioning, observed.token);
  signal.throwIfAborted();
  const wanted = await render(provisioning, token, observed);
  signal.throwIfAborted();
  await writeDocuments(provisioning, wanted, token, observed);
  return { wakeMessage: wanted.delivery.wakeMessage, wroteDocuments: namesToWrite(wanted).length > 0 };
}

async function observe({ agent, connection, wasRevived }: Provisioning): Promise<SeenWorkspace> {
  const agentId = agent.openclawAgentId;
  if (agent.tokenHash !== null || wasAdopted(agent)) {
    const seen = await lookAt(connection, agentId);
    // Made anew just now, or in a run that was cut off before it wrote anything.
    const hasNone = Object.keys(documentHashesOf(agent)).length === 0;
    // One that was adopted has none either before it is written for the first time, which is asked for.
    const isNew = wasRevived || (hasNone && !(wasAdopted(agent) && isRequested(agent, 'OVERWRITE')));
    // BOOTSTRAP.md tells that the gateway has filled an empty folder, with texts of its own.
    if (!isNew || seen.missingFiles.has('BOOTSTRAP.md')) return seen;
  }
  // Nothing was ever written for it, and its folder is named for it alone.
  const taken = await filesTaken(connection, agentId);
  return { taken, agentsFile: null, token: null, missingFiles: taken, sections: new Set() };
}

interface Token {
  token: string;
  isNew: boolean;
}

async function issueToken(provisioning: Provisioning, found: string | null): Promise<Token> {
  const { agent, database } = provisioning;
  const decision = decideToken(agent, found === null ? null : { token: found, hash: hashToken(found) });
  if (decision.kind === 'keep') {
    await runStep(provisioning, agent.id, 'ISSUE_TOKEN', async () => ({ outcome: 'UNCHANGED' }));
    return { token: decision.token, isNew: false };
  }
  const token = newToken(AGENT_TOKEN_PREFIX);
  await runStep(
    provisioning,
    agent.id,
    'ISSUE_TOKEN',
    async () => ({ outcome: 'CHANGED' }),
    // Before the token is written anywhere; the one that is in the workspace still works, until this one is there.
    async () => {
      await database.prisma.agent.updateMany({
        where: { id: agent.id, deletionRequestedAt: null },
        data: { tokenHash: hashToken(token), previousTokenHash: decision.stillValid },
      });
      // From here on a run that finds another token than this in the workspace issues one anyway.
      await settleRequest(database.prisma, agent, 'ROTATE_TOKEN');
    },
  );
  return { token, isNew: true };
}

interface Wanted {
  delivery: Delivery;
  /** The soul of the directory that is in its SOUL.md. */
  soul: RoleSoul | null;
  /** What to do with each document. */
  changes: ReadonlyMap<string, DocumentChange>;
}

/** Makes the documents and compares them with what was last written. @throws TemplateError, BudgetError */
async function render(provisioning: Provisioning, token: Token, observed: SeenWorkspace): Promise<Wanted> {
  const { agent, workspaces, signal } = provisioning;
  const { wanted } = await runStep(provisioning, agent.id, 'RENDER', async () => {
    const { soul, reason } = await workspaces.souls.choose(agent, signal);
    const wanted = decideDocuments(provisioning, token, soul, observed);
    const outcome = namesToWrite(wanted).length > 0 ? 'CHANGED' : 'UNCHANGED';
    const detail = soul !== null && wanted.soul === null ? `The soul ${soul.url} is too long to be used.` : reason;
    return { wanted, outcome, ...(detail !== null && { detail }) } as const;
  });
  return wanted;
}

function decideDocuments(
  { agent, heartbeatJob, workspaces }: Provisioning,
  { token, isNew }: Token,
  chosen: RoleSoul | null,
  observed: SeenWorkspace,
): Wanted {
  const capabilities = { files: observed.taken, heartbeatScratch: heartbeatJob !== null };
  const contents = { token, soul: chosen };
  const existing = observed.agentsFile?.content ?? null;
  const { delivery, soul } = workspaces.deliver(agent, contents, capabilities, existing);
  const written = documentHashesOf(agent);
  const changes = delivery.documents.map((document) => {
    const missing = isMissing(document, observed);
    const overwrite = isRequested(agent, 'OVERWRITE') || (isNew && document.name === 'TOOLS.md');
    return [
      document.name,
      changeOf(document, { writtenHash: written[document.name] ?? null, missing, overwrite }),
    ] as const;
  });
  return { delivery, soul, changes: new Map(changes) };
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
  observed: SeenWorkspace,
): Promise<void> {
  const { agent, database, connection, heartbeatJob } = provisioning;
  const names = namesToWrite(wanted);
  await runStep(
    provisioning,
    agent.id,
    'WRITE_DOCUMENTS',
    async () => {
      const { soul } = wanted;
      const { files, scratch } = wanted.delivery;
      const differing = files.filter((file) => file.documents.some((name) => names.includes(name)));
      await Promise.all(differing.map((file) => writeFile(provisioning, file, { token, soul }, observed)));
      if (scratch !== null && heartbeatJob !== null && names.includes('HEARTBEAT.md'))
        await setScratch(connection, { jobId: heartbeatJob.id, content: scratch });
      return names.length > 0 ? { outcome: 'CHANGED', detail: names.join(', ') } : { outcome: 'UNCHANGED' };
    },
    async () => {
      await database.prisma.agent.updateMany({
        where: { id: agent.id, deletionRequestedAt: null },
        data: {
          previousTokenHash: null,
          documentHashes: {
            ...documentHashesOf(agent),
            ...hashesOf(wanted.delivery.documents.filter(({ name }) => names.includes(name))),
          },
        },
      });
      await settleRequest(database.prisma, agent, 'OVERWRITE');
    },
  );
}

/** AGENTS.md is written only over what was read, since the agent may be writing into it at the same moment. */
async function writeFile(
  provisioning: Provisioning,
  file: WorkspaceFileContent,
  { token, soul }: { token: Token; soul: RoleSoul | null },
  observed: SeenWorkspace,
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
      const again = decideDocuments(provisioning, token, soul, { ...observed, agentsFile });
      content = again.delivery.files.find((other) => other.name === name)?.content ?? content;
    }
  }
}
