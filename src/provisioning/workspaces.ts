import { hashToken } from '../access/tokens.ts';
import type { Database } from '../db/database.ts';
import type { GatewayConnection } from '../gateway/connection.ts';
import { findHeartbeatJob, getScratch, type HeartbeatJob } from '../gateway/cron.ts';
import { GatewayError, isUnsupportedFile } from '../gateway/errors.ts';
import { type FileSummary, getFile, listFiles } from '../gateway/files.ts';
import { sessionKeyOf } from '../gateway/session-key.ts';
import type { Agent, Board, Gateway } from '../generated/prisma/client.ts';
import { sectionsIn } from './agents-file.ts';
import { BudgetError } from './budgets.ts';
import {
  changeOf,
  type DeliveredDocument,
  type Delivery,
  type DocumentChange,
  deliver,
  documentHash,
  type GatewayCapabilities,
  isMissing,
  type WorkspaceState,
  wayOf,
} from './delivery.ts';
import {
  checkTemplate,
  type DocumentName,
  documentNamesFor,
  type OwnTemplateField,
  type RenderedDocument,
  renderDocuments,
} from './documents.ts';
import type { GatewayLinks } from './links.ts';
import { TemplateError, type Templates } from './liquid.ts';
import { storedProfileOf } from './profile.ts';
import type { RoleSouls } from './souls/role-souls.ts';
import type { RoleSoul } from './souls/text.ts';
import { agentTokenIn, MASKED_AGENT_TOKEN, maskTokens } from './tokens.ts';
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

/** What goes into documents and is not in the agent's row. */
export interface DocumentContents {
  /** Left out: masked. */
  token?: string;
  /** The soul of its role; left out: the built-in one. */
  soul?: RoleSoul | null;
}

/** What is in an agent's workspace. */
export interface SeenWorkspace extends WorkspaceState {
  /** Names of files that the gateway takes. */
  taken: ReadonlySet<string>;
  /** Null when there is none. */
  agentsFile: { content: string; hash: string | null } | null;
  /** The token in the documents; null when there is none. */
  token: string | null;
}

/** What gateways of today take; for looking at documents while the gateway cannot be asked. */
const USUAL_CAPABILITIES: GatewayCapabilities = {
  files: new Set(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md']),
  heartbeatScratch: true,
};

/** The names of all documents. */
const DOCUMENT_NAMES = documentNamesFor('BOARD_LEAD');

const isDocumentName = (name: string): name is DocumentName => DOCUMENT_NAMES.some((known) => known === name);

/** What agents' workspaces should hold, and what they do hold. */
export class Workspaces {
  readonly #database: Database;
  readonly #links: GatewayLinks;
  readonly #readTemplates: () => Templates;
  #templates: Templates;
  readonly #baseUrl: string;
  /** Who has which soul. */
  readonly souls: RoleSouls;
  /** Per connection and boot of the gateway, the file names that it takes. */
  readonly #takenFiles = new WeakMap<GatewayConnection, { bootId: string | null; files: ReadonlySet<string> }>();

  /** @param readTemplates reads the template folder; may throw what readTemplates throws */
  constructor(
    database: Database,
    links: GatewayLinks,
    readTemplates: () => Templates,
    baseUrl: string,
    souls: RoleSouls,
  ) {
    this.#database = database;
    this.#links = links;
    this.#readTemplates = readTemplates;
    this.#templates = readTemplates();
    this.#baseUrl = baseUrl;
    this.souls = souls;
  }

  /** Takes up changes of the template folder; with a mistake in it the templates stay. @throws TemplateError */
  readTemplatesAgain(): void {
    try {
      this.#templates = this.#readTemplates();
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof Error)) throw error;
      throw new TemplateError(error.message, { template: 'TEMPLATES_DIR' });
    }
  }

  /**
   * All documents of the agent, complete, and how they reach it. A soul from the directory that leaves the others no room
   * gives way to the built-in one: it was not the operator who has made it too long.
   *
   * @param existingAgentsFile AGENTS.md as it is in the workspace, null when there is none
   * @returns also the soul that is in them
   * @throws TemplateError, BudgetError
   */
  deliver(
    agent: AgentWithBoard,
    contents: DocumentContents,
    capabilities: GatewayCapabilities,
    existingAgentsFile: string | null = null,
  ): { delivery: Delivery; soul: RoleSoul | null } {
    const input = this.#inputOf(agent, contents);
    try {
      const delivery = deliver(renderDocuments(input, this.#templates), capabilities, existingAgentsFile);
      return { delivery, soul: input.roleSoul };
    } catch (error) {
      if (input.roleSoul === null || !(error instanceof BudgetError)) throw error;
      return this.deliver(agent, { ...contents, soul: null }, capabilities, existingAgentsFile);
    }
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
      roleSoul: null,
      baseUrl: this.#baseUrl,
      authToken: MASKED_AGENT_TOKEN,
    };
    return checkTemplate(source, field, sample, this.#templates)?.message ?? null;
  }

  /** The documents as they would be written now, with secrets masked. @throws TemplateError, BudgetError */
  async preview(agentId: string): Promise<AgentDocument[]> {
    const agent = await this.#find(agentId);
    const [soul, observed] = await Promise.all([this.souls.preview(agent), this.#observe(agent)]);
    const { delivery } = this.deliver(
      agent,
      { soul },
      observed?.capabilities ?? USUAL_CAPABILITIES,
      observed?.seen.agentsFile?.content ?? null,
    );
    const hashes = documentHashesOf(agent);
    return delivery.documents.map((document) => {
      const missing = observed !== null && isMissing(document, observed.seen);
      const sent = document.delivery === 'WAKE_MESSAGE' && agent.wokenAt !== null;
      const writtenHash = sent ? documentHash(document.content) : (hashes[document.name] ?? null);
      const change = observed && changeOf(document, { writtenHash, missing, overwrite: false });
      return { ...document, change };
    });
  }

  /** What the agent is woken with. @throws TemplateError, BudgetError */
  async wakeMessage(agentId: string): Promise<string> {
    return this.deliver(await this.#find(agentId), {}, USUAL_CAPABILITIES).delivery.wakeMessage;
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

  /**
   * What an agent in line should have and has not.
   * @param job the gateway's heartbeat job of this agent; null when it has none
   * @throws GatewayError
   */
  async lostDocuments(
    connection: GatewayConnection,
    agent: Agent,
    job: HeartbeatJob | null,
  ): Promise<{ lost: string[]; hasToken: boolean }> {
    const seen = await this.look(connection, agent.openclawAgentId);
    const scratch = job === null ? null : (await getScratch(connection, job.id)).content;
    const written = Object.keys(documentHashesOf(agent)).filter(isDocumentName);
    const lost = written.filter((name) => {
      const way = wayOf(name, { files: seen.taken, heartbeatScratch: job !== null });
      return way.delivery === 'HEARTBEAT_SCRATCH' ? scratch === null : isMissing({ name, ...way }, seen);
    });
    return { lost, hasToken: seen.token !== null && hashToken(seen.token) === agent.tokenHash };
  }

  /** What is in the workspace of an agent that the gateway has. @throws GatewayError */
  async look(connection: GatewayConnection, agentId: string): Promise<SeenWorkspace> {
    const taken = await this.filesTaken(connection, agentId);
    const { content, hash } = await getFile(connection, { agentId, name: 'AGENTS.md' });
    const tools = taken.has('TOOLS.md') ? (await getFile(connection, { agentId, name: 'TOOLS.md' })).content : content;
    return {
      taken,
      agentsFile: content === null ? null : { content, hash },
      token: agentTokenIn(tools ?? ''),
      missingFiles: await missingFiles(connection, agentId),
      sections: sectionsIn(content ?? ''),
    };
  }

  #find(agentId: string): Promise<AgentWithBoard & { gateway: Gateway }> {
    return this.#database.prisma.agent.findUniqueOrThrow({
      where: { id: agentId },
      include: { board: true, gateway: true },
    });
  }

  #inputOf(agent: AgentWithBoard, { token, soul }: DocumentContents): DocumentInput {
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
      roleSoul: soul ?? null,
      baseUrl: this.#baseUrl,
      authToken: token ?? MASKED_AGENT_TOKEN,
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
      const seen = await this.look(connection, openclawAgentId);
      return { seen, capabilities: { files: seen.taken, heartbeatScratch: job !== null } };
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
async function missingFiles(connection: GatewayConnection, openclawAgentId: string): Promise<Set<string>> {
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
