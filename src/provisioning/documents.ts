import { FILE_BUDGET } from './budgets.ts';
import type { AgentKind } from './identity.ts';
import { TemplateError, type Templates, type TemplateVariables } from './liquid.ts';
import { MASKED_AGENT_TOKEN } from './tokens.ts';
import { type DocumentInput, variablesFor } from './variables.ts';

/** What every agent gets. */
const COMMON_DOCUMENTS = [
  'TOOLS.md',
  'IDENTITY.md',
  'SOUL.md',
  'HEARTBEAT.md',
  'BOOTSTRAP.md',
  'MEMORY.md',
  'USER.md',
] as const;
const LEAD_DOCUMENTS = ['AGENTS.md', 'BOARD.md', 'APPROVALS.md'] as const;

export type DocumentName = (typeof COMMON_DOCUMENTS)[number] | (typeof LEAD_DOCUMENTS)[number];

export interface RenderedDocument {
  readonly name: DocumentName;
  readonly content: string;
}

export function documentNamesFor(kind: AgentKind): readonly DocumentName[] {
  return kind === 'BOARD_LEAD' ? [...COMMON_DOCUMENTS, ...LEAD_DOCUMENTS] : COMMON_DOCUMENTS;
}

/**
 * All documents of an agent, complete, with its token in TOOLS.md and nowhere else.
 *
 * @throws TemplateError when the agent's own template or one of the folder's fails.
 */
export function renderDocuments(input: DocumentInput, templates: Templates): RenderedDocument[] {
  const variables = variablesFor(input);
  return documentNamesFor(input.agent.kind).map((name) => {
    const own = ownTemplate(input, name);
    const content = own
      ? templates.renderSource(own.source, own.field, withoutToken(variables))
      : templates.render(templateFor(name, input.agent.kind, templates), variables);
    return { name, content: tidy(content) };
  });
}

export type OwnTemplateField = 'identityTemplate' | 'soulTemplate';

/**
 * Whether a template that someone wants to give an agent works: it is rendered for an agent like that.
 *
 * @returns null when it does; otherwise what its author has to change.
 */
export function checkTemplate(
  source: string,
  field: OwnTemplateField,
  sampleInput: DocumentInput,
  templates: Templates,
): TemplateError | null {
  try {
    const { length } = tidy(templates.renderSource(source, field, withoutToken(variablesFor(sampleInput))));
    if (length <= FILE_BUDGET) return null;
    const message = `The template ${field} makes ${length} characters, and the agent's model is shown ${FILE_BUDGET} at most.`;
    return new TemplateError(message, { template: field });
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
}

function ownTemplate({ agent }: DocumentInput, name: DocumentName): { source: string; field: OwnTemplateField } | null {
  if (name === 'IDENTITY.md' && agent.identityTemplate !== null) {
    return { source: agent.identityTemplate, field: 'identityTemplate' };
  }
  if (name === 'SOUL.md' && agent.soulTemplate !== null) return { source: agent.soulTemplate, field: 'soulTemplate' };
  return null;
}

/** The main agent has a template of its own where its work differs: `main/TOOLS.md` before `TOOLS.md`. */
function templateFor(name: DocumentName, kind: AgentKind, templates: Templates): string {
  const own = `main/${name}`;
  return kind === 'GATEWAY_MAIN' && templates.has(own) ? own : name;
}

/**
 * A template that someone wrote gets the mask instead of the token. It could take the token apart (`| split`), and
 * then no mask would find it where the agent's files are shown.
 */
function withoutToken(variables: TemplateVariables): TemplateVariables {
  return { ...variables, auth_token: MASKED_AGENT_TOKEN };
}

/** One kind of line end, no control characters, one line end at the end. */
function tidy(content: string): string {
  const text = content
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .replace(/^\n+|\s+$/g, '');
  return text === '' ? '' : `${text}\n`;
}
