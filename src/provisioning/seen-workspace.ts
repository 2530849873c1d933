import { hashToken } from '../access/tokens.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { getScratch, type HeartbeatJob } from '../gateway/cron.ts';
import { isUnsupportedFile } from '../gateway/errors.ts';
import { type FileSummary, getFile, listFiles } from '../gateway/files.ts';
import type { Agent } from '../generated/prisma/client.ts';
import { sectionsIn } from './agents-file.ts';
import { isMissing, type WorkspaceState, wayOf } from './delivery.ts';
import { documentHashesOf } from './document-hashes.ts';
import { type DocumentName, documentNamesFor } from './documents.ts';
import { agentTokenIn } from './tokens.ts';

/** What is in an agent's workspace. */
export interface SeenWorkspace extends WorkspaceState {
  /** Names of files that the gateway takes. */
  taken: ReadonlySet<string>;
  /** Null when there is none. */
  agentsFile: { content: string; hash: string | null } | null;
  /** The token in the documents; null when there is none. */
  token: string | null;
}

/** The names of all documents. */
const DOCUMENT_NAMES = documentNamesFor('BOARD_LEAD');

const isDocumentName = (name: string): name is DocumentName => DOCUMENT_NAMES.some((known) => known === name);

/** What is in the workspace of an agent that the gateway has. @throws GatewayError */
export async function lookAt(connection: GatewayConnection, agentId: string): Promise<SeenWorkspace> {
  const taken = await filesTaken(connection, agentId);
  const { content, hash } = await getFile(connection, { agentId, name: 'AGENTS.md' });
  const sections = sectionsIn(content ?? '');
  // The agent may have noted an older token outside of our section.
  const tools = taken.has('TOOLS.md')
    ? (await getFile(connection, { agentId, name: 'TOOLS.md' })).content
    : (sections.get('TOOLS.md') ?? content);
  return {
    taken,
    agentsFile: content === null ? null : { content, hash },
    token: agentTokenIn(tools ?? ''),
    missingFiles: await missingFiles(connection, agentId),
    sections: new Set(sections.keys()),
  };
}

/**
 * What an agent in line should have and has not.
 * @param job the gateway's heartbeat job of this agent; null when it has none
 * @throws GatewayError
 */
export async function lostDocuments(
  connection: GatewayConnection,
  agent: Agent,
  job: HeartbeatJob | null,
): Promise<{ lost: string[]; hasToken: boolean }> {
  const seen = await lookAt(connection, agent.openclawAgentId);
  const scratch = job === null ? null : (await getScratch(connection, job.id)).content;
  const written = Object.keys(documentHashesOf(agent)).filter(isDocumentName);
  const lost = written.filter((name) => {
    const way = wayOf(name, { files: seen.taken, heartbeatScratch: job !== null });
    return way.delivery === 'HEARTBEAT_SCRATCH' ? scratch === null : isMissing({ name, ...way }, seen);
  });
  return { lost, hasToken: seen.token !== null && hashToken(seen.token) === agent.tokenHash };
}

/** Per connection and boot of the gateway, the file names that it takes. */
const takenFiles = new WeakMap<GatewayConnection, { bootId: string | null; files: ReadonlySet<string> }>();

/**
 * The names of files that the gateway takes: asked of it once per boot, never assumed from its version.
 * @param openclawAgentId any agent that the gateway has
 * @throws GatewayError
 */
export async function filesTaken(connection: GatewayConnection, openclawAgentId: string): Promise<ReadonlySet<string>> {
  const { bootId } = connection.info;
  const known = takenFiles.get(connection);
  if (known && known.bootId === bootId) return known.files;
  const taken = await Promise.all(
    DOCUMENT_NAMES.map(async (name) => {
      try {
        await getFile(connection, { agentId: openclawAgentId, name });
        return [name];
      } catch (error) {
        if (isUnsupportedFile(error)) return [];
        throw error;
      }
    }),
  );
  const files = new Set<string>(taken.flat());
  takenFiles.set(connection, { bootId, files });
  return files;
}

/** The workspace's files that matter here. The gateway lists all that it takes but IDENTITY.md, so that one is added. */
export async function filesOf(connection: GatewayConnection, openclawAgentId: string): Promise<FileSummary[]> {
  const [listed, identity] = await Promise.all([
    listFiles(connection, openclawAgentId),
    getFile(connection, { agentId: openclawAgentId, name: 'IDENTITY.md' }),
  ]);
  if (listed.some((file) => file.name === 'IDENTITY.md')) return listed;
  const size = identity.content === null ? null : Buffer.byteLength(identity.content);
  return [...listed, { name: 'IDENTITY.md', missing: identity.missing, size, updatedAt: null }];
}

/** Names of the workspace's files that are not there. @throws GatewayError */
async function missingFiles(connection: GatewayConnection, openclawAgentId: string): Promise<Set<string>> {
  const listed = await filesOf(connection, openclawAgentId);
  return new Set(listed.filter((file) => file.missing).map((file) => file.name));
}
