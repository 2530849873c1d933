import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { css, editorWorkerService, graphqlWorker, js, jsonWorker } from '@graphql-yoga/render-graphiql/graphiql';
import { GRAPHIQL_TABS } from './graphiql-tabs.ts';

/**
 * GraphiQL as one page that needs nothing else: yoga's build of it, in a page of our own, because yoga's page hands the
 * headers pane to HTTP only. 9 MB and 0.1 s to load, so this file is for `import()` when somebody opens the page.
 */
export const graphiqlPage = fill(readFileSync(new URL('./graphiql.html', import.meta.url), 'utf8'), {
  css,
  js,
  workers: json({ editorWorkerService, graphql: graphqlWorker, json: jsonWorker }),
  tabs: json(GRAPHIQL_TABS),
});

const scripts = [...graphiqlPage.matchAll(/<script[^>]*>(.*?)<\/script>/gs)].map(
  ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
);

/**
 * The page's content policy. The browser itself sees to it that no other script runs, and that nothing comes from, or goes to,
 * another server. The editor makes its styles and its workers, which import nothing, as it runs.
 */
export const graphiqlPolicy = [
  "default-src 'none'",
  `script-src ${scripts.join(' ')}`,
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  'font-src data:',
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

// Each part goes where the page has its name in double braces, in place of the empty value behind it.
function fill(page: string, parts: Record<string, string>): string {
  return page.replace(/\/\*\{\{(\w+)\}\}\*\/(?: (?:\{\}|\[\]))?/g, (_place, name: string) => parts[name] ?? '');
}

/** As a script's source inside of HTML: no text in it can end the script. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
