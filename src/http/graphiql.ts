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

// Each part goes where the page has its name in double braces, in place of the empty value behind it.
function fill(page: string, parts: Record<string, string>): string {
  return page.replace(/\/\*\{\{(\w+)\}\}\*\/(?: (?:\{\}|\[\]))?/g, (_place, name: string) => parts[name] ?? '');
}

/** As a script's source inside of HTML: no text in it can end the script. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
