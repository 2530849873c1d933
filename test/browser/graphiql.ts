import type { BrowserContext, Locator, Page } from 'playwright-core';
import { eventually } from '../support/eventually.ts';

const READY_TIMEOUT_MS = 30_000;

/** What it calls its editors. */
const QUERY = 'operation.graphql';
const HEADERS = 'request-headers.json';
const RESPONSE = 'response.json';

/** GraphiQL as somebody sees it who sits in front of it. */
export class GraphiQL {
  readonly page: Page;
  readonly #headers: Locator;
  /** What it has sent over WebSockets, oldest first. */
  readonly #sent: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => this.#sent.push(String(payload))));
    // The editor for variables is in the same place, hidden.
    this.#headers = page.locator('.graphiql-editor-tool .monaco-editor:visible');
  }

  static async open(context: BrowserContext, url: string): Promise<GraphiQL> {
    const graphiql = new GraphiQL(await context.newPage());
    await graphiql.page.goto(`${url}/graphql`);
    await graphiql.#isReady();
    return graphiql;
  }

  /** As a person would, who is not faster than it keeps its state. */
  async reload(): Promise<void> {
    const [query, headers] = [await this.query(), await this.headers()];
    await eventually(
      () => this.#stored('tabState'),
      (tabs) => [query, headers].every((text) => tabs?.includes(JSON.stringify(text))),
    );
    await this.page.reload();
    await this.#isReady();
  }

  async #isReady(): Promise<void> {
    const text = this.page.locator('.graphiql-query-editor .view-line').first();
    await text.waitFor({ timeout: READY_TIMEOUT_MS });
    await this.#headers.waitFor();
  }

  /** Pastes the token where the pane waits for it: behind "Bearer ", inside of the quotes. */
  async enterToken(token: string): Promise<void> {
    await this.#headers.locator('.view-lines').click();
    for (const key of ['Control+Home', 'ArrowDown', 'End', 'ArrowLeft']) await this.page.keyboard.press(key);
    await this.#paste(token);
    await eventually(
      () => this.headers(),
      (text) => text.includes(token),
    );
    await this.page.keyboard.press('Control+Home');
  }

  async replaceHeaders(headers: object): Promise<void> {
    await this.#replace(this.#headers, HEADERS, JSON.stringify(headers));
  }

  async replaceQuery(query: string): Promise<void> {
    await this.#replace(this.page.locator('.graphiql-query-editor'), QUERY, query);
    await this.#hasRead();
  }

  async #replace(editor: Locator, name: string, text: string): Promise<void> {
    await editor.locator('.view-lines').click();
    await this.page.keyboard.press('Control+A');
    await this.#paste(text);
    await eventually(
      () => this.#textOf(name),
      (shown) => shown === text,
    );
    await this.page.keyboard.press('Control+Home');
  }

  /** What is typed instead, the editor would indent and close brackets of. */
  async #paste(text: string): Promise<void> {
    await this.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await this.page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
    await this.page.keyboard.press('Control+V');
  }

  async headers(): Promise<string> {
    return this.#textOf(HEADERS);
  }

  async query(): Promise<string> {
    return this.#textOf(QUERY);
  }

  async tabs(): Promise<string[]> {
    return this.page.getByRole('tab').allInnerTexts();
  }

  async openTab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name }).click();
    await this.page.getByRole('tab', { name, selected: true }).waitFor();
    await this.#hasRead();
  }

  /** It reads what is in the editor a moment after the last change; what it runs before is the operation of before. */
  async #hasRead(): Promise<void> {
    const query = await this.query();
    await eventually(
      () => this.#stored('query'),
      (text) => text === query,
    );
  }

  /** What it has kept for the next time. */
  async #stored(name: 'query' | 'tabState'): Promise<string | null> {
    return this.page.evaluate<string | null>(`localStorage.getItem("graphiql:${name}")`);
  }

  /** @param operation which one, where the tab has several */
  async run(operation?: string): Promise<void> {
    await this.page.locator('.graphiql-execute-button').click();
    if (operation) await this.page.getByRole('menuitem', { name: operation }).click();
  }

  /** Runs a subscription until the server has been asked for it. */
  async subscribe(): Promise<void> {
    const before = this.#sent.length;
    await this.run();
    await eventually(
      () => this.#sent.slice(before),
      (sent) => sent.some((message) => message.includes('"type":"subscribe"')),
    );
  }

  /** Ends the subscription that is running. */
  async stop(): Promise<void> {
    await this.page.getByRole('button', { name: 'Stop query' }).click();
    await this.page.getByRole('button', { name: 'Execute query' }).waitFor();
  }

  /** The result, once it has these words in it. */
  async resultWith(...words: string[]): Promise<string> {
    return eventually(
      () => this.#textOf(RESPONSE),
      (text) => words.every((word) => text.includes(word)),
    );
  }

  /** The whole text of one of its editors; on the page are only the lines that can be seen. */
  async #textOf(editor: string): Promise<string> {
    const name = JSON.stringify(editor);
    return this.page.evaluate<string>(
      `__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith(${name})).getValue()`,
    );
  }
}
