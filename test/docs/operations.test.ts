import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { GATEWAY_TOKEN } from '../../src/cli/gateway-check.ts';
import { createProgram } from '../../src/cli/program.ts';
import { OPERATOR_TOKEN } from '../../src/cli/watch.ts';
import { SETTING_NAMES } from '../../src/config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const PAGES = [...globSync('docs/*.md', { cwd: ROOT }), 'README.md', 'CHANGELOG.md'].sort();
const OPERATIONS = read('docs/operations.md');
const program = createProgram();

/** All that a page shows as code: spans, and the lines of blocks. */
function codeOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```\w*.*\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
  const spans = [...page.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
  return [...blocks.flatMap((text) => text.split('\n')), ...spans];
}

/** The words after mission-control of every call of it. An image may have its name. */
function callsIn(page: string): string[][] {
  return codeOf(page).flatMap((code) => {
    if (/^\s*docker\b/.test(code)) return [];
    const [, rest] = /(?:^|\s)mission-control(?=\s|$)(.*)$/.exec(code) ?? [];
    return rest === undefined ? [] : [rest.match(/"[^"]*"|\S+/g) ?? []];
  });
}

/** What is wrong with a call; null when the command line knows it. */
function problemOf(words: string[]): string | null {
  let command = program;
  let values = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '…') continue;
    if (word.startsWith('-')) {
      if (word === '--help') continue;
      const option = command.options.find(({ long, short }) => long === word || short === word);
      if (!option) return `${nameOf(command)} has no ${word}`;
      if (option.required) index++;
      continue;
    }
    const inner: Command | undefined = command.commands.find((one) => one.name() === word);
    if (inner) command = inner;
    else if (++values > command.registeredArguments.length) return `${nameOf(command)} has no ${word}`;
  }
  const needed = command.registeredArguments.filter(({ required }) => required).length;
  const isWhole = words.includes('--help') || words.includes('…') || command.parent === null;
  return values < needed && !isWhole ? `${nameOf(command)} wants more than ${words.join(' ')}` : null;
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

describe('the pages', () => {
  it.each(PAGES)('%s shows only commands and options that there are', (page) => {
    const problems = callsIn(read(page)).map((words) => problemOf(words));
    expect(problems.filter((problem) => problem !== null)).toEqual([]);
  });

  it('have every command', () => {
    const shown = callsIn(OPERATIONS).map((words) => `mission-control ${words.join(' ')}`);
    for (const command of leavesOf(program)) expect(shown.some((call) => call.startsWith(nameOf(command)))).toBe(true);
  });

  it.each(['docs/operations.md', 'docs/upgrading.md'])('%s names only settings that there are', (page) => {
    const named = codeOf(read(page)).flatMap((code) => [
      ...[...code.matchAll(/\b([A-Z][A-Z0-9_]+)=/g)].map(([, name]) => name),
      ...(/^[A-Z]+_[A-Z_]+$/.test(code) ? [code] : []),
    ]);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect([...SETTING_NAMES, GATEWAY_TOKEN, OPERATOR_TOKEN]).toContain(name);
  });

  it('have every setting, in the table of the README', () => {
    const rows = read('README.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    for (const name of SETTING_NAMES)
      expect(
        rows.some((row) => row.includes(`\`${name}\``)),
        name,
      ).toBe(true);
  });
});

describe('a command', () => {
  it.each(leavesOf(program).map((command) => [nameOf(command), command] as const))(
    '%s has help with examples that it takes',
    (name, command) => {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      const [, examples = ''] = help.split('\nExamples:\n');
      expect(examples, name).toContain(name);
      expect(callsIn(`\`\`\`sh\n${examples.replaceAll(/^ +/gm, '')}\n\`\`\`\n`).map(problemOf)).not.toContainEqual(
        expect.any(String),
      );
    },
  );

  it.each([
    [['token', 'drop'], 'mission-control token has no drop'],
    [['backup', 'a', 'b'], 'mission-control backup has no b'],
    [['migrate', '--state'], 'mission-control migrate has no --state'],
    [['restore'], 'mission-control restore wants more than restore'],
    [['token', 'create', '--name', '--status'], null],
  ])('is known to these tests: %j', (words, problem) => {
    expect(problemOf(words)).toBe(problem);
  });
});
