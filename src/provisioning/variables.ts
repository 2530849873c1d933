import type { AgentKind } from './identity.ts';
import type { TemplateVariables } from './liquid.ts';
import { plainText } from './plain-text.ts';
import { SHELL_WORD } from './shell-word.ts';
import { fenced, type RoleSoul } from './souls/text.ts';

export interface IdentityProfile {
  readonly role?: string | null | undefined;
  readonly expertise?: readonly string[] | null | undefined;
  readonly tone?: string | null | undefined;
  readonly communicationStyle?: string | null | undefined;
  readonly constraints?: readonly string[] | null | undefined;
  readonly workingHours?: string | null | undefined;
  readonly emoji?: string | null | undefined;
  /** Any further fields, as JSON. */
  readonly extra?: Readonly<Record<string, unknown>> | null | undefined;
}

/** An agent as its documents describe it. */
export interface DocumentInput {
  readonly agent: {
    readonly id: string;
    readonly kind: AgentKind;
    readonly name: string;
    readonly sessionKey: string;
    readonly workspacePath: string;
    readonly identityProfile: IdentityProfile;
    /** Liquid that replaces the built-in IDENTITY.md. */
    readonly identityTemplate: string | null;
    /** Liquid that replaces the built-in SOUL.md. */
    readonly soulTemplate: string | null;
  };
  /** Null for a gateway's main agent. */
  readonly board: {
    readonly id: string;
    readonly name: string;
    readonly boardType: string;
    readonly objective: string | null;
  } | null;
  /** The soul of the agent's role; null for the built-in one. */
  readonly roleSoul: RoleSoul | null;
  /** Where the agent reaches this server, without `/graphql`. */
  readonly baseUrl: string;
  /** The token itself, or MASKED_AGENT_TOKEN where the documents are only looked at. */
  readonly authToken: string;
}

export const DEFAULT_ROLE = 'Generalist';
export const DEFAULT_COMMUNICATION_STYLE = 'direct, concise, practical';

/**
 * The variables of every template. All of them are always there, blank ones as null: strict Liquid refuses a missing
 * variable even before `| default`, and takes an empty text for true.
 *
 * @throws TypeError for an id, URL or token that could not stand unquoted in a shell command. Such a value is ours,
 * never a user's text, so it is a bug or a wrong setting.
 */
export function variablesFor(input: DocumentInput): TemplateVariables {
  const { agent, board, roleSoul } = input;
  const profile = agent.identityProfile;
  const extra = extraFields(profile.extra ?? {});

  const fixed = {
    agent_name: text(agent.name),
    agent_id: shellWord('agent.id', agent.id),
    board_id: board && shellWord('board.id', board.id),
    board_name: text(board?.name),
    board_type: text(board?.boardType),
    board_objective: text(board?.objective),
    is_board_lead: agent.kind === 'BOARD_LEAD',
    session_key: shellWord('agent.sessionKey', agent.sessionKey),
    workspace_path: text(agent.workspacePath),
    base_url: shellWord('baseUrl', input.baseUrl.replace(/\/+$/, '')),
    auth_token: shellWord('authToken', input.authToken),
    role_soul: roleSoul && fenced(roleSoul.text),
    role_soul_url: text(roleSoul?.url),
    identity_role: text(profile.role) ?? DEFAULT_ROLE,
    identity_expertise: list(profile.expertise),
    identity_tone: text(profile.tone),
    identity_communication_style: text(profile.communicationStyle) ?? DEFAULT_COMMUNICATION_STYLE,
    identity_constraints: list(profile.constraints),
    identity_working_hours: text(profile.workingHours),
    identity_emoji: text(profile.emoji),
    identity_extra: extra
      .filter(({ name, value }) => value !== '' && !SHOWN_ALREADY.has(name))
      .map(({ label, value }) => `${label}: ${value}`),
  };
  const extraVariables = Object.fromEntries(extra.map(({ name, value }) => [`identity_${name}`, value]));
  return { ...extraVariables, ...fixed };
}

/** Lines of IDENTITY.md that a further field must not repeat: OpenClaw takes the last `Name:` and `Emoji:` that it finds. */
const SHOWN_ALREADY = new Set([
  ...['name', 'role', 'expertise', 'tone', 'communication_style', 'constraints', 'working_hours', 'emoji', 'extra'],
]);

interface ExtraField {
  /** Of lower-case letters, digits and underscores. */
  name: string;
  /** The name, to be read by a person: "Favourite colour". */
  label: string;
  value: string;
}

/** Of two fields whose names come out the same, the first counts. */
function extraFields(extra: Readonly<Record<string, unknown>>): ExtraField[] {
  const fields = new Map<string, ExtraField>();
  for (const [key, value] of Object.entries(extra)) {
    const name = key.toLowerCase().replace(/[^a-z0-9_]/g, '_');
    const words = name.replaceAll('_', ' ').trim();
    if (words === '' || fields.has(name)) continue;
    fields.set(name, { name, label: words.charAt(0).toUpperCase() + words.slice(1), value: extraText(value) ?? '' });
  }
  return [...fields.values()];
}

function extraText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return list(value.map((item) => extraText(item) ?? ''));
  return text(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

function text(value: string | null | undefined): string | null {
  return plainText(value ?? '') || null;
}

function list(values: readonly string[] | null | undefined): string | null {
  const items = (values ?? []).map((value) => plainText(value)).filter((item) => item !== '');
  return items.join(', ') || null;
}

function shellWord(what: string, value: string): string {
  if (!SHELL_WORD.test(value)) throw new TypeError(`${what} has characters that a shell would take for its own`);
  return value;
}
