import { describe, expect, test } from 'vitest';
import { checkTemplate, documentNamesFor, renderDocuments } from '../../src/provisioning/documents.ts';
import type { AgentKind } from '../../src/provisioning/identity.ts';
import { TemplateError } from '../../src/provisioning/liquid.ts';
import { MASKED_AGENT_TOKEN, maskTokens } from '../../src/provisioning/tokens.ts';
import { type DocumentInput, type IdentityProfile, variablesFor } from '../../src/provisioning/variables.ts';
import { builtInTemplates, documentInput, SAMPLE_TOKEN } from '../support/agents.ts';

const KINDS: AgentKind[] = ['BOARD_WORKER', 'BOARD_LEAD', 'GATEWAY_MAIN'];

function rendered(input: DocumentInput): Record<string, string> {
  return Object.fromEntries(renderDocuments(input, builtInTemplates).map(({ name, content }) => [name, content]));
}

/** What the agent's own IDENTITY.md template makes of its input. */
function identity(template: string, change: Parameters<typeof documentInput>[1] = {}): string | undefined {
  return rendered(documentInput('BOARD_WORKER', { ...change, agent: { ...change.agent, identityTemplate: template } }))[
    'IDENTITY.md'
  ];
}

describe('documents', () => {
  test.each([
    ['BOARD_WORKER', []],
    ['BOARD_LEAD', ['AGENTS.md', 'BOARD.md', 'APPROVALS.md']],
    ['GATEWAY_MAIN', []],
  ] as const)('of a %s: seven, and %j', (kind, more) => {
    const seven = ['TOOLS.md', 'IDENTITY.md', 'SOUL.md', 'HEARTBEAT.md', 'BOOTSTRAP.md', 'MEMORY.md', 'USER.md'];
    const documents = renderDocuments(documentInput(kind), builtInTemplates);
    expect(documents.map(({ name }) => name)).toEqual([...seven, ...more]);
    expect(documentNamesFor(kind)).toEqual([...seven, ...more]);
    for (const { content } of documents) {
      expect(content).toMatch(/^# .*\n[\s\S]*[^\n]\n$/);
      expect(content).not.toMatch(/\n{3}|\{\{|\{%|undefined/);
    }
  });

  test.each(KINDS)(
    'of a %s: TOOLS.md begins with the URL and the token, and no other document has the token',
    (kind) => {
      const { 'TOOLS.md': tools, ...others } = rendered(documentInput(kind));
      const block = `\`\`\`sh\nMISSION_CONTROL_URL=http://localhost:8000\nMISSION_CONTROL_TOKEN=${SAMPLE_TOKEN}\n\`\`\`\n`;
      expect(tools?.startsWith(`# Tools\n\n${block}`)).toBe(true);
      expect(tools).toContain('agent id a9e47');
      expect(Object.values(others).join()).not.toContain('mca_');
    },
  );

  test.each(KINDS)('of a %s, rendered with the mask, are what masking makes of them', (kind) => {
    const masked = rendered(documentInput(kind, { authToken: MASKED_AGENT_TOKEN }));
    const shown = Object.entries(rendered(documentInput(kind))).map(([name, text]) => [name, maskTokens(text)]);
    expect(masked).toEqual(Object.fromEntries(shown));
  });

  test('of the main agent speak of its gateway, not of a board', () => {
    const main = rendered(documentInput('GATEWAY_MAIN'));
    expect(main['TOOLS.md']).toContain('Message a lead');
    expect(main['BOOTSTRAP.md']).toContain('the main agent of this gateway');
    expect(main['HEARTBEAT.md']).toContain("List your gateway's agents");
    expect(main['TOOLS.md']).not.toContain('Finish a task');
  });

  test('of a worker have none of the calls that are for leads', () => {
    expect(rendered(documentInput('BOARD_WORKER'))['TOOLS.md']).not.toMatch(/createAgent|createTask|sendAgentMessage/);
    expect(rendered(documentInput('BOARD_LEAD'))['TOOLS.md']).toMatch(
      /createAgent[\s\S]*createTask[\s\S]*sendAgentMessage/,
    );
  });

  test('IDENTITY.md has the lines that OpenClaw reads name and emoji from', () => {
    const profile = {
      emoji: '🦊',
      extra: { Pronouns: 'she', name: 'Eve', emoji: '😈', 'favourite-colour': ['red', 'blue'] },
    };
    expect(rendered(documentInput('BOARD_WORKER', { profile }))['IDENTITY.md']).toBe(`# Identity

- **Name:** Fox
- **Emoji:** 🦊
- **Role:** Generalist
- **Board:** Docs
- **Communication style:** direct, concise, practical
- Pronouns: she
- Favourite colour: red, blue
`);
  });

  test('a template of its own replaces IDENTITY.md and SOUL.md', () => {
    const agent = {
      identityTemplate: 'I am {{ agent_name }}\r\n\u0007',
      soulTemplate: '{% if is_board_lead %}no{% endif %}',
    };
    const documents = rendered(documentInput('BOARD_WORKER', { agent }));
    expect(documents['IDENTITY.md']).toBe('I am Fox\n');
    expect(documents['SOUL.md']).toBe('');
  });

  test('a template that fails to render is an error that names the field', () => {
    const input = documentInput('BOARD_WORKER', { agent: { soulTemplate: 'x\n{{ soul }}' } });
    expect(() => renderDocuments(input, builtInTemplates)).toThrow(
      'Line 2 of the template soulTemplate uses the unknown variable soul.',
    );
  });
});

describe('variables', () => {
  test('are these', () => {
    const profile = {
      role: 'Engineer',
      expertise: ['TypeScript', 'SQL'],
      tone: 'calm',
      communicationStyle: 'brief',
      constraints: ['no deploys on Friday', 'ask first'],
      workingHours: '9–17 UTC',
      emoji: '🛠',
    };
    expect(variablesFor(documentInput('BOARD_LEAD', { profile }))).toEqual({
      agent_name: 'Fox',
      agent_id: 'a9e47',
      board_id: 'b0a7d',
      board_name: 'Docs',
      board_type: 'goal',
      board_objective: 'Describe everything',
      is_board_lead: true,
      session_key: 'agent:mc-a9e47:main',
      workspace_path: '~/.openclaw/workspace-mc-a9e47',
      base_url: 'http://localhost:8000',
      auth_token: SAMPLE_TOKEN,
      role_soul: null,
      role_soul_url: null,
      identity_role: 'Engineer',
      identity_expertise: 'TypeScript, SQL',
      identity_tone: 'calm',
      identity_communication_style: 'brief',
      identity_constraints: 'no deploys on Friday, ask first',
      identity_working_hours: '9–17 UTC',
      identity_emoji: '🛠',
      identity_extra: [],
    });
  });

  test.each<[what: string, template: string, text: string, profile: IdentityProfile]>([
    ['no role', '{{ identity_role }}', 'Generalist', {}],
    ['a blank role', '{{ identity_role }}', 'Generalist', { role: ' \n' }],
    ['no style', '{{ identity_communication_style }}', 'direct, concise, practical', { communicationStyle: null }],
    ['no list', '{{ identity_expertise }}{% if identity_expertise %}x{% endif %}', '', { expertise: [] }],
    ['blank items', '{{ identity_expertise }}', 'a, b', { expertise: ['a', ' ', 'b'] }],
    ['blank texts', '{% if identity_tone %}x{% endif %}{{ identity_tone | default: "none" }}', 'none', { tone: '' }],
    ['a further field', '{{ identity_update_cadence }}', 'daily', { extra: { update_cadence: 'daily' } }],
    ['an odd name', '{{ identity_caf__au_lait }}', 'true', { extra: { 'Café au-lait': true } }],
    ['a number', '{{ identity_level }}', '3', { extra: { level: 3 } }],
    ['a list', '{{ identity_langs }}', 'en, de, 3', { extra: { langs: ['en', 'de', null, 3] } }],
    ['an object', '{{ identity_deep }}', '{"a":{"b":1}}', { extra: { deep: { a: { b: 1 } } } }],
    ['a null', '[{{ identity_gone }}]', '[]', { extra: { gone: null } }],
    ['a fixed name', '{{ identity_role }}', 'Engineer', { role: 'Engineer', extra: { role: 'King', ROLE: 'Queen' } }],
    ['a fixed name of a blank', '[{{ identity_tone }}]', '[]', { extra: { tone: 'rude' } }],
    ['two of one name', '{{ identity_a_b }}', '1', { extra: { 'a b': 1, 'a-b': 2 } }],
    ['__proto__', '{{ identity___proto__ }}', 'x', { extra: JSON.parse('{"__proto__":"x"}') }],
  ])('%s: %s', (_what, template, text, profile) => {
    expect(identity(template, { profile })).toBe(text === '' ? '' : `${text}\n`);
  });

  test.each(KINDS)('of a %s are all there, also the blank ones', (kind) => {
    const all = Object.keys(variablesFor(documentInput('BOARD_LEAD')));
    const agent = { soulTemplate: all.map((name) => `{{ ${name} }}{% if ${name} %}{% endif %}`).join('\n') };
    expect(() => rendered(documentInput(kind, { agent }))).not.toThrow();
  });

  test('show a template of their own the mask instead of the token, which it could take apart', () => {
    const own = identity('{{ auth_token | split: "" | join: " " }}');
    expect(own).toBe(`${[...MASKED_AGENT_TOKEN].join(' ')}\n`);
  });

  test.each([
    ['baseUrl', { baseUrl: 'http://localhost:8000;reboot' }],
    ['baseUrl', { baseUrl: 'http://localhost/$(reboot)' }],
    ['authToken', { authToken: "mca_x'y" }],
  ])('for a shell are refused when they could leave it: %s', (what, change) => {
    const input = { ...documentInput('BOARD_WORKER'), ...change };
    expect(() => variablesFor(input)).toThrow(`${what} has characters that a shell would take for its own`);
  });
});

describe('checkTemplate', () => {
  const check = (source: string) =>
    checkTemplate(source, 'identityTemplate', documentInput('BOARD_WORKER'), builtInTemplates);

  test('accepts a template that renders', () => {
    expect(check('# {{ agent_name }}\n{{ identity_role | upcase }}')).toBeNull();
  });

  test.each([
    ['{{ agent_nam }}', 1, 'agent_nam', 'Line 1 of the template identityTemplate uses the unknown variable agent_nam.'],
    ['\n{% if x %}', 2, null, 'Line 2 of the template identityTemplate has a tag that is never closed: {% if x %}.'],
    [
      '{% for i in (1..30000) %}x{% endfor %}',
      null,
      null,
      "The template identityTemplate makes 30001 characters, and the agent's model is shown 20000 at most.",
    ],
  ])('%s', (source, line, variable, message) => {
    expect(check(source)).toBeInstanceOf(TemplateError);
    expect(check(source)).toMatchObject({ template: 'identityTemplate', line, variable, message });
  });
});
