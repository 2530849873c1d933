import type { Database } from '../db/database.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJob } from '../gateway/cron.ts';
import { GatewayError, isUnsupportedFile } from '../gateway/errors.ts';
import { type FileSummary, getFile, listFiles } from '../gateway/files.ts';
import type { Agent, Board, Gateway } from '../generated/prisma/client.ts';
import {
  changeOf,
  type DeliveredDocument,
  type DocumentChange,
  deliver,
  documentHash,
  type GatewayCapabilities,
} from './delivery.ts';
import {
  checkTemplate,
  documentNamesFor,
  type OwnTemplateField,
  type RenderedDocument,
  renderDocuments,
} from './documents.ts';
import { sessionKeyOf } from './identity.ts';
import type { GatewayLinks } from './links.ts';
import type { Templates } from './liquid.ts';
import { storedProfileOf } from './profile.ts';
import { MASKED_AGENT_TOKEN, maskTokens } from './tokens.ts';
import type { DocumentInput } from './variables.ts';

/** An agent with what its documents tell of its board. */
export type AgentWithBoard = Agent & { board: Board | null };

export interface AgentDocument extends DeliveredDocument {
  /** Null when the gateway cannot be asked now. */
  change: DocumentChange | null;
}

export interface WorkspaceFile {
  name: string;
  size: number | null;
  updatedAt: Date | null;
  missing: boolean;
  content: string | null;
}

/** What gateways of today take; for looking at documents while the gateway cannot be asked. */
const USUAL_CAPABILITIES: GatewayCapabilities = {
  files: new Set(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md']),
  heartbeatScratch: true,
};

/** The names of all documents. */
const DOCUMENT_NAMES = documentNamesFor('BOARD_LEAD');

/** What agents' workspaces should hold, and what they do hold. */
export class Workspaces {
  readonly #database: Database;
  readonly #links: GatewayLinks;
  readonly #templates: Templates;
  readonly #baseUrl: string;
  /** Per connection and boot of the gateway, the file names that it takes. */
  readonly #takenFiles = new WeakMap<GatewayConnection, { bootId: string | null; files: ReadonlySet<string> }>();

  constructor(database: Database, links: GatewayLinks, templates: Templates, baseUrl: string) {
    this.#database = database;
    this.#links = links;
    this.#templates = templates;
    this.#baseUrl = baseUrl;
  }

  /**
   * All documents of the agent, complete.
   * @param token left out: masked
   * @throws TemplateError
   */
  render(agent: AgentWithBoard, token: string = MASKED_AGENT_TOKEN): RenderedDocument[] {
    return renderDocuments(this.#inputOf(agent, token), this.#templates);
  }

  /** Whether a template that replaces a built-in one can be rendered: null, or the sentence that says what is wrong. */
  checkTemplate(field: OwnTemplateField, source: string): string | null {
    const sample: DocumentInput = {
      agent: {
        id: '00000000-0000-7000-8000-000000000000',
        kind: 'BOARD_WORKER',
        name: 'Sample',
        sessionKey: 'agent:mc-00000000-0000-7000-8000-000000000000:main',
        workspacePath: '/workspace',
        identityProfile: {},
        identityTemplate: null,
        soulTemplate: null,
      },
      board: {
        id: '00000000-0000-7000-8000-000000000001',
        name: 'Sample board',
        boardType: 'goal',
        objective: 'Sample objective',
      },
      baseUrl: this.#baseUrl,
      authToken: MASKED_AGENT_TOKEN,
    };
    return checkTemplate(source, field, sample, this.#templates)?.message ?? null;
  }

  /** The documents as they would be written now, with secrets masked. @throws TemplateError, BudgetError */
  async preview(agentId: string): Promise<AgentDocument[]> {
    const agent = await this.#find(agentId);
    const documents = this.render(agent);
    const observed = await this.#observe(agent);
    const delivery = deliver(documents, observed?.capabilities ?? USUAL_CAPABILITIES, observed?.agentsFile ?? null);
    const hashes = documentHashesOf(agent);
    return delivery.documents.map((document) => {
      const missing = document.file !== null && (observed?.missing.has(document.file) ?? false);
      const sent = document.delivery === 'WAKE_MESSAGE' && agent.wokenAt !== null;
      const writtenHash = sent ? documentHash(document.content) : (hashes[document.name] ?? null);
      const change = observed && changeOf(document, { writtenHash, missing, overwrite: false });
      return { ...document, change };
    });
  }

  /** What the agent is woken with. @throws TemplateError, BudgetError */
  async wakeMessage(agentId: string): Promise<string> {
    return deliver(this.render(await this.#find(agentId)), USUAL_CAPABILITIES).wakeMessage;
  }

  /** The files of the workspace with their contents, tokens masked. @throws GatewayError */
  async files(agentId: string): Promise<WorkspaceFile[]> {
    const agent = await this.#find(agentId);
    const connection = await this.#links.connect(agent.gateway);
    const listed = await filesOf(connection, agent.openclawAgentId);
    return Promise.all(
      listed.map(async ({ name, size, updatedAt, missing }) => {
        const file = missing ? null : await getFile(connection, { agentId: agent.openclawAgentId, name });
        return { name, size, updatedAt, missing, content: file?.content == null ? null : maskTokens(file.content) };
      }),
    );
  }

  #find(agentId: string): Promise<AgentWithBoard & { gateway: Gateway }> {
    return this.#database.prisma.agent.findUniqueOrThrow({
      where: { id: agentId },
      include: { board: true, gateway: true },
    });
  }

  #inputOf(agent: AgentWithBoard, authToken: string): DocumentInput {
    return {
      agent: {
        id: agent.id,
        kind: agent.kind,
        name: agent.name,
        sessionKey: sessionKeyOf(agent.openclawAgentId),
        workspacePath: agent.workspacePath,
        identityProfile: storedProfileOf(agent.identityProfile),
        identityTemplate: agent.identityTemplate,
        soulTemplate: agent.soulTemplate,
      },
      board: agent.board,
      baseUrl: this.#baseUrl,
      authToken,
    };
  }

  /**
   * The names of files that the gateway takes: asked of it once per boot, never assumed from its version.
   * @param openclawAgentId any agent that the gateway has
   * @throws GatewayError
   */
  async filesTaken(connection: GatewayConnection, openclawAgentId: string): Promise<ReadonlySet<string>> {
    const { bootId } = connection.info;
    const known = this.#takenFiles.get(connection);
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
    this.#takenFiles.set(connection, { bootId, files });
    return files;
  }

  /** What the gateway says now; null when it cannot be asked, or does not have the agent. */
  async #observe(agent: AgentWithBoard & { gateway: Gateway }) {
    try {
      const connection = await this.#links.connect(agent.gateway);
      const { openclawAgentId } = agent;
      const job = await findHeartbeatJob(connection, openclawAgentId);
      const capabilities = {
        files: await this.filesTaken(connection, openclawAgentId),
        heartbeatScratch: job !== null,
      };
      const agentsFile = await getFile(connection, { agentId: openclawAgentId, name: 'AGENTS.md' });
      return { capabilities, agentsFile: agentsFile.content, missing: await missingFiles(connection, openclawAgentId) };
    } catch (error) {
      if (error instanceof GatewayError) return null;
      throw error;
    }
  }
}

/** The workspace's files that matter here. The gateway lists all that it takes but IDENTITY.md, so that one is added. */
async function filesOf(connection: GatewayConnection, openclawAgentId: string): Promise<FileSummary[]> {
  const [listed, identity] = await Promise.all([
    listFiles(connection, openclawAgentId),
    getFile(connection, { agentId: openclawAgentId, name: 'IDENTITY.md' }),
  ]);
  if (listed.some((file) => file.name === 'IDENTITY.md')) return listed;
  const size = identity.content === null ? null : Buffer.byteLength(identity.content);
  return [...listed, { name: 'IDENTITY.md', missing: identity.missing, size, updatedAt: null }];
}

/** Names of the workspace's files that are not there. @throws GatewayError */
export async function missingFiles(connection: GatewayConnection, openclawAgentId: string): Promise<Set<string>> {
  const listed = await filesOf(connection, openclawAgentId);
  return new Set(listed.filter((file) => file.missing).map((file) => file.name));
}

/** Per document, the hash of what was last written, made with the token masked. */
export function documentHashesOf(agent: Pick<Agent, 'documentHashes'>): Record<string, string> {
  // Only provisioning writes this column, in this form.
  return agent.documentHashes as Record<string, string>;
}

/** Hashes of these documents as they are stored: the token does not count, so that a new one alone is no change. */
export function hashesOf(documents: readonly RenderedDocument[]): Record<string, string> {
  return Object.fromEntries(documents.map(({ name, content }) => [name, documentHash(content)]));
}
