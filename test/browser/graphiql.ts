import type { BrowserContext, Locator, Page } from 'playwright-core';
import { eventually } from '../support/eventually.ts';

const READY_TIMEOUT_MS = 30_000;

/** GraphiQL as somebody sees it who sits in front of it. */
export class GraphiQL {
  readonly page: Page;
  readonly #headers: Locator;

  private constructor(page: Page) {
    this.page = page;
    this.#headers = page.locator('section[aria-label="Headers"]');
  }

  static async open(context: BrowserContext, url: string): Promise<GraphiQL> {
    const page = await context.newPage();
    await page.goto(`${url}/graphql`);
    const graphiql = new GraphiQL(page);
    await graphiql.#isReady();
    return graphiql;
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.#isReady();
  }

  async #isReady(): Promise<void> {
    const text = this.page.locator('.graphiql-query-editor .view-line').first();
    await text.waitFor({ timeout: READY_TIMEOUT_MS });
    await this.#headers.locator('.view-line').first().waitFor();
  }

  /** Types the token where the pane waits for it: behind "Bearer ", inside of the quotes. */
  async enterToken(token: string): Promise<void> {
    await this.#headers.locator('.view-lines').click();
    for (const key of ['Control+Home', 'ArrowDown', 'End', 'ArrowLeft']) await this.page.keyboard.press(key);
    await this.page.keyboard.insertText(token);
  }

  async replaceHeaders(headers: object): Promise<void> {
    await this.#replace(this.#headers, JSON.stringify(headers));
  }

  async replaceQuery(query: string): Promise<void> {
    await this.#replace(this.page.locator('.graphiql-query-editor'), query);
  }

  async #replace(editor: Locator, text: string): Promise<void> {
    await editor.locator('.view-lines').click();
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.insertText(text);
  }

  async headers(): Promise<string> {
    return this.#textOf('request-headers.json');
  }

  async query(): Promise<string> {
    return this.#textOf('operation.graphql');
  }

  async tabs(): Promise<string[]> {
    return this.page.getByRole('tab').allInnerTexts();
  }

  async openTab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name }).click();
    await this.page.getByRole('tab', { name, selected: true }).waitFor();
  }

  /** @param operation which one, where the tab has several */
  async run(operation?: string): Promise<void> {
    await this.page.locator('.graphiql-execute-button').click();
    if (operation) await this.page.getByRole('menuitem', { name: operation }).click();
  }

  /** Ends the subscription that is running. */
  async stop(): Promise<void> {
    await this.page.getByRole('button', { name: 'Stop query' }).click();
    await this.page.getByRole('button', { name: 'Execute query' }).waitFor();
  }

  /** The result, once it has these words in it. */
  async resultWith(...words: string[]): Promise<string> {
    return eventually(
      () => this.#textOf('response.json'),
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
