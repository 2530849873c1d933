import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { documentNamesFor } from './documents.ts';
import { createTemplates, type Templates } from './liquid.ts';

/**
 * Reads the template folder, once, at the start of the process. Links are followed as long as they stay in the
 * folder, as in a mounted Kubernetes ConfigMap; names that begin with a dot are left out.
 *
 * @throws Error when the folder cannot be read or lacks a document, TemplateError when one is not valid Liquid.
 */
export function readTemplates(folder: string): Templates {
  const root = realpathSync(folder);
  const files = new Map<string, string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.liquid') || path.split(sep).some((part) => part.startsWith('.'))) continue;
    const target = realpathSync(join(folder, path));
    if (relative(root, target).split(sep)[0] === '..') continue;
    files.set(path.split(sep).join('/'), readFileSync(target, 'utf8'));
  }
  const missing = documentNamesFor('BOARD_LEAD').filter((name) => !files.has(`${name}.liquid`));
  if (missing.length > 0) {
    throw new Error(`The template folder ${folder} lacks ${missing.map((name) => `${name}.liquid`).join(', ')}.`);
  }
  return createTemplates(files);
}
