import type { Database } from '../db/database.ts';
import { findHeartbeatJob } from '../gateway/cron.ts';
import { GatewayError } from '../gateway/errors.ts';
import { getFile } from '../gateway/files.ts';
import { sessionKeyOf } from '../gateway/session-key.ts';
import type { Agent, Board, Gateway } from '../generated/prisma/client.ts';
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
} from './delivery.ts';
import { documentHashesOf } from './document-hashes.ts';
import { checkTemplate, type OwnTemplateField, renderDocuments } from './documents.ts';
import type { GatewayLinks } from './links.ts';
import { TemplateError, type Templates } from './liquid.ts';
import { storedProfileOf } from './profile.ts';
import { filesOf, lookAt } from './seen-workspace.ts';
import type { RoleSouls } from './souls/role-souls.ts';
import type { RoleSoul } from './souls/text.ts';
import { MASKED_AGENT_TOKEN, maskTokens } from './tokens.ts';
import type { DocumentInput, IdentityProfile } from './variables.ts';

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

/** What gateways of today take; for looking at documents while the gateway cannot be asked. */
const USUAL_CAPABILITIES: GatewayCapabilities = {
  files: new Set(['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md']),
  heartbeatScratch: true,
};

/** What agents' workspaces should hold; for people who look, also what they do hold. */
export class Workspaces {
  readonly #database: Database;
  readonly #links: GatewayLinks;
  readonly #readTemplates: () => Templates;
  #templates: Templates;
  readonly #baseUrl: string;
  /** Who has which soul. */
  readonly souls: RoleSouls;
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
  checkTemplate(field: OwnTemplateField, source: string, identityProfile: IdentityProfile = {}): string | null {
    const sample: DocumentInput = {
      agent: {
        id: '00000000-0000-7000-8000-000000000000',
        kind: 'BOARD_WORKER',
        name: 'Sample',
        sessionKey: 'agent:mc-00000000-0000-7000-8000-000000000000:main',
        workspacePath: '/workspace',
        identityProfile,
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

  /** What the gateway says now; null when it cannot be asked, or does not have the agent. */
  async #observe(agent: AgentWithBoard & { gateway: Gateway }) {
    try {
      const connection = await this.#links.connect(agent.gateway);
      const { openclawAgentId } = agent;
      const job = await findHeartbeatJob(connection, openclawAgentId);
      const seen = await lookAt(connection, openclawAgentId);
      return { seen, capabilities: { files: seen.taken, heartbeatScratch: job !== null } };
    } catch (error) {
      if (error instanceof GatewayError) return null;
      throw error;
    }
  }
}
