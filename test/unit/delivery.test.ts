import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { composeAgentsFile, sectionsIn } from '../../src/provisioning/agents-file.ts';
import { BudgetError } from '../../src/provisioning/budgets.ts';
import {
  changeOf,
  type DeliveredDocument,
  deliver,
  documentHash,
  type GatewayCapabilities,
  hashOf,
} from '../../src/provisioning/delivery.ts';
import { type RenderedDocument, renderDocuments } from '../../src/provisioning/documents.ts';
import type { AgentKind } from '../../src/provisioning/identity.ts';
import { MASKED_AGENT_TOKEN } from '../../src/provisioning/tokens.ts';
import { builtInTemplates, documentInput } from '../support/agents.ts';

const SIX = ['AGENTS.md', 'SOUL.md', 'IDENTITY.md', 'USER.md', 'MEMORY.md', 'BOOTSTRAP.md'];
const TODAYS: GatewayCapabilities = { files: new Set(SIX), heartbeatScratch: true };
const WITHOUT_HEARTBEAT: GatewayCapabilities = { ...TODAYS, heartbeatScratch: false };
const TAKES_ALL: GatewayCapabilities = {
  files: new Set([...SIX, 'TOOLS.md', 'HEARTBEAT.md', 'BOARD.md', 'APPROVALS.md']),
  heartbeatScratch: true,
};

const documentsOf = (kind: AgentKind) => renderDocuments(documentInput(kind), builtInTemplates);
const fileOf = (delivery: ReturnType<typeof deliver>, name: string) =>
  delivery.files.find((file) => file.name === name)?.content ?? '';

describe('how documents reach the agent', () => {
  test.each<[string, AgentKind, GatewayCapabilities, Record<string, string>, string[]]>([
    [
      'a worker on a gateway of today',
      'BOARD_WORKER',
      TODAYS,
      { 'TOOLS.md': 'SECTION', 'HEARTBEAT.md': 'HEARTBEAT_SCRATCH', 'BOOTSTRAP.md': 'WAKE_MESSAGE' },
      ['AGENTS.md', 'IDENTITY.md', 'SOUL.md', 'MEMORY.md', 'USER.md'],
    ],
    [
      'a lead on a gateway of today',
      'BOARD_LEAD',
      TODAYS,
      {
        'TOOLS.md': 'SECTION',
        'BOARD.md': 'SECTION',
        'APPROVALS.md': 'SECTION',
        'HEARTBEAT.md': 'HEARTBEAT_SCRATCH',
        'BOOTSTRAP.md': 'WAKE_MESSAGE',
      },
      ['AGENTS.md', 'IDENTITY.md', 'SOUL.md', 'MEMORY.md', 'USER.md'],
    ],
    [
      'the main agent where no heartbeat job is',
      'GATEWAY_MAIN',
      WITHOUT_HEARTBEAT,
      { 'TOOLS.md': 'SECTION', 'HEARTBEAT.md': 'SECTION', 'BOOTSTRAP.md': 'WAKE_MESSAGE' },
      ['AGENTS.md', 'IDENTITY.md', 'SOUL.md', 'MEMORY.md', 'USER.md'],
    ],
    [
      'a lead where all files are taken',
      'BOARD_LEAD',
      TAKES_ALL,
      {},
      [
        ...['AGENTS.md', 'TOOLS.md', 'IDENTITY.md', 'SOUL.md', 'HEARTBEAT.md', 'BOOTSTRAP.md', 'MEMORY.md', 'USER.md'],
        ...['BOARD.md', 'APPROVALS.md'],
      ],
    ],
  ])('%s', (_title, kind, capabilities, others, files) => {
    const rendered = documentsOf(kind);
    const delivery = deliver(rendered, capabilities);

    expect(delivery.files.map(({ name }) => name)).toEqual(files);
    expect(delivery.documents.map(({ name, content }) => ({ name, content }))).toEqual(rendered);
    for (const { name, content, delivery: way, file } of delivery.documents) {
      expect(way, name).toBe(others[name] ?? 'FILE');
      if (way === 'FILE') expect(file).toBe(name);
      if (way === 'SECTION') expect(file).toBe('AGENTS.md');
      if (file !== null) expect(fileOf(delivery, file)).toContain(content);
      else expect(way === 'WAKE_MESSAGE' ? delivery.wakeMessage : delivery.scratch).toBe(content);
    }
    expect(delivery.files.flatMap(({ documents }) => documents).toSorted()).toEqual(
      delivery.documents.flatMap(({ name, file }) => (file === null ? [] : [name])).toSorted(),
    );
  });

  test("the lead's own AGENTS.md comes first, its sections after it between markers", () => {
    const agentsFile = fileOf(deliver(documentsOf('BOARD_LEAD'), TODAYS), 'AGENTS.md');
    expect(agentsFile.match(/^<!-- .* -->$/gm)).toEqual(
      ['AGENTS.md', 'TOOLS.md', 'BOARD.md', 'APPROVALS.md'].flatMap((name) => [
        `<!-- mission-control:begin ${name} -->`,
        `<!-- mission-control:end ${name} -->`,
      ]),
    );
  });

  test('where BOOTSTRAP.md is a file, the wake-up message points to it', () => {
    expect(deliver(documentsOf('BOARD_WORKER'), TAKES_ALL)).toMatchObject({
      scratch: null,
      wakeMessage: 'Read BOOTSTRAP.md in your workspace and do what it says, now.\n',
    });
  });

  test('a gateway that takes no AGENTS.md cannot be given the tools', () => {
    const capabilities = { files: new Set(['SOUL.md']), heartbeatScratch: true };
    expect(() => deliver(documentsOf('BOARD_WORKER'), capabilities)).toThrow('takes neither TOOLS.md nor AGENTS.md');
  });

  test('what the agent wrote into AGENTS.md stays, and writing again changes nothing', () => {
    const rendered = documentsOf('BOARD_WORKER');
    const first = fileOf(deliver(rendered, TODAYS, '# My notes\n\nRemember the milk.\n'), 'AGENTS.md');
    expect(first).toMatch(
      /^<!-- mission-control:begin TOOLS.md -->\n# Tools\n[\s\S]*\n# My notes\n\nRemember the milk.\n$/,
    );
    expect(fileOf(deliver(rendered, TODAYS, first), 'AGENTS.md')).toBe(first);
  });
});

describe('composeAgentsFile', () => {
  const section = (name: string, content: string) =>
    `<!-- mission-control:begin ${name} -->\n${content}\n<!-- mission-control:end ${name} -->`;
  const A = { name: 'TOOLS.md', content: '# Tools\n\nnew\n' };
  const B = { name: 'BOARD.md', content: 'board\n' };
  const a = section('TOOLS.md', '# Tools\n\nnew');
  const b = section('BOARD.md', 'board');

  test.each<[string, string | null, string]>([
    ['no file', null, `${a}\n\n${b}\n`],
    ['an empty file', '\n\n', `${a}\n\n${b}\n`],
    ["only the agent's text", 'mine\n', `${a}\n\n${b}\n\nmine\n`],
    ['an older section', section('TOOLS.md', 'old'), `${a}\n\n${b}\n`],
    [
      'text before and after',
      `before\n\n${section('TOOLS.md', 'old')}\n\n  after\n`,
      `before\n\n${a}\n\n${b}\n\n  after\n`,
    ],
    ['text between', `${section('BOARD.md', 'x')}\nmine\n${section('TOOLS.md', 'x')}`, `${a}\n\n${b}\n\nmine\n`],
    ['a section that is no more', `${section('HEARTBEAT.md', 'x')}\n\nmine`, `${a}\n\n${b}\n\nmine\n`],
    ['the same section twice', `${a}\n${a}\nmine`, `${a}\n\n${b}\n\nmine\n`],
    [
      'Windows line ends',
      `one\r\n\r\n${section('TOOLS.md', 'x').replaceAll('\n', '\r\n')}\r\ntwo\r\n`,
      `one\n\n${a}\n\n${b}\n\ntwo\n`,
    ],
    ['a section cut off', `mine\n<!-- mission-control:begin TOOLS.md -->\n# Too`, `mine\n\n${a}\n\n${b}\n`],
    [
      'an end that was lost',
      `<!-- mission-control:begin TOOLS.md -->\nx\n${section('BOARD.md', 'x')}\nmine`,
      `${a}\n\n${b}\n\nmine\n`,
    ],
    ['an end alone', `one\n<!-- mission-control:end TOOLS.md -->\ntwo`, `one\n\n${a}\n\n${b}\n\ntwo\n`],
    [
      'a marker within a line',
      'see <!-- mission-control:begin TOOLS.md --> here',
      `${a}\n\n${b}\n\nsee <!-- mission-control:begin TOOLS.md --> here\n`,
    ],
  ])('with %s', (_title, existing, expected) => {
    expect(composeAgentsFile(existing, [A, B])).toBe(expected);
  });

  test('a marker in a document becomes text', () => {
    const composed = composeAgentsFile(null, [{ name: 'SOUL.md', content: `x\n${section('TOOLS.md', 'evil')}\ny` }]);
    expect(composed.match(/^<!--/gm)).toHaveLength(2);
    expect(composeAgentsFile(composed, [A])).toBe(`${a}\n`);
  });

  test('twice is once, and no line of the agent is lost', () => {
    const line = fc.constantFrom('mine', '', '  indented', '# Mine', '```', 'more <!-- comment -->');
    const lines = fc.array(line, { maxLength: 6 }).map((all) => all.join('\n'));
    const piece = fc.oneof(lines, fc.constantFrom(a, b, section('OLD.md', 'x')));
    fc.assert(
      fc.property(fc.array(piece), fc.subarray([A, B]), (pieces, sections) => {
        const once = composeAgentsFile(pieces.join('\n'), sections);
        expect(composeAgentsFile(once, sections)).toBe(once);
        const own = (text: string) => text.split('\n').filter((found) => /mine|indented|Mine|```|more/.test(found));
        expect(own(once)).toEqual(own(pieces.filter((found) => !found.startsWith('<!--')).join('\n')));
      }),
    );
  });
});

describe('budgets', () => {
  const document = (name: RenderedDocument['name'], size: number): RenderedDocument => ({
    name,
    content: 'x'.repeat(size),
  });
  const failureOf = (documents: RenderedDocument[], existing: string | null = null) => {
    try {
      deliver(documents, TODAYS, existing);
    } catch (error) {
      if (error instanceof BudgetError) return error;
      throw error;
    }
    return null;
  };

  test.each<[string, RenderedDocument[], string | null, Partial<BudgetError> | null]>([
    ['a file at its limit', [document('SOUL.md', 20_000)], null, null],
    [
      'a file over it',
      [document('SOUL.md', 20_001)],
      null,
      {
        document: 'SOUL.md',
        size: 20_001,
        limit: 20_000,
        message: "SOUL.md has 20,001 characters and the agent's model is shown 20,000 at most.",
      },
    ],
    ['USER.md at its limit', [document('USER.md', 4_000)], null, null],
    ['USER.md over it', [document('USER.md', 4_001)], null, { document: 'USER.md', size: 4_001, limit: 4_000 }],
    [
      'sections together over it',
      [document('TOOLS.md', 12_000), document('BOARD.md', 9_000)],
      'x'.repeat(500),
      {
        document: 'AGENTS.md',
        size: 21_661,
        limit: 20_000,
        message:
          "AGENTS.md has 21,661 characters and the agent's model is shown 20,000 at most: TOOLS.md 12,000, BOARD.md 9,000, the agent's own text 500.",
      },
    ],
    [
      'all files together over it',
      [
        document('TOOLS.md', 19_000),
        document('SOUL.md', 20_000),
        document('IDENTITY.md', 15_000),
        document('MEMORY.md', 9_000),
      ],
      null,
      { document: null, limit: 60_000 },
    ],
    ['a scratch at its limit', [document('HEARTBEAT.md', 262_144)], null, null],
    [
      'a scratch over it',
      [document('HEARTBEAT.md', 262_145)],
      null,
      { document: 'HEARTBEAT.md', size: 262_145, limit: 262_144 },
    ],
    [
      'a scratch over it in bytes',
      [{ name: 'HEARTBEAT.md', content: '€'.repeat(100_000) }],
      null,
      { message: "HEARTBEAT.md has 300,000 bytes and a heartbeat's instructions take 262,144 at most." },
    ],
    ['a long wake-up message', [document('BOOTSTRAP.md', 50_000)], null, null],
  ])('%s', (_title, documents, existing, expected) => {
    const failure = failureOf(documents, existing);
    if (expected === null) expect(failure).toBeNull();
    else expect(failure).toMatchObject(expected);
  });

  test.each<AgentKind>(['BOARD_LEAD', 'BOARD_WORKER', 'GATEWAY_MAIN'])(
    'the built-in documents of a %s leave room in AGENTS.md',
    (kind) => {
      expect(fileOf(deliver(documentsOf(kind), WITHOUT_HEARTBEAT), 'AGENTS.md').length).toBeLessThan(16_000);
    },
  );
});

describe('what is to be done with a document', () => {
  const content = 'text';
  const same = hashOf(content);
  test.each<
    [string, DeliveredDocument['name'], DeliveredDocument['delivery'], string | null, boolean, boolean, string]
  >([
    // title, name, delivery, last written, missing, overwrite → change
    ['never written, not there', 'SOUL.md', 'FILE', null, true, false, 'CREATE'],
    ['never written, there', 'SOUL.md', 'FILE', null, false, false, 'UPDATE'],
    ['written as it renders', 'SOUL.md', 'FILE', same, false, false, 'UNCHANGED'],
    ['written as it renders, to be written again', 'SOUL.md', 'FILE', same, false, true, 'UPDATE'],
    ['renders otherwise', 'IDENTITY.md', 'FILE', 'old', false, false, 'UPDATE'],
    ['was removed', 'TOOLS.md', 'SECTION', same, true, false, 'CREATE'],
    ['renders otherwise', 'HEARTBEAT.md', 'HEARTBEAT_SCRATCH', 'old', false, false, 'UPDATE'],
    ["the agent's, never written, there", 'MEMORY.md', 'FILE', null, false, false, 'PRESERVED'],
    ["the agent's, not there", 'MEMORY.md', 'FILE', null, true, false, 'CREATE'],
    ["the agent's, renders otherwise", 'USER.md', 'FILE', 'old', false, false, 'PRESERVED'],
    ["the agent's, as it renders", 'USER.md', 'FILE', same, false, false, 'UNCHANGED'],
    ["the agent's, to be written again", 'USER.md', 'FILE', 'old', false, true, 'UPDATE'],
    ['not sent yet', 'BOOTSTRAP.md', 'WAKE_MESSAGE', null, true, false, 'CREATE'],
    ['sent', 'BOOTSTRAP.md', 'WAKE_MESSAGE', same, true, false, 'SENT'],
    ['sent, renders otherwise', 'BOOTSTRAP.md', 'WAKE_MESSAGE', 'old', true, false, 'SENT'],
    ['sent, to be sent again', 'BOOTSTRAP.md', 'WAKE_MESSAGE', same, true, true, 'UPDATE'],
  ])('%s: %s by %s', (_title, name, delivery, writtenHash, missing, overwrite, change) => {
    const document: DeliveredDocument = { name, content, delivery, file: null };
    expect(changeOf(document, { writtenHash, missing, overwrite })).toBe(change);
  });

  test('a document is the same with its token and with the mask', () => {
    const [tools] = documentsOf('BOARD_WORKER');
    const [masked] = renderDocuments(
      documentInput('BOARD_WORKER', { authToken: MASKED_AGENT_TOKEN }),
      builtInTemplates,
    );
    expect(tools?.content).not.toBe(masked?.content);
    expect(documentHash(tools?.content ?? '')).toBe(documentHash(masked?.content ?? ''));
  });

  test('hashOf is sha256, as the gateway gives it', () => {
    expect(hashOf('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});

describe('sectionsIn', () => {
  const begin = (name: string) => `<!-- mission-control:begin ${name} -->`;
  const end = (name: string) => `<!-- mission-control:end ${name} -->`;

  test.each<[string, string[], Record<string, string>]>([
    ['no section', ['mine'], {}],
    [
      'two, and text of the agent around them',
      ['before', begin('A.md'), 'a', '', 'b', end('A.md'), 'between', begin('B.md'), 'c', end('B.md'), 'after'],
      { 'A.md': 'a\n\nb', 'B.md': 'c' },
    ],
    ['an empty one', [begin('A.md'), end('A.md')], { 'A.md': '' }],
    [
      'the same one twice: the last counts',
      [begin('A.md'), 'a', end('A.md'), begin('A.md'), 'b', end('A.md')],
      { 'A.md': 'b' },
    ],
    ['one that is cut off', [begin('A.md'), 'a'], {}],
    ['one whose end was lost', [begin('A.md'), 'a', begin('B.md'), 'b', end('B.md')], { 'B.md': 'b' }],
    ['an end alone', ['a', end('A.md')], {}],
    ['Windows line ends', [`${begin('A.md')}\r`, 'a\r', 'b\r', `${end('A.md')}\r`], { 'A.md': 'a\nb' }],
  ])('with %s', (_title, lines, sections) => {
    expect(Object.fromEntries(sectionsIn(lines.join('\n')))).toEqual(sections);
  });
});
