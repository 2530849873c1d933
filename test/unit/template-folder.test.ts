import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTemplates } from '../../src/provisioning/template-folder.ts';

const BUILT_IN = fileURLToPath(new URL('../../templates', import.meta.url));

describe('the template folder', () => {
  let root: string;
  let folder: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'templates-'));
    folder = join(root, 'templates');
    cpSync(BUILT_IN, folder, { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('may be changed by an operator, and have partials', () => {
    mkdirSync(join(folder, 'parts'));
    writeFileSync(join(folder, 'parts/hi.liquid'), 'Hi {{ name }}.');
    writeFileSync(join(folder, 'USER.md.liquid'), "{% render 'parts/hi', name: agent_name %}");
    expect(readTemplates(folder).render('USER.md', { agent_name: 'Fox' })).toBe('Hi Fox.');
  });

  test('is read at the start and not again', () => {
    const templates = readTemplates(folder);
    writeFileSync(join(folder, 'USER.md.liquid'), 'changed');
    expect(templates.render('USER.md', {})).not.toBe('changed');
  });

  test.skipIf(process.platform === 'win32')('may have links that stay in it, and none that leave it', () => {
    writeFileSync(join(root, 'outside.liquid'), 'secret');
    mkdirSync(join(folder, '..data'));
    writeFileSync(join(folder, '..data/inside.liquid'), 'mounted');
    symlinkSync('../outside.liquid', join(folder, 'leaving.liquid'));
    symlinkSync('..data/inside.liquid', join(folder, 'staying.liquid'));
    const templates = readTemplates(folder);
    expect(templates.render('staying', {})).toBe('mounted');
    expect(templates.has('leaving')).toBe(false);
    expect(templates.has('..data/inside')).toBe(false);
  });

  test('without one of the documents stops the start with its name', () => {
    rmSync(join(folder, 'SOUL.md.liquid'));
    expect(() => readTemplates(folder)).toThrow(`The template folder ${folder} lacks SOUL.md.liquid.`);
  });

  test('with a mistake in it stops the start with the file and line', () => {
    writeFileSync(join(folder, 'main/TOOLS.md.liquid'), 'fine\n{{ agent_name | shout }}');
    expect(() => readTemplates(folder)).toThrow(
      'Line 2 of the template main/TOOLS.md.liquid uses the unknown filter shout.',
    );
  });

  test('that is not there stops the start', () => {
    expect(() => readTemplates(join(root, 'nowhere'))).toThrow(/nowhere/);
  });
});
