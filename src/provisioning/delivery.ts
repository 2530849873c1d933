import { createHash } from 'node:crypto';
import { composeAgentsFile, ownTextLength, type Section } from './agents-file.ts';
import { checkFileBudgets, checkScratchBudget } from './budgets.ts';
import type { DocumentName, RenderedDocument } from './documents.ts';
import { maskTokens } from './tokens.ts';

/**
 * How documents reach an agent's model. Gateways differ in the files that they take: 2026.9 takes six names, shows five
 * of them, and gives the model its heartbeat's instructions by a way of their own.
 */

export type DocumentDelivery = 'FILE' | 'SECTION' | 'HEARTBEAT_SCRATCH' | 'WAKE_MESSAGE';

export interface GatewayCapabilities {
  /** Names that the gateway takes as files of a workspace. */
  readonly files: ReadonlySet<string>;
  /** Whether this agent has a heartbeat job with a scratch on the gateway. */
  readonly heartbeatScratch: boolean;
}

export interface DeliveredDocument extends RenderedDocument {
  readonly delivery: DocumentDelivery;
  /** The file that holds it; null when no file does. */
  readonly file: string | null;
}

export interface WorkspaceFileContent {
  readonly name: string;
  readonly content: string;
  /** The documents that are in it. */
  readonly documents: readonly DocumentName[];
}

export interface Delivery {
  readonly documents: readonly DeliveredDocument[];
  readonly files: readonly WorkspaceFileContent[];
  /** Instructions for the heartbeat job; null when HEARTBEAT.md goes another way. */
  readonly scratch: string | null;
  /** What the agent is woken with. */
  readonly wakeMessage: string;
}

const CARRIER = 'AGENTS.md';

/**
 * @param existingAgentsFile AGENTS.md as it is in the workspace, null when there is none: what the agent wrote into it
 *   is kept and counts towards the budget.
 * @throws BudgetError when the model would not be shown all of it.
 */
export function deliver(
  documents: readonly RenderedDocument[],
  capabilities: GatewayCapabilities,
  existingAgentsFile: string | null = null,
): Delivery {
  const delivered = documents.map((document) => ({ ...document, ...wayOf(document.name, capabilities) }));
  const files = filesOf(delivered, existingAgentsFile);
  checkFileBudgets(files.map((file) => ({ ...file, size: file.content.length })));

  const scratch = delivered.find(({ delivery }) => delivery === 'HEARTBEAT_SCRATCH');
  if (scratch) checkScratchBudget(scratch.name, scratch.content);

  return {
    documents: delivered,
    files: files.map(({ name, content, documents }) => ({ name, content, documents })),
    scratch: scratch?.content ?? null,
    wakeMessage: wakeMessageOf(delivered),
  };
}

/** @throws Error for a gateway that takes neither the document nor AGENTS.md: such an agent cannot be told anything. */
export function wayOf(name: DocumentName, { files, heartbeatScratch }: GatewayCapabilities): Way {
  // A gateway that takes TOOLS.md is an older one, which shows all of its files. The others take BOOTSTRAP.md, too,
  // but delete it at the agent's first turn without having shown it.
  if (name === 'BOOTSTRAP.md' && !files.has('TOOLS.md')) return { delivery: 'WAKE_MESSAGE', file: null };
  if (files.has(name)) return { delivery: 'FILE', file: name };
  if (name === 'BOOTSTRAP.md') return { delivery: 'WAKE_MESSAGE', file: null };
  if (name === 'HEARTBEAT.md' && heartbeatScratch) return { delivery: 'HEARTBEAT_SCRATCH', file: null };
  if (files.has(CARRIER)) return { delivery: 'SECTION', file: CARRIER };
  throw new Error(`The gateway takes neither ${name} nor ${CARRIER}, so its agents cannot be given ${name}.`);
}
export type Way = Pick<DeliveredDocument, 'delivery' | 'file'>;

/** The files to write. AGENTS.md is composed even of one document, for the agent's own text in it. */
function filesOf(documents: readonly DeliveredDocument[], existingAgentsFile: string | null) {
  const whole = documents.filter(({ delivery, file }) => delivery === 'FILE' && file !== CARRIER);
  const files = whole.map(({ name, content }) => ({
    name: name as string,
    content,
    documents: [name],
    parts: [{ name: name as string, size: content.length }],
  }));

  const carried = documents.filter(({ file }) => file === CARRIER);
  if (carried.length === 0) return files;
  // The lead's own AGENTS.md first: it says what the sections after it are for.
  const sections: Section[] = carried.toSorted((a, b) => Number(b.name === CARRIER) - Number(a.name === CARRIER));
  const own = ownTextLength(existingAgentsFile);
  const agentsFile = {
    name: CARRIER,
    content: composeAgentsFile(existingAgentsFile, sections),
    documents: carried.map(({ name }) => name),
    parts: [
      ...sections.map(({ name, content }) => ({ name, size: content.length })),
      ...(own === 0 ? [] : [{ name: "the agent's own text", size: own }]),
    ],
  };
  return [agentsFile, ...files];
}

function wakeMessageOf(documents: readonly DeliveredDocument[]): string {
  const bootstrap = documents.find(({ name }) => name === 'BOOTSTRAP.md');
  if (bootstrap?.delivery === 'WAKE_MESSAGE') return bootstrap.content;
  return 'Read BOOTSTRAP.md in your workspace and do what it says, now.\n';
}

/** A document's own way of changing, as the API shows it before anything is written. */
export type DocumentChange = 'CREATE' | 'UPDATE' | 'UNCHANGED' | 'PRESERVED' | 'SENT';

/** The agent makes these its own, so after the first time they are only written when an operator asks for it. */
const OWNED_BY_AGENT: ReadonlySet<DocumentName> = new Set(['MEMORY.md', 'USER.md']);

/**
 * What is to be done with one document. The comparison is with what was last written and not with what is there: an
 * agent may edit SOUL.md and IDENTITY.md and keeps its edits until their rendering changes.
 *
 * @param known `writtenHash`: documentHash of what was last written or sent, null when nothing was. `missing`: the file or
 *   section is not there now. `overwrite`: it is to be written again whatever it is, for an operator or a new token.
 */
export function changeOf(
  document: DeliveredDocument,
  known: { readonly writtenHash: string | null; readonly missing: boolean; readonly overwrite: boolean },
): DocumentChange {
  if (document.delivery === 'WAKE_MESSAGE') {
    if (known.writtenHash === null) return 'CREATE';
    return known.overwrite ? 'UPDATE' : 'SENT';
  }
  if (known.missing) return 'CREATE';
  if (known.overwrite) return 'UPDATE';
  if (known.writtenHash === documentHash(document.content)) return 'UNCHANGED';
  return OWNED_BY_AGENT.has(document.name) ? 'PRESERVED' : 'UPDATE';
}

/** What of an agent's documents is at its gateway. */
export interface WorkspaceState {
  /** Names of files that are not there. */
  readonly missingFiles: ReadonlySet<string>;
  /** Names of the documents that AGENTS.md has as sections. */
  readonly sections: ReadonlySet<string>;
}

/** Whether a document is not where it is delivered to. What has no file cannot be lost with one. */
export function isMissing(
  { name, delivery, file }: Omit<DeliveredDocument, 'content'>,
  state: WorkspaceState,
): boolean {
  if (file === null) return false;
  return state.missingFiles.has(file) || (delivery === 'SECTION' && !state.sections.has(name));
}

/** The same for a document with its token and with the mask: comparing needs no token, of which only a hash is stored. */
export function documentHash(content: string): string {
  return hashOf(maskTokens(content));
}

/** sha256 in hexadecimal, as the gateway gives for its files. */
export function hashOf(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
