import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A directory of souls on loopback: what it answers can be changed at any time, by path. */
export class TestSoulDirectory {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #answers = new Map<string, Answer>();
  /** Paths that were asked for, with the headers. */
  readonly requests: { path: string; headers: Record<string, unknown> }[] = [];

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lists these souls, `handle/slug` each with its text, as souls.directory does. */
  list(souls: Record<string, string>): void {
    const pages = ['', '/souls', ...Object.keys(souls).map((soul) => `/souls/${soul}`)];
    this.set('/sitemap.xml', text(sitemapOf(pages.map((page) => `https://souls.directory${page}`)), 'application/xml'));
    for (const [soul, markdown] of Object.entries(souls)) this.set(textPath(soul), text(markdown));
  }

  set(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  count(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.push({ path, headers: request.headers });
    const answer = this.#answers.get(path) ?? status(404);
    answer(request, response);
  }
}

export const textPath = (soul: string) => `/api/souls/${soul}.md`;

export function sitemapOf(addresses: string[]): string {
  const pages = addresses.map((address) => `<url>\n<loc>${address}</loc>\n<priority>0.8</priority>\n</url>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n${pages.join('\n')}\n</urlset>\n`;
}

export const text =
  (content: string | Buffer, type = 'text/markdown; charset=utf-8'): Answer =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': type }).end(content);

export const status =
  (code: number): Answer =>
  (_request, response) =>
    response.writeHead(code).end();

export const redirect =
  (location: string): Answer =>
  (_request, response) =>
    response.writeHead(302, { location }).end();

/** Takes the request and never answers. */
export const silent: Answer = () => undefined;

/** Begins an answer and never ends it. */
export const unfinished: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/markdown' }).write('# A soul that');
};

/** Goes on and on, until nobody reads any more. */
export const endless: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/markdown' });
  const chunk = 'x'.repeat(65_536);
  const more = () => {
    while (!response.destroyed && response.write(chunk)) {}
  };
  response.on('drain', more);
  more();
};

/** Ends the connection without an answer. */
export const hangUp: Answer = (request) => void request.socket.destroy();
